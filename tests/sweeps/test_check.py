"""`sweep`, from the objective to the answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mltest
from mltest.errors import InvalidInput
from tests.sweeps.test_journal import same

SPACE = {"learning_rate": mltest.log(1e-4, 1e0), "activation": mltest.choice("relu", "tanh")}


def bowl(settings: dict[str, Any], *, seed: int) -> float:
    """Best at a learning rate of 0.01 with relu."""
    noise = 0.01 * np.random.default_rng([seed, int(1e6 * settings["learning_rate"])]).normal()
    return float(-((np.log10(settings["learning_rate"]) + 2) ** 2) - 0.5 * (settings["activation"] == "tanh") + noise)


@pytest.mark.parametrize("sampler", ["random", "sobol", "grid", "tpe"])
def test_the_best_of_an_objective_is_found(sampler: str) -> None:
    result = mltest.sweep(bowl, SPACE, trials=40 if sampler != "grid" else None, sampler=sampler, seed=1)
    assert result.passed
    assert result.best["activation"] == "relu"
    assert 0.002 < result.best["learning_rate"] < 0.05
    assert result.best in result.best_set
    assert not result.edges
    assert "on the rows that the objective chose" in result.answer


def test_a_best_value_on_the_edge_of_its_range_is_said() -> None:
    def rising(settings: dict[str, Any], *, seed: int) -> float:
        return float(np.log10(settings["learning_rate"]) + 0.01 * np.random.default_rng(seed).normal())

    result = mltest.sweep(rising, SPACE, trials=24)
    assert result.edges == {"learning_rate": "upwards"}
    assert "extend learning_rate upwards" in result.answer


def test_the_same_seed_gives_the_same_answer() -> None:
    first, second = (mltest.sweep(bowl, SPACE, trials=12, sampler="tpe", seed=3) for _ in range(2))
    assert first.to_run() == second.to_run()
    assert first.frame().drop(columns="seconds").equals(second.frame().drop(columns="seconds"))


def test_a_trial_that_raises_is_a_failed_trial_with_its_traceback() -> None:
    def fragile(settings: dict[str, Any], *, seed: int) -> float:
        if settings["activation"] == "tanh":
            raise ZeroDivisionError("tanh is broken here")
        return bowl(settings, seed=seed)

    result = mltest.sweep(fragile, SPACE, trials=16)
    failed = result.frame().query("status == 'failed'")
    assert len(failed) > 0
    assert failed.error.str.contains("tanh is broken here").all()
    assert result.best["activation"] == "relu"
    assert len(result.not_judged) == len(failed) // 3


def test_no_trial_that_finishes_is_an_error() -> None:
    def broken(settings: dict[str, Any], *, seed: int) -> float:
        raise RuntimeError("no luck")

    result = mltest.sweep(broken, SPACE, trials=4)
    assert result.outcome == "error"
    assert "no luck" in result.answer
    assert result.best is None


def test_nan_is_a_diverged_trial() -> None:
    def sometimes(settings: dict[str, Any], *, seed: int) -> float:
        return float("nan") if settings["learning_rate"] > 0.1 else bowl(settings, seed=seed)

    frame = mltest.sweep(sometimes, SPACE, trials=16).frame()
    assert (frame[frame.learning_rate > 0.1].status == "diverged").all()


def test_another_number_of_values_is_a_failed_trial() -> None:
    def careless(settings: dict[str, Any], *, seed: int) -> Any:
        return np.full(7 if settings["activation"] == "tanh" else 9, bowl(settings, seed=seed))

    frame = mltest.sweep(careless, {**SPACE, "activation": ["relu", "tanh"]}, sampler="grid").frame()
    assert set(frame[frame.activation == "relu"].status) == {"finished"}
    assert set(frame[frame.activation == "tanh"].status) == {"failed"}


@pytest.mark.parametrize(("choice", "outcome"), [(0.01, "passed"), (0.9, "failed")])
def test_the_developers_choice_is_run_and_judged(choice: float, outcome: str) -> None:
    result = mltest.sweep(bowl, SPACE, trials=20, expected={"learning_rate": choice})
    assert (result.frame().learning_rate == choice).any()
    if outcome == "failed":
        assert result.outcome == "failed"
        assert "does not hold" in result.answer


def test_ctrl_c_ends_with_an_answer_from_what_is_done() -> None:
    calls = []

    def impatient(settings: dict[str, Any], *, seed: int) -> float:
        calls.append(seed)
        if len(calls) > 70:
            raise KeyboardInterrupt
        return bowl(settings, seed=seed)

    result = mltest.sweep(impatient, SPACE, trials=100)
    assert result.interrupted
    assert result.best is not None
    assert "interrupted" in result.answer


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model_or_objective": 3}, "cannot be swept"),
        ({"model_or_objective": lambda a, b: 0}, "objective"),
        ({"space": {}}, "empty"),
        ({"trials": 0}, "trials is 0"),
        ({"seeds": 1.5}, "seeds is 1.5"),
        ({"sampler": "greedy"}, "greedy"),
        ({"score": "beauty"}, "beauty"),
        ({"expected": {"momentum": 1}}, "momentum"),
        ({"expected": {"learning_rate": 7}}, "outside"),
        ({"x": np.zeros((3, 2))}, "y is missing"),
        ({"x": np.zeros((3, 2)), "y": np.zeros(2)}, "3 rows"),
        ({"groups": [1, 2]}, "groups"),
        ({"space": {"a": list(range(10**5)), "b": list(range(10**4))}, "sampler": "grid"}, "1,000,000,000"),
    ],
)
def test_bad_input_is_one_clear_error(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        mltest.sweep(**{"model_or_objective": bowl, "space": SPACE, "trials": 4, **arguments})


def test_an_objective_of_the_second_form_is_confirmed_on_fresh_rows() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1000, 5))
    y = (x[:, 0] + 0.3 * rng.normal(size=1000) > 0).astype(int)
    seen = []

    def nearest_mean(settings: dict[str, Any], train: Any, score: Any, *, seed: int) -> Any:
        (x_train, y_train), (x_score, y_score) = train, score
        seen.append(len(x_score))
        columns = slice(0, settings["columns"]) if settings["first"] else slice(1, 1 + settings["columns"])
        means = np.stack([x_train[y_train == k][:, columns].mean(axis=0) for k in (0, 1)])
        distance = ((x_score[:, None, columns] - means) ** 2).sum(axis=2)
        return distance.argmin(axis=1) == y_score

    space = {"columns": [1, 2, 3], "first": [True, False]}
    result = mltest.sweep(nearest_mean, space, x, y, sampler="grid")
    assert result.passed
    assert result.best["first"]
    assert all(one["first"] for one in result.best_set)
    assert "on 200 test rows" in result.answer
    assert set(seen) == {150, 200}
    assert len(result.frame()) == 18


def test_few_rows_are_split_again_and_the_answer_is_called_approximate() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(120, 2)), rng.integers(0, 2, 120)

    def guess(settings: dict[str, Any], train: Any, score: Any, *, seed: int) -> Any:
        return score[1] == settings["label"]

    result = mltest.sweep(guess, {"label": [0, 1]}, x, y, sampler="grid", seeds=5)
    assert "approximate" in result.answer
    assert "120 rows" in result.answer


def test_progress_says_how_far_it_is() -> None:
    seen: list[Any] = []
    mltest.sweep(bowl, SPACE, trials=10, progress=seen.append)
    assert [now.done for now in seen] == list(range(1, 31))
    assert seen[-1].total == 30
    assert seen[-1].seconds_left == 0
    assert seen[-1].best > -0.5
    assert 1 <= seen[-1].in_race <= 10


def test_a_bar_is_drawn_on_standard_error(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # what rich takes for a terminal
    mltest.sweep(bowl, SPACE, trials=3, progress=True)
    mltest.sweep(bowl, SPACE, trials=3, progress=False)
    out, err = capfd.readouterr()
    assert "best so far" in err
    assert not out


def test_budgets_in_epochs_and_seconds_end_the_search() -> None:
    space = {**SPACE, "epochs": [2, 4]}
    spent = mltest.sweep(bowl, space, epochs=200, seeds=2).frame()
    assert 200 <= spent.epochs.sum() <= 200 + 16 * 2 * 4
    result = mltest.sweep(bowl, SPACE, seconds=0.5)
    assert result.interrupted
    assert len(result.frame()) > 3


def test_scikit_learn_pipelines_are_swept_by_their_settings_names() -> None:
    pipeline = pytest.importorskip("sklearn.pipeline")
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 8))
    y = np.where(x[:, 0] + x[:, 1] + 0.5 * rng.normal(size=600) > 0, "yes", "no")
    model = pipeline.Pipeline([("scale", StandardScaler()), ("fit", LogisticRegression())])
    result = mltest.sweep(model, {"fit__C": [1e-6, 1e-2, 1.0]}, x, y, sampler="grid")
    assert result.best["fit__C"] >= 1e-2
    assert result.accuracy > 0.8
    losses = mltest.sweep(model, {"fit__C": [1e-6, 1e-2, 1.0]}, x, y, sampler="grid", score="log_loss")
    assert losses.passed
    assert losses.accuracy < 0.4
    with pytest.raises(InvalidInput, match="Did you mean 'fit__C'"):
        mltest.sweep(model, {"C": [1, 2]}, x, y)


def test_a_network_is_swept_as_a_population_over_what_one_sets_by_hand() -> None:
    import reference_net as rn

    rng = np.random.default_rng(0)
    x = rng.normal(size=(800, 6)).astype(np.float32)
    y = ((x[:, 0] * x[:, 1] > 0) + (x[:, 2] > 0)).astype(int)
    space = {
        "learning_rate": mltest.log(1e-4, 1e0), "l1": mltest.log(1e-7, 1e-4), "l2": mltest.log(1e-6, 1e-2),
        "activation": ["relu", "tanh"], "units": [4, 16], "layers": mltest.integer(1, 2),
        "initializer": ["he", "glorot"], "epochs": [5, 10], "units2": mltest.choice(4, 8).when("layers", 2),
        "optimizer": ["sgd", "momentum", "adam"], "dropout": mltest.uniform(0, 0.3), "batch_size": [32, 64],
    }  # fmt: skip
    result = mltest.sweep(rn.deep_network(6, (8,), 3), space, x, y, trials=20, seeds=2)
    assert set(result.frame().status) == {"finished"}
    assert result.accuracy > 0.6
    assert "on 160 test rows" in result.answer
    assert result.importances.keys() <= space.keys()


def test_a_member_of_the_population_scores_as_if_it_were_alone() -> None:
    import reference_net as rn

    rng = np.random.default_rng(1)
    x = rng.normal(size=(500, 4))
    y = (x[:, 0] > 0).astype(int)
    space = {"learning_rate": [0.01, 0.1, 1.0], "l2": [0.0, 0.01]}
    together = mltest.sweep(rn.deep_network(4, (5,), 2), space, x, y, sampler="grid").frame()
    for rate in (0.01, 0.1, 1.0):
        alone = mltest.sweep(rn.deep_network(4, (5,), 2), {**space, "learning_rate": [rate]}, x, y, sampler="grid")
        both = together[together.learning_rate == rate]
        assert alone.frame().score.tolist() == both.score.tolist()


@pytest.mark.parametrize("patience", [None, 2])
def test_an_estimator_of_reference_net_is_swept_side_by_side_with_the_numbers_of_one_by_one(
    patience: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    import reference_net as rn
    from mltest.models.sklearn.sweeping import SweptEstimator

    data = rn.datasets.load("breast_cancer")
    model = rn.NetworkClassifier((8,), epochs=6, patience=patience)
    space = {"learning_rate": mltest.log(1e-2, 1e0), "activation": ["relu", "tanh"], "batch_size": [32, 64]}
    together = mltest.sweep(model, space, data.x, data.y, trials=8, seeds=2)
    monkeypatch.setattr("mltest.models.reference.estimators.fit_together", None)  # what fails goes one by one
    calls = []
    train = SweptEstimator._train
    monkeypatch.setattr(SweptEstimator, "_train", lambda *given: calls.append(given) or train(*given))
    assert same(together, mltest.sweep(model, space, data.x, data.y, trials=8, seeds=2))
    assert len(calls) >= 16


def test_groups_are_never_torn_apart() -> None:
    rng = np.random.default_rng(2)
    patients = np.repeat(np.arange(60), 10)
    x = np.column_stack([patients, rng.normal(size=600)])
    y = rng.integers(0, 2, 600)

    def torn(settings: dict[str, Any], train: Any, score: Any, *, seed: int) -> Any:
        assert not set(train[0][:, 0]) & set(score[0][:, 0])
        return score[1] == settings["label"]

    result = mltest.sweep(torn, {"label": [0, 1]}, x, y, sampler="grid", groups=patients)
    assert set(result.frame().status) == {"finished"}


def test_successive_halving_cuts_early_and_judges_whom_it_keeps() -> None:
    epochs = []

    def learns(settings: dict[str, Any], *, seed: int) -> float:
        epochs.append(settings["epochs"])
        return bowl(settings, seed=seed) * (1 + 1 / settings["epochs"])

    result = mltest.sweep(learns, {**SPACE, "epochs": [18]}, trials=27, halving=True)
    assert sorted(set(epochs)) == [2, 6, 18]
    assert [epochs.count(n) for n in (2, 6, 18)] == [81, 27, 9]
    assert 0.001 < result.best["learning_rate"] < 0.1
    assert len(result.not_judged) == 24
    assert (result.frame().status == "cut").sum() == 72
    assert "24 settings were cut early" in result.results[0].hint
    with pytest.raises(InvalidInput, match="epochs"):
        mltest.sweep(bowl, SPACE, trials=9, halving=True)


def test_a_second_look_at_the_test_rows_is_said_and_widens_the_interval(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(600, 3)), rng.integers(0, 2, 600)

    def guess(settings: dict[str, Any], train: Any, score: Any, *, seed: int) -> Any:
        return (score[0][:, 0] > settings["at"]) == score[1]

    def look(name: str, at: list[float]) -> mltest.SweepResult:
        return mltest.sweep(guess, {"at": at}, x, y, sampler="grid", storage=tmp_path / name)

    first, again, second = look("a", [0.0, 3.0]), look("a", [0.0, 3.0]), look("b", [0.0, 2.9])
    assert first.interval == again.interval
    assert "look" not in again.answer
    assert "look number 2" in second.answer
    assert np.diff(second.interval) > np.diff(first.interval)


def test_a_torch_module_says_that_its_training_function_is_needed() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(InvalidInput, match="function that trains it"):
        mltest.sweep(torch.nn.Linear(2, 2), SPACE, np.zeros((4, 2)), np.zeros(4))


def test_a_training_function_of_torch_is_swept_like_any_objective() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    x = rng.normal(size=(500, 4)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int)

    def train(settings: dict[str, Any], train: Any, score: Any, *, seed: int) -> Any:
        torch.manual_seed(seed)
        model = torch.nn.Linear(4, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=settings["learning_rate"])
        rows, answers = torch.from_numpy(train[0]), torch.from_numpy(train[1])
        for _ in range(20):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(rows), answers).backward()
            optimizer.step()
        with torch.no_grad():
            return model(torch.from_numpy(score[0])).argmax(1) == torch.from_numpy(score[1])

    result = mltest.sweep(train, {"learning_rate": [1e-6, 1.0]}, x, y, sampler="grid")
    assert result.best == {"learning_rate": 1.0}
    assert result.passed
    assert result.interval[0] > 0.8
