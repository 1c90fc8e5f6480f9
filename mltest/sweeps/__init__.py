"""Sweeps: which hyperparameter values give the highest accuracy, and whether the difference is real."""
