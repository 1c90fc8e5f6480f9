"""Models under test: what a model can do, and one adapter a framework. Nothing is imported until it is needed."""
