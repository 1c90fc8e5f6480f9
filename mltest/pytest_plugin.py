"""The pytest plugin: a thin door that reads options, calls verbs and records results."""
