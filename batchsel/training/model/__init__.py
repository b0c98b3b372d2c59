"""The compiled model: per-sample losses, metrics, signals."""
