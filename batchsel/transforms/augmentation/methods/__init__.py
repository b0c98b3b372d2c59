"""The catalog of augmentations."""
