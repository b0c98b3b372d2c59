"""Import of TensorFlow without its start-up messages."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CPU_DEVICES = "BATCHSEL_CPU_DEVICES"
"""Variable of the environment: the number of devices that TensorFlow is to make of the CPU, to try several."""
_ASKED = ("0", "1")
"""Levels that show information and warnings."""


_preloaded = False
"""True once `preload_tensorflow` has imported TensorFlow, until it is started."""


def import_tensorflow() -> None:
    """Import TensorFlow and look for devices, with the output of C++ to standard error set aside.

    These messages (of missing devices, of instructions that could be used) come before any log level is
    read. They are shown if the import fails, or if the user asks for them by TF_CPP_MIN_LOG_LEVEL=0 or 1.
    """
    global _preloaded
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") in _ASKED or ("tensorflow" in sys.modules and not _preloaded):
        return
    _preloaded = False
    with _standard_error_aside():
        import tensorflow as tf

        tf.config.list_physical_devices()
        divide_cpu()
        tf.add(tf.zeros([]), 1)


def preload_tensorflow() -> None:
    """Import TensorFlow and Keras and look for no devices, so that this process can be forked.

    A fork finds the devices of its own environment when it calls `import_tensorflow`. Once TensorFlow has looked for
    devices it has threads and, on a GPU, a context, which no fork can use.
    """
    global _preloaded
    if "tensorflow" in sys.modules:
        return
    with _standard_error_aside():
        import keras  # noqa: F401
        import tensorflow  # noqa: F401
    _preloaded = True


@contextmanager
def _standard_error_aside() -> Iterator[None]:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    outer = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(outer, 2)
            aside.seek(0)
            os.write(2, aside.read())
            raise
        finally:
            os.dup2(outer, 2)
            os.close(outer)


def divide_cpu() -> None:
    """Let TensorFlow see the CPU as several devices if the environment asks for that, unless it has started."""
    import tensorflow as tf

    count = os.environ.get(CPU_DEVICES, "")
    if not count.isdecimal() or int(count) < 2:
        return
    parts = [tf.config.LogicalDeviceConfiguration()] * int(count)
    with suppress(RuntimeError):
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], parts)
