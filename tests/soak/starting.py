"""Start pieces of work as processes, without waiting seconds for each to import TensorFlow."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path


class Child:
    """Process of a piece of work, with the file of its error output."""

    def __init__(self, pid: int, output: Path) -> None:
        self._pid = pid
        self._output = output

    def kill_after(self, seconds: float) -> bool:
        """Kill the process group after some seconds.

        Args:
            seconds: Time to wait.

        Returns:
            False if the process had ended by itself before.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if os.waitpid(self._pid, os.WNOHANG)[0]:
                return False
            time.sleep(min(0.005, max(0.0, deadline - time.monotonic())))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)
        return os.WIFSIGNALED(os.waitpid(self._pid, 0)[1])

    def wait(self, timeout: float) -> int:
        """Return the exit code; that of a process that does not end in time is -9.

        Args:
            timeout: Seconds after which the process is killed.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.005)
        os.killpg(self._pid, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    def errors(self) -> str:
        """Return what the process wrote."""
        return self._output.read_text("utf-8", "replace")


class Zygote:
    """This process, in which everything is imported and nothing of TensorFlow is used yet, so that it can be forked."""

    def __init__(self) -> None:
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
        from tensorflow.python.eager import context

        import batchsel.cli.commands.experiment
        import batchsel.cli.commands.run
        import batchsel.experiments.run.runner
        import batchsel.models.building  # noqa: F401

        assert context.context_safe() is None, "TensorFlow is in use; a forked process would hang."

    def start(self, work: Callable[[], None], folder: Path) -> Child:
        """Start a piece of work in a process and process group of its own.

        Args:
            work: The work; what it raises ends the process with code 70.
            folder: Its working folder.
        """
        output = folder.parent / f"{folder.name}.output"
        pid = os.fork()
        if pid:
            with contextlib.suppress(OSError):
                os.setpgid(pid, pid)
            return Child(pid, output)
        code = 70
        try:
            os.setpgid(0, 0)
            os.chdir(folder)
            descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
            work()
            code = 0
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
