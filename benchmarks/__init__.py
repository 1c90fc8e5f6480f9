"""Claims of speed and of truth, measured beside the peers in one run, as ratios."""
