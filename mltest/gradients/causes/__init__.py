"""What a wrong gradient looks like: one small test a cause, each said once."""
