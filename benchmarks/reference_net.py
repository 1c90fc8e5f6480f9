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

Job = Callable[[], float]  # does the work and returns an accuracy


def main() -> None:
    torch.set_num_threads(1)
    with threadpool_limits(1):
        print(f"{'question':46} {'ratio':>6} {'quartiles':>13} {'bar':>5}   accuracies")
        deep = ours(HIDDEN)
        compare("deep net on digits, beside a torch loop", deep, torch_loop(HIDDEN), 0.4)
        compare("deep net on digits, beside MLPClassifier", deep, mlp(HIDDEN), 0.5)
        compare("face net, beside a torch loop", ours_on_faces, torch_on_faces, 1.3, rounds=7)
        compare("64 deep nets, a member beside a torch loop", ours(HIDDEN, 64), torch_loop(HIDDEN), None, share=64)
        compare("64 deep nets, a member beside MLPClassifier", ours(HIDDEN, 64), mlp(HIDDEN), None, share=64)
        compare("64 deep nets, a member beside one alone", ours(HIDDEN, 64), deep, None, share=64)
        compare("16 deep nets, fused beside plain", ours(HIDDEN, 16), plain(ours(HIDDEN, 16)), 1 / 1.3, rounds=5)
        for width in (16, 64, 256):
            compare(
                f"2 hidden layers of {width}, beside torch",
                ours((width,) * 2),
                torch_loop((width,) * 2),
                None,
                rounds=3,
            )
        for depth in (1, 4, 8):
            compare(
                f"{depth} hidden layers of 32, beside torch",
                ours((32,) * depth),
                torch_loop((32,) * depth),
                None,
                rounds=3,
            )
        print(
            f"\n{'members':>8} {'examples/s':>11} {'GFLOP/s':>8} {'in products':>12} {'of BLAS on these products':>26}"
        )
        for members in (1, 4, 16, 64):
            limits(members)


def compare(name: str, mine: Job, theirs: Job, bar: float | None, rounds: int = 9, share: int = 1) -> None:
    """Print the median of mine/theirs over interleaved rounds; `share` says how many trainings mine does at once."""
    mine(), theirs()
    ratios = []
    for _ in range(rounds):
        a, right = timed(mine)
        b, also = timed(theirs)
        ratios.append(a / share / b)
    low, middle, high = statistics.quantiles(ratios, n=4)
    said = "" if bar is None else f"{bar:.2f}"
    print(f"{name:46} {middle:6.3f} {low:6.3f}–{high:5.3f} {said:>6}   {right:.3f} {also:.3f}", flush=True)


def timed(job: Job) -> tuple[float, float]:
    start = time.process_time()
    accuracy = job()
    return time.process_time() - start, accuracy


def ours(hidden: Sequence[int], members: int = 1) -> Job:
    network = rn.deep_network(64, hidden, 10)
    seeds = list(range(members)) if members > 1 else 0

    def job() -> float:
        start = network.initial_parameters(seeds, dtype=np.float32)
        history = rn.fit(network, start, X, Y, optimizer=rn.SGD(RATE), epochs=EPOCHS, batch_size=BATCH, seed=seeds)
        return float((rn.Model(network, history.parameters).predict(X_TEST) == Y_TEST).mean())

    return job


def plain(job: Job) -> Job:
    """The same job by the readable path alone."""

    def run() -> float:
        understands = fused.understands
        fused.understands = lambda network: False
        try:
            return job()
        finally:
            fused.understands = understands

    return run


def torch_loop(hidden: Sequence[int]) -> Job:
    network = rn.deep_network(64, hidden, 10)

    def job() -> float:
        torch.manual_seed(0)
        start = network.initial_parameters(0, dtype=np.float32)
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

    def job() -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # as many epochs as the others, and no more
            model = MLPClassifier(tuple(hidden), batch_size=BATCH, max_iter=EPOCHS, random_state=0, **settings).fit(
                X, Y
            )
        return float(model.score(X_TEST, Y_TEST))

    return job


def ours_on_faces() -> float:
    network = rn.convolutional_network()
    start = network.initial_parameters(0, dtype=np.float32)
    history = rn.fit(network, start, IMAGES, ARE_FACES, optimizer=rn.SGD(RATE), epochs=15, batch_size=32)
    return float((rn.Model(network, history.parameters).predict(IMAGES) == ARE_FACES).mean())


def torch_on_faces() -> float:
    torch.manual_seed(0)
    nn = torch.nn
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(576, 2),
    )  # fmt: skip
    train_in_torch(model, IMAGES, ARE_FACES, 15, 32)
    return float((model(torch.from_numpy(IMAGES)).argmax(1).numpy() == ARE_FACES).mean())


def limits(members: int) -> None:
    """How near the physical limit: the same products, and nothing else, in arrays that are there already."""
    job, steps = ours(HIDDEN, members), EPOCHS * -(-len(X) // BATCH)
    job()
    whole = min(timed(job)[0] for _ in range(3))
    with timed_products() as spent:
        job()
    alone = products_alone(members) * steps
    flops = members * steps * sum(6 * BATCH * i * o for i, o in layers()) - members * steps * 2 * BATCH * 64 * HIDDEN[0]
    print(
        f"{members:8} {members * EPOCHS * len(X) / whole:11.2e} {flops / whole / 1e9:8.1f} {spent[0] / whole:12.2f}"
        f" {alone / whole:26.2f}",
        flush=True,
    )


def layers() -> Iterator[tuple[int, int]]:
    sizes = (64, *HIDDEN, 10)
    yield from pairwise(sizes)


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


def products_alone(members: int, at_a_time: int = 16) -> float:
    """Seconds that BLAS takes for the products of one step of all members."""
    total, group = 0.0, min(members, at_a_time)
    rng = np.random.default_rng(0)
    for number, (inputs, outputs) in enumerate(layers()):
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
