"""How long does reference_net train beside torch and scikit-learn? Same work and accuracy, one thread, processor time.

Ratios come from interleaved rounds of one run: they mean something on another machine too, where bare times do not.
    python -m benchmarks.reference_net
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

import reference_net as rn
from reference_net import fused

HIDDEN, BATCH, EPOCHS, RATE = (64, 32, 16), 64, 20, 0.1
DIGITS = rn.datasets.load("digits").split(test_size=0.25, seed=0)
ROWS = 21 * BATCH  # whole batches: a last one of three rows sends a plain loop astray, from 0.95 to 0.79
X, X_TEST = DIGITS[0][:ROWS].astype(np.float32), DIGITS[1].astype(np.float32)
Y, Y_TEST = DIGITS[2][:ROWS], DIGITS[3]
FACES = rn.datasets.load("faces")
IMAGES, ARE_FACES = FACES.x.astype(np.float32), FACES.y

ALIKE = 0.05  # how far apart two mean accuracies may be that are called the same; seeds alone move one by 0.02

Job = Callable[[int], float]  # does the work from a seed, and returns an accuracy


def main() -> None:
    torch.set_num_threads(1)
    with threadpool_limits(1):
        print(f"{'question':46} {'ratio':>6} {'quartiles':>13} {'bar':>5}   mean accuracies")
        deep, torchs, mlps = ours(HIDDEN), torch_loop(HIDDEN), mlp(HIDDEN)
        compare("deep net on digits, beside a torch loop", deep, torchs, 0.4)
        compare("deep net on digits, beside MLPClassifier", deep, mlps, 0.5)
        compare("face net, beside a torch loop", ours_on_faces(), torch_on_faces, 1.3, rounds=5)
        compare("4 face nets, a member beside one alone", ours_on_faces(4), ours_on_faces(), 1.0, rounds=3, share=4)
        many = ours(HIDDEN, 64)
        compare("64 deep nets, a member beside a torch loop", many, torchs, None, rounds=5, share=64)
        compare("64 deep nets, a member beside MLPClassifier", many, mlps, None, rounds=5, share=64)
        compare("64 deep nets, a member beside one alone", many, deep, None, rounds=5, share=64)
        compare("16 deep nets, fused beside plain", ours(HIDDEN, 16), plain(ours(HIDDEN, 16)), 1 / 1.3, rounds=5)
        for width in (16, 64, 256):
            hidden = (width,) * 2
            compare(f"2 hidden layers of {width}, beside torch", ours(hidden), torch_loop(hidden), None, rounds=3)
        for depth in (1, 4, 8):
            hidden = (32,) * depth
            compare(f"{depth} hidden layers of 32, beside torch", ours(hidden), torch_loop(hidden), None, rounds=3)
        print(
            f"\n{'hidden layers':>14} {'members':>8} {'examples/s':>11} {'GFLOP/s':>8} {'in products':>12}"
            f" {'of BLAS on these products':>26}"
        )
        for members in (1, 4, 16, 64):
            limits(HIDDEN, members)
        for hidden in ((16, 16), (64, 64), (256, 256), (32,) * 8):
            limits(hidden, 1)


def compare(name: str, mine: Job, theirs: Job, bar: float | None, rounds: int = 7, share: int = 1) -> None:
    """Print the median of mine/theirs over interleaved rounds; `share` says how many trainings mine does at once."""
    mine(0), theirs(0)
    ratios, right = [], np.empty((rounds, 2))
    for seed in range(rounds):
        a, right[seed, 0] = timed(mine, seed)
        b, right[seed, 1] = timed(theirs, seed)
        ratios.append(a / share / b)
    low, middle, high = statistics.quantiles(ratios, n=4)
    said = "" if bar is None else f"{bar:.2f}" + (" !" if middle > bar else "")
    mean = right.mean(axis=0)
    apart = " APART: not the same work" if abs(mean[0] - mean[1]) > ALIKE else ""
    print(f"{name:46} {middle:6.3f} {low:6.3f}–{high:5.3f} {said:>6}   {mean[0]:.3f} {mean[1]:.3f}{apart}", flush=True)


def timed(job: Job, seed: int = 0) -> tuple[float, float]:
    start = time.process_time()
    accuracy = job(seed)
    return time.process_time() - start, accuracy


def ours(hidden: Sequence[int], members: int = 1) -> Job:
    network = rn.deep_network(64, hidden, 10)

    def job(seed: int) -> float:
        seeds = list(range(seed, seed + members)) if members > 1 else seed
        start = network.initial_parameters(seeds, dtype=np.float32)
        history = rn.fit(network, start, X, Y, optimizer=rn.SGD(RATE), epochs=EPOCHS, batch_size=BATCH, seed=seeds)
        return float((rn.Model(network, history.parameters).predict(X_TEST) == Y_TEST).mean())

    return job


def plain(job: Job) -> Job:
    """The same job by the readable path alone."""

    def run(seed: int) -> float:
        understands = fused.understands
        fused.understands = lambda network: False
        try:
            return job(seed)
        finally:
            fused.understands = understands

    return run


def torch_loop(hidden: Sequence[int]) -> Job:
    network = rn.deep_network(64, hidden, 10)

    def job(seed: int) -> float:
        torch.manual_seed(seed)
        start = network.initial_parameters(seed, dtype=np.float32)
        parts: list[torch.nn.Module] = []
        for number, (inputs, outputs) in enumerate(pairwise((64, *hidden, 10)), 1):
            dense = torch.nn.Linear(inputs, outputs)
            dense.weight.data = torch.from_numpy(start[f"dense{number}.weight"].T.copy())
            dense.bias.data = torch.from_numpy(start[f"dense{number}.bias"])
            parts += [dense, torch.nn.ReLU()]
        model = torch.nn.Sequential(*parts[:-1])
        train_in_torch(model, X, Y, EPOCHS, BATCH)
        return float((model(torch.from_numpy(X_TEST)).argmax(1).numpy() == Y_TEST).mean())

    return job


def train_in_torch(model: torch.nn.Module, x: np.ndarray, y: np.ndarray, epochs: int, batch: int) -> None:
    """The loop that anyone would write."""
    optimizer, loss_of = torch.optim.SGD(model.parameters(), lr=RATE), torch.nn.CrossEntropyLoss()
    rows, labels = torch.from_numpy(x), torch.from_numpy(y)
    for _ in range(epochs):
        for chosen in torch.randperm(len(rows)).split(batch):
            optimizer.zero_grad()
            loss_of(model(rows[chosen]), labels[chosen]).backward()
            optimizer.step()


def mlp(hidden: Sequence[int]) -> Job:
    settings = {"solver": "sgd", "momentum": 0.0, "alpha": 0.0, "learning_rate_init": RATE, "n_iter_no_change": EPOCHS}

    def job(seed: int) -> float:
        model = MLPClassifier(tuple(hidden), batch_size=BATCH, max_iter=EPOCHS, random_state=seed, **settings)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # as many epochs as the others, and no more
            model.fit(X, Y)
        return float(model.score(X_TEST, Y_TEST))

    return job


def ours_on_faces(members: int = 1) -> Job:
    network = rn.convolutional_network()

    def job(seed: int) -> float:
        seeds = list(range(seed, seed + members)) if members > 1 else seed
        start = network.initial_parameters(seeds, dtype=np.float32)
        history = rn.fit(
            network, start, IMAGES, ARE_FACES, optimizer=rn.SGD(RATE), epochs=15, batch_size=32, seed=seeds
        )
        return float((rn.Model(network, history.parameters).predict(IMAGES) == ARE_FACES).mean())

    return job


def torch_on_faces(seed: int) -> float:
    torch.manual_seed(seed)
    nn = torch.nn
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(576, 2),
    )  # fmt: skip
    train_in_torch(model, IMAGES, ARE_FACES, 15, 32)
    return float((model(torch.from_numpy(IMAGES)).argmax(1).numpy() == ARE_FACES).mean())


def limits(hidden: Sequence[int], members: int) -> None:
    """How near the physical limit: the same products, and nothing else, in arrays that are there already."""
    job, steps, shapes = ours(hidden, members), EPOCHS * (len(X) // BATCH), list(pairwise((64, *hidden, 10)))
    job(0)
    whole = min(timed(job)[0] for _ in range(2))
    with timed_products() as spent:
        in_all = timed(job)[0]  # the clock costs something too: a share is of the run that it was in
    alone = products_alone(shapes, members) * steps
    flops = members * steps * 2 * BATCH * (3 * sum(i * o for i, o in shapes) - 64 * hidden[0])
    name = f"{len(hidden)} of {hidden[0]}" if len(set(hidden)) == 1 else "-".join(map(str, hidden))
    print(
        f"{name:>14} {members:8} {members * EPOCHS * len(X) / whole:11.2e} {flops / whole / 1e9:8.1f}"
        f" {spent[0] / in_all:12.2f} {alone / whole:26.2f}",
        flush=True,
    )


@contextmanager
def timed_products() -> Iterator[list[float]]:
    """Processor time spent in np.matmul meanwhile."""
    plain, spent = np.matmul, [0.0]

    def product(*arguments: object, **named: object) -> object:
        start = time.process_time()
        result = plain(*arguments, **named)  # type: ignore[call-overload]
        spent[0] += time.process_time() - start
        return result

    np.matmul = product  # type: ignore[assignment]
    try:
        yield spent
    finally:
        np.matmul = plain


def products_alone(shapes: Sequence[tuple[int, int]], members: int, at_a_time: int = 16) -> float:
    """Seconds that BLAS takes for the products of one step of all members."""
    total, group = 0.0, min(members, at_a_time)
    rng = np.random.default_rng(0)
    for number, (inputs, outputs) in enumerate(shapes):
        x, w, d = (
            rng.random((group, *shape), np.float32) for shape in ((BATCH, inputs), (inputs, outputs), (BATCH, outputs))
        )
        z, dw, dx = np.empty_like(d), np.empty_like(w), np.empty_like(x)
        jobs = [(x, w, z), (x.mT, d, dw)] + ([(d, w.mT, dx)] if number else [])
        for left, right, out in jobs:
            total += best(lambda left=left, right=right, out=out: np.matmul(left, right, out=out))  # type: ignore[misc]
    return total * members / group


def best(work: Callable[[], object], calls: int = 50) -> float:
    times = []
    for _ in range(7):
        start = time.process_time()
        for _ in range(calls):
            work()
        times.append((time.process_time() - start) / calls)
    return min(times)


if __name__ == "__main__":
    main()
