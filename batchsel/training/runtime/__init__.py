"""Clock, devices and the import of TensorFlow."""
