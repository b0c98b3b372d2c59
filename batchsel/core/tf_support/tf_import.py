"""Import of TensorFlow without its start-up messages."""

from __future__ import annotations

import os
import sys
import tempfile

_ASKED = ("0", "1")
"""Levels that show information and warnings."""


def import_tensorflow() -> None:
    """Import TensorFlow and look for devices, with the output of C++ to standard error set aside.

    These messages (of missing devices, of instructions that could be used) come before any log level is
    read. They are shown if the import fails, or if the user asks for them by TF_CPP_MIN_LOG_LEVEL=0 or 1.
    """
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") in _ASKED or "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    outer = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            import tensorflow as tf

            tf.config.list_physical_devices()
            tf.add(tf.zeros([]), 1)
        except BaseException:
            os.dup2(outer, 2)
            aside.seek(0)
            os.write(2, aside.read())
            raise
        finally:
            os.dup2(outer, 2)
            os.close(outer)
