"""All symptoms, in the order in which they are judged."""

from __future__ import annotations

from mltest.training.symptom import Symptom
from mltest.training.symptoms import data, ending, gradients, losses, modes, numbers, statistics, structure

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
    data.ShuffledLabels(),
    data.Preprocessing(),
    data.Unshuffled(),
    data.Leakage(),
    data.LabelShift(),
    # of the run
    numbers.NotFinite(),
    statistics.InputScale(),
    statistics.TargetScale(),
    statistics.Initialisation(),
    statistics.DeadUnits(),
    statistics.Saturation(),
    statistics.VanishingGradient(),
    statistics.ExplodingGradient(),
    statistics.GradientScale(),
    statistics.RateHigh(),
    statistics.RateLow(),
    statistics.Regularisation(),
    statistics.Capacity(),
    ending.ClassNeverPredicted(),
    ending.Overfit(),
    ending.Learning(),
)
