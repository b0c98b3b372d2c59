"""Cheaper models that score pools in place of the model: a narrower copy, or its first layers with a head."""
