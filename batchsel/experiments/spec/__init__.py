"""Settings of a run. Needs no TensorFlow."""
