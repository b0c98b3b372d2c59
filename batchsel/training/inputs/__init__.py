"""Training data in one form: arrays, padding, compatibility with the model."""
