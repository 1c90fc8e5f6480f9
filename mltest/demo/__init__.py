"""`make demo`: the main job on real data, from four trained networks to one report."""

from mltest.demo.tour import main

__all__ = ["main"]
