"""Transforms of training batches: augmentations, and curricula, which depend on time."""
