"""Runs as real checks make them, for every test and benchmark of the reports: plain data, made here by hand."""

from __future__ import annotations

import math
import random

from mltest.evidence import (
    Axis,
    Bars,
    Counterexample,
    Curve,
    Curves,
    Evidence,
    Grid,
    Image,
    Images,
    Layer,
    Layers,
    Marker,
    Parallel,
    Points,
    Table,
    Text,
)
from mltest.results import Acceptance, Outcome, Power, Result, Run

ENVIRONMENT = {"python": "3.11.7", "platform": "Linux", "numpy": "2.3.1", "mltest": "0.1.0"}


def a_run(*results: Result, title: str = "Digits, deep net", subject: str = "rn.Model on digits, 1,797 rows") -> Run:
    return Run(results, title=title, subject=subject, environment=ENVIRONMENT, started="2026-11-24T17:00:00+00:00")


def a_result(check: str = "row_permutation", outcome: Outcome = "passed", **fields: object) -> Result:
    known: dict[str, object] = {"subject": "deep net on digits", "message": "A new order of rows changed nothing."}
    return Result(check=check, outcome=outcome, **(known | fields))  # type: ignore[arg-type]


def training_curves(epochs: int = 40) -> Curves:
    epoch = tuple(float(n) for n in range(1, epochs + 1))
    train = tuple(round(2.3 * math.exp(-n / 9) + 0.05, 5) for n in epoch)
    validation = tuple(round(2.3 * math.exp(-n / 9) + 0.12 + 0.006 * max(0.0, n - 14), 5) for n in epoch)
    return Curves(
        title="Loss by epoch",
        curves=(
            Curve(name="training", x=epoch, y=train),
            Curve(
                name="validation",
                x=epoch,
                y=validation,
                low=tuple(round(v * 0.9, 5) for v in validation),
                high=tuple(round(v * 1.1, 5) for v in validation),
            ),
        ),
        x_label="epoch",
        y_label="loss",
        markers=(Marker(x=14.0, text="validation turns"),),
        note="The band is the spread of 3 seeds.",
    )


def gradient_points(blocks: int = 24) -> Points:
    chance = random.Random(1)
    numeric = tuple(round(10 ** chance.uniform(-4, 0), 6) for _ in range(blocks))
    return Points(
        title="Back-propagation beside the numeric gradient",
        x=numeric,
        y=tuple(round(value * (2.0 if i % 5 == 0 else 1.0), 6) for i, value in enumerate(numeric)),
        error=tuple(round(value * 0.08, 7) for value in numeric),
        group=tuple("dense2" if i % 5 == 0 else "other layers" for i in range(blocks)),
        labels=tuple(f"block {i}" for i in range(blocks)),
        x_label="numeric",
        y_label="back-propagation",
        x_scale="log",
        y_scale="log",
        diagonal=True,
        highlighted=(0, 5),
    )


def heat_map(size: int = 12) -> Grid:
    return Grid(
        title="Difference in dense2.weight",
        values=tuple(tuple(round(math.sin(r / 3) * math.cos(c / 4), 4) for c in range(size)) for r in range(size)),
        x_label="output",
        y_label="input",
        value_label="relative difference",
        diverging=True,
    )


def histogram() -> Bars:
    edges = tuple(round(0.9 + 0.01 * n, 2) for n in range(11))
    return Bars(
        title="Accuracy over 60 settings",
        values=(1.0, 0.0, 2.0, 4.0, 5.0, 9.0, 14.0, 15.0, 8.0, 2.0),
        edges=edges,
        x_label="accuracy",
        y_label="settings",
    )


def importance() -> Bars:
    return Bars(
        title="What the accuracy hangs on",
        values=(0.61, 0.22, 0.09, 0.02),
        names=("learning_rate", "activation", "units", "l2"),
        low=(0.52, 0.15, 0.03, -0.02),
        high=(0.70, 0.30, 0.15, 0.05),
        y_label="share of the variance",
    )


