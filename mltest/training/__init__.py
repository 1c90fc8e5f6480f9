"""Training: what is wrong with this training run, where, and what to do."""
