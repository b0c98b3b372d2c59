"""Changes of the samples of a batch on their way into a training step."""
