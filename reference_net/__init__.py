"""A deep network in plain NumPy, readable enough to learn from and right enough to be the oracle for other models."""
