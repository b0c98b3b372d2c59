"""Import of TensorFlow by a process that others are forked from, which then begin seconds sooner."""

import contextlib
import signal

from batchsel.core.tf_support.tf_import import preload_tensorflow

# Ctrl-C is for the process that started this one; forks get the handler back.
_handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
with contextlib.suppress(Exception):  # the forks try again, and say it
    preload_tensorflow()
signal.signal(signal.SIGINT, _handler)
