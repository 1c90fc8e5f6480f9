"""scikit-learn estimators under test, one file a capability."""
