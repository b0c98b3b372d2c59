"""The catalogue of augmentations."""
