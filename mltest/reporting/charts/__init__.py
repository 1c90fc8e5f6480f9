"""From evidence to what is drawn: where each mark stands, worked out in Python. The templates only place it."""
