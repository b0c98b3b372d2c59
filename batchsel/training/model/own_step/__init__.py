"""Models that are trained by a step of Keras or of their own, since the loss of a single sample is unknown."""
