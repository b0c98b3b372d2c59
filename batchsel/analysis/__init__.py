"""Analysis: pictures and reports out of records. Needs no TensorFlow."""
