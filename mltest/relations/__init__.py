"""Relations: what must stay the same, or change in a known way, when the input or the training data change."""
