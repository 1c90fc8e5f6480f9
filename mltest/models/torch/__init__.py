"""torch Modules under test, one file a capability."""
