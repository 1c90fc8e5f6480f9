"""Gradients: back-propagation against numeric derivatives, layer by layer."""
