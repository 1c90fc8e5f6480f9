"""Planted faults are seen, placed and explained as often as promised; sound nets are never called wrong."""

from __future__ import annotations

import random
import warnings

import pytest

pytest.importorskip("torch")

from tests.gradients.zoo import between_faults, plain_faults, sound_nets, torch_faults
from tests.gradients.zoo.case import Fault, Sound, names_cause, names_place

FAULTS: list[Fault] = [*torch_faults.FAULTS, *between_faults.FAULTS, *plain_faults.FAULTS]
SOUND: list[Sound] = sound_nets.SOUND
DTYPES = ("float64", "float32")
# A seeded part of each list runs by default; all of it is long.
FEW_FAULTS = random.Random(6).sample(FAULTS, 14)
FEW_SOUND = random.Random(6).sample(SOUND, 14)
# Promised shares, float64 and float32.
PROMISED = {"float64": (0.95, 0.95, 0.60), "float32": (0.94, 0.91, 0.50)}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def test_there_are_as_many_cases_as_the_project_promises() -> None:
    assert len(FAULTS) >= 80
    assert len(SOUND) >= 60


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("fault", FEW_FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_seen_and_placed(fault: Fault, dtype: str) -> None:
    result = fault.build(dtype).check()
    assert result.outcome == "failed"
    assert names_place(result, fault), result.location


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sound", FEW_SOUND, ids=lambda sound: sound.name)
def test_a_sound_net_is_not_called_wrong(sound: Sound, dtype: str) -> None:
    result = sound.build(dtype).check()
    assert result.outcome in ("passed", "inconclusive"), result.message


@pytest.mark.long
@pytest.mark.parametrize("dtype", DTYPES)
def test_faults_are_seen_placed_and_explained_as_often_as_promised(dtype: str) -> None:
    results = [(fault, fault.build(dtype).check()) for fault in FAULTS]
    seen = sum(result.outcome == "failed" for _, result in results)
    placed = sum(names_place(result, fault) for fault, result in results)
    explained = sum(names_cause(result, fault) for fault, result in results)
    shares = tuple(count / len(FAULTS) for count in (seen, placed, explained))
    assert all(share >= promised for share, promised in zip(shares, PROMISED[dtype], strict=True)), shares


@pytest.mark.long
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sound", SOUND, ids=lambda sound: sound.name)
def test_no_sound_net_is_called_wrong(sound: Sound, dtype: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = sound.build(dtype).check()
    assert result.outcome in ("passed", "inconclusive"), result.message
