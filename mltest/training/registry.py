"""All symptoms, in the order in which they are judged."""

from __future__ import annotations

from mltest.training.symptom import Symptom
from mltest.training.symptoms import (
    data,
    ending,
    falling,
    flow,
    gradients,
    labels,
    losses,
    modes,
    numbers,
    scales,
    settings,
    splits,
    structure,
    units,
)

SYMPTOMS: tuple[Symptom, ...] = (
    # of the data, and certain
    data.FiniteData(),
    data.ConstantInputs(),
    # of the structure, and certain
    structure.UnheldParameters(),
    structure.CutGraph(),
    structure.FrozenParameters(),
    structure.UnusedParameters(),
    structure.SymmetricStart(),
    structure.NoNonlinearity(),
    losses.TargetShape(),
    losses.OutputAndLoss(),
    losses.LossSign(),
    gradients.StaleGradients(),
    gradients.ClippedGradients(),
    modes.EvaluatingInStep(),
    modes.TrainingInPredict(),
    modes.TinyNormalisedBatches(),
    # of the data, by statistics of their own
    labels.ShuffledLabels(),
    splits.Preprocessing(),
    data.Unshuffled(),
    splits.Leakage(),
    splits.LabelShift(),
    # of the run
    numbers.NotFinite(),
    scales.InputScale(),
    scales.TargetScale(),
    flow.Initialisation(),
    units.DeadUnits(),
    units.Saturation(),
    flow.VanishingGradient(),
    flow.ExplodingGradient(),
    scales.GradientScale(),
    settings.RateHigh(),
    settings.RateLow(),
    settings.Regularisation(),
    settings.Capacity(),
    falling.Decrease(),
    falling.Oscillation(),
    ending.ClassNeverPredicted(),
    ending.Overfit(),
    ending.Learning(),
)