def sweep_evidence(trials: int = 64) -> tuple[Evidence, ...]:
    chance = random.Random(2)
    activations = ("relu", "tanh", "sigmoid")
    rate = tuple(float(f"{10 ** chance.uniform(-4, -1):.3g}") for _ in range(trials))
    units = tuple(float(chance.choice((16, 32, 64, 128))) for _ in range(trials))
    activation = tuple(float(chance.randrange(3)) for _ in range(trials))
    score = tuple(
        round(0.975 - 0.03 * (math.log10(r) + 2) ** 2 - 0.02 * a + chance.gauss(0, 0.004), 5)
        for r, a in zip(rate, activation, strict=True)
    )
    best = sorted(range(trials), key=lambda i: -score[i])[: max(2, trials // 12)]
    shown = sorted({*best, *range(min(trials, 300 - len(best)))})
    return (
        Points(
            title="Accuracy by learning rate",
            x=rate,
            y=score,
            error=tuple(0.006 for _ in score),
            group=tuple(activations[int(a)] for a in activation),
            labels=tuple(f"trial {i}" for i in range(trials)),
            x_label="learning_rate",
            y_label="accuracy",
            x_scale="log",
            highlighted=tuple(best),
        ),
        Parallel(
            title="Every setting",
            axes=(
                Axis(name="learning_rate", values=tuple(rate[i] for i in shown), scale="log"),
                Axis(name="activation", values=tuple(activation[i] for i in shown), categories=activations),
                Axis(name="units", values=tuple(units[i] for i in shown)),
                Axis(name="accuracy", values=tuple(score[i] for i in shown)),
            ),
            highlighted=tuple(shown.index(i) for i in best),
        ),
        Table(
            title="The best set",
            columns=("trial", "learning_rate", "activation", "units", "accuracy"),
            rows=tuple((i, rate[i], activations[int(activation[i])], units[i], score[i]) for i in best),
        ),
    )


def trials_table(trials: int) -> Table:
    chance = random.Random(3)
    return Table(
        title="Every trial",
        columns=("trial", "learning_rate", "l2", "activation", "units", "epochs", "accuracy", "±"),
        rows=tuple(
            (
                i,
                float(f"{10 ** chance.uniform(-4, -1):.4g}"),
                float(f"{10 ** chance.uniform(-6, -2):.4g}"),
                chance.choice(("relu", "tanh")),
                chance.choice((16, 32, 64)),
                20,
                round(chance.uniform(0.8, 0.98), 4),
                0.0061,
            )
            for i in range(trials)
        ),
    )


def a_picture(size: int = 8, shift: int = 0) -> Image:
    rows = tuple(
        tuple(
            round(max(0.0, 1 - abs((x + shift - size / 2) ** 2 + (y - size / 2) ** 2 - size**2 / 9) / size), 3)
            for x in range(size)
        )
        for y in range(size)
    )
    return Image(caption="source" if not shift else "follow-up", planes=(rows,))


def network(broken: str = "dense2") -> Layers:
    names = ("dense1", "relu1", "dense2", "relu2", "dense3")
    layers = []
    for name in names:
        is_broken = name == broken
        dense = name.startswith("dense")
        layers.append(
            Layer(
                name=name,
                description="Dense 64 → 32" if dense else "ReLU",
                verdict="failed" if is_broken else ("passed" if dense else "unchecked"),
                message="The derivative of the activation is missing." if is_broken else "",
                parts=(
                    (f"{name}.weight", "failed" if is_broken else "passed", "no derivative" if is_broken else "agrees"),
                    (f"{name}.bias", "failed" if is_broken else "passed", "no derivative" if is_broken else "agrees"),
                )
                if dense
                else (),
                details=(heat_map(8),) if is_broken else (),
            )
        )
    return Layers(title="The network, from input to output", layers=tuple(layers))


def counterexample() -> Counterexample:
    source, shifted = a_picture(8), a_picture(8, shift=2)
    return Counterexample(
        title="The row that shows it best",
        columns=("income", "age", "gender"),
        source=(52_000.0, 41, "f"),
        follow_up=(52_000.0, 41, "m"),
        expected="the same score",
        got="0.31 for 0.62",
        row=17,
        code="import numpy as np\nx = np.load('holdout.npy')\nassert model(x[17]) == model(flip(x[17]))",
        images=(source, shifted),
    )


def failing_gradients() -> Result:
    return Result(
        check="gradients",
        subject="deep net on digits",
        outcome="failed",
        message="The derivative of the activation is missing in layer dense2: every gradient from there towards the "
        "input is 1.73 ± 0.02 times too large.",
        hint="Look first at the backward pass of relu2: it hands the gradient on without the mask of positive inputs.",
        location="dense2",
        causes=("missing_derivative", "constant_factor"),
        measures={"relative error": 0.7312, "blocks": 12.0},
        evidence=(network(), gradient_points(), heat_map()),
        repeat="mltest.check_gradients(model, x, y, seed=0)",
        source="mltest.toml:12",
        seconds=0.31,
    )


def realistic() -> Run:
    """Three findings, one undecided, one accepted, one that follows from another, and what passed."""
    power = (Power(what="an error in any block", smallest=1e-6, unit="relative", probability=0.999),)
    return a_run(
        a_result("determinism", message="Two calls with the same rows gave the same bits.", seconds=0.02),
        a_result("row_permutation", power=power, seconds=0.05, source="mltest.toml:20"),
        a_result(
            "gradients", subject="logistic regression on digits",
            message="Every one of 650 parameters agrees with its numeric gradient.",
            power=power, measures={"largest relative error": 3.1e-10}, evidence=(gradient_points(12),), seconds=0.2,
        ),
        failing_gradients(),
        a_result(
            "protected_attribute", "failed", subject="credit model on holdout.csv",
            message="Another gender changed the decision of 12.4 ± 1.1 % of rows; none may change.",
            hint="Look first at the column “title”, which the model can read the gender from.",
            location="gender", measures={"share of rows": 0.124}, evidence=(counterexample(),),
            repeat='mltest check mltest.toml --only protected_attribute --seed 0', source="mltest.toml:31",
        ),
        a_result(
            "serialization", "error", message="The model raised TypeError: cannot pickle 'generator' object.",
            hint="Look first at the attribute model.rng.",
            evidence=(Text(title="Traceback", text="Traceback (most recent call last):\n  File \"model.py\", line 3\n"
                           "TypeError: cannot pickle 'generator' object", language="traceback"),),
        ),
        a_result(
            "horizontal_flip", "failed", message="A mirrored image got another label in 71 % of rows.",
            accepted=Acceptance(reason="digits are not symmetric", by="risk team", until="2027-03-31"),
            evidence=(Images(title="Mirrored", images=(a_picture(8), a_picture(8, shift=1))),),
        ),
        a_result("overfitting", "inconclusive", message="The gap of 0.8 ± 1.2 points is within its error.",
                 evidence=(training_curves(),)),
        a_result("vanishing_gradient", "skipped", message="Follows from the missing derivative.", because="gradients"),
        a_result(
            "sweep", subject="64 settings, 3 seeds each", measures={"accuracy": 0.9741, "in the best set": 5.0},
            message="learning_rate=0.0098 with relu is best: 97.4 ± 0.6 % accuracy; 5 settings cannot be told from it.",
            evidence=(*sweep_evidence(), importance(), histogram()), seconds=21.0,
        ),
    )  # fmt: skip


def many_checks(count: int = 2_000, failing: int = 12) -> Run:
    """As a big suite makes them: short messages, few findings."""
    step = max(1, count // max(1, failing))
    return a_run(
        *(
            a_result(
                f"relation_{n % 40}",
                "failed" if n % step == step // 2 else "passed",
                subject=f"model {n // 40} on holdout.csv",
                message=f"{n % 7 + 1} of 1,000 rows changed their label when the order of rows was changed."
                if n % step == step // 2
                else "1,000 rows kept their label when the order of rows was changed.",
                repeat=f"mltest check mltest.toml --only relation_{n % 40} --seed {n}",
                seed=n,
                seconds=0.01,
                measures={"share of rows": 0.001 * (n % 7)},
            )
            for n in range(count)
        ),
        title="The whole suite",
    )


def thirty_checks() -> Run:
    """30 checks with 6 charts: what a page of ordinary size weighs."""
    charts = (training_curves(), gradient_points(200), heat_map(32), *sweep_evidence(64)[:2], importance())
    plain = many_checks(24, failing=2).results
    charted = tuple(
        a_result("sweep" if n % 2 else "gradients", subject=f"model {n}", evidence=(chart,), message="As it should be.")
        for n, chart in enumerate(charts)
    )
    return a_run(*plain, *charted)


def big_sweep(trials: int = 1_000) -> Run:
    """A sweep of many trials, with every trial in a table."""
    return a_run(
        a_result("sweep", subject=f"{trials} trials", message="learning_rate=0.01 is best.",
                 evidence=(*sweep_evidence(trials), trials_table(trials), histogram())),
        title="Sweep",
    )  # fmt: skip


HOSTILE = (
    '"><img src=x onerror="window.pwned=1">',
    "</script><script>window.pwned=1</script>",
    "</style><script>window.pwned=1</script>",
    "{{ 7 * 7 }}{% raw %}",
    "]]><!-- --><![CDATA[",
    "javascript:window.pwned=1",
    "' onmouseover='window.pwned=1",
    "bidi \u202egnp.exe\u202c \u2066end\u2069",
    "nul\x00 esc\x1b[31m bell\x07 del\x7f csi\x9b",
    "lone \ud800 and \udfff, \ufffe, \uffff",
    "line\nbreak\ttab\rreturn\u2028separator",
    "עברית عربى 漢字 🙂 e\u0301",
    "&amp; &lt; &#60;",
    "[red]rich[/red] %s %(n)s {name} {0}",
    "../../etc/passwd",
    "| pipe `code` *bold* @mention #1",
    "x" * 10_000,
    "",
)  # fmt: skip


def hostile(names: tuple[str, ...] = HOSTILE) -> Run:
    """Every name in every place."""
    outcomes: tuple[Outcome, ...] = ("failed", "error", "inconclusive", "passed", "skipped")
    return Run(
        tuple(
            Result(
                check=name, subject=name, outcome=outcomes[n % 5], message=name, hint=name, location=name,
                causes=(name, name), measures={name: math.nan, name + "2": 1e308}, because=name, repeat=name,
                source=f"{name}:3", power=(Power(what=name, smallest=math.inf, unit=name, probability=0.5),),
                accepted=Acceptance(reason=name, by=name, until=name) if n % 7 == 0 else None,
                evidence=every_kind(name), seed=n, seconds=-1.0,
            )
            for n, name in enumerate(names)
        ),
        title=names[0], subject=names[0], environment={name: name for name in names}, started=names[0],
    )  # fmt: skip


def every_kind(name: str) -> tuple[Evidence, ...]:
    """One piece of evidence of each kind, with this name wherever a name may stand, and numbers that are none."""
    odd = (1.0, math.nan, math.inf, -math.inf, 1e308, -1e308, 0.0)
    few = (0.0, 1.0, 2.0)
    return (
        Table(title=name, columns=(name, name), rows=((name, 1.5), (None, True)), note=name),
        Text(title=name, text=name, language=name),
        Curves(title=name, curves=(Curve(name=name, x=odd, y=odd, low=odd, high=odd), Curve(name=name, x=few, y=few)),
               x_label=name, y_label=name, markers=(Marker(x=1.0, text=name), Marker(x=math.nan, text=name))),
        Points(title=name, x=odd, y=odd, x_label=name, y_label=name, error=odd, group=(name,) * 7,
               labels=(name,) * 7, x_scale="log", y_scale="log", diagonal=True, highlighted=(0, 99)),
        Grid(title=name, values=(odd, odd), rows=(name, name), columns=(name,) * 7, x_label=name, y_label=name,
             value_label=name, diverging=True),
        Bars(title=name, values=odd, names=(name,) * 7, low=odd, high=odd, x_label=name, y_label=name),
        Parallel(title=name, axes=(Axis(name=name, values=odd), Axis(name=name, values=few, categories=(name, name))),
                 highlighted=(1, 99)),
        Images(title=name, images=(Image(caption=name, planes=((odd, odd),)), Image(caption=name, planes=()))),
        Layers(title=name, layers=(Layer(name=name, description=name, verdict="failed", message=name,
               parts=((name, "error", name),), details=(Text(title=name, text=name),)),)),
        Counterexample(title=name, columns=(name,), source=(name,), follow_up=(1.0,), expected=name, got=name,
                       code=name, images=(Image(caption=name, planes=((odd,), (odd,), (odd,))),), extra={name: name}),
    )  # fmt: skip
