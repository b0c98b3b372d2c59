"""Import of TensorFlow by a process that others are forked from, which then begin seconds sooner."""

from batchsel.core.tf_support.tf_import import preload_tensorflow

preload_tensorflow()
