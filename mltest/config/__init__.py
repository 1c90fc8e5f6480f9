"""What a tester writes without code: `mltest.toml`, or `[tool.mltest]` in `pyproject.toml`."""
