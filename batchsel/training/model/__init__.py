"""The compiled model: loss of each sample, metrics, signals."""
