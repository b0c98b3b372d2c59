"""Executor of a fresh process for each call, which outlives the death of any of them and leaves none behind."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Executor, Future
from multiprocessing.connection import Connection, wait
from typing import Any

from batchsel.core.locking import gpus
from batchsel.core.tf_support.tf_import import import_tensorflow
from batchsel.experiments.compare.grouped_queue import GroupedQueue

_ATTEMPTS = 2
"""Processes that a call gets: one that dies may have been killed for what another did, so the call is tried again."""
_GRACE = 20.0
"""Seconds that processes have to end by themselves after an interruption."""
_PRELOADED = "batchsel.core.tf_support.preloaded"
"""Module that the process from which others are forked imports."""


class ProcessDied(RuntimeError):
    """A process ended without a result: killed for its memory, by a signal, or by the code that it ran."""


class FreshProcesses(Executor):
    """Executor that starts a process for each call, several at a time.

    Unlike the standard library's pool, it knows whose process died: that call alone is tried again, once, and then
    fails with `ProcessDied`; all others go on. A process ends as soon as its parent has ended.

    Args:
        jobs: Processes at a time.
        environments: Environment variables of the processes at each of the `jobs` places, such as the GPU that they
            use; empty if all places are alike.
    """

    def __init__(self, jobs: int, environments: Sequence[Mapping[str, str]] = ()) -> None:
        self._context = _context(on_gpus=bool(environments) and gpus.SIMULATED not in os.environ)
        self._waiting: GroupedQueue[tuple[Future[Any], bytes]] = GroupedQueue()
        self._closed = self._interrupted = False
        self._places_differ = bool(environments)
        self._threads = [
            threading.Thread(target=self._work, args=(place, dict(environment)), daemon=True)
            for place, environment in enumerate(environments or [{}] * jobs)
        ]
        self._processes: set[Any] = set()
        self._lock = threading.Lock()
        for thread in self._threads:
            thread.start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Queue a call and return its future.

        Args:
            fn: A function that can be pickled, like its arguments and its result.
            *args: Arguments.
            **kwargs: Arguments by name.

        Raises:
            RuntimeError: If the executor was shut down.
        """
        return self.submit_in_group(None, fn, *args, **kwargs)

    def submit_in_group(self, group: Hashable, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Queue a call that takes place where the other calls of its group do, if places differ; return its future.

        Args:
            group: The group; None for none.
            fn: As for `submit`.
            *args: Arguments.
            **kwargs: Arguments by name.

        Raises:
            RuntimeError: If the executor was shut down.
        """
        if self._closed:
            raise RuntimeError("this executor was shut down")
        future: Future[Any] = Future()
        self._waiting.put((future, pickle.dumps((fn, args, kwargs))), group if self._places_differ else None)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the executor once the calls that were submitted are done.

        Args:
            wait: Whether to wait for them.
            cancel_futures: Whether to drop the calls that are waiting.
        """
        self._closed = True
        if cancel_futures:
            for future, _ in self._waiting.clear():
                future.cancel()
        self._waiting.close()
        if wait:
            for thread in self._threads:
                thread.join()

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        """Shut down; after an error or an interruption drop what is waiting and end the processes under way."""
        if kind is None:
            self.shutdown()
            return
        self._interrupted = True
        self.shutdown(wait=False, cancel_futures=True)
        for process in tuple(self._processes):  # Ctrl-C reaches them too, other signals do not
            with contextlib.suppress(OSError, ValueError, AttributeError):
                process.terminate()
        for thread in self._threads:
            thread.join(_GRACE / len(self._threads))
        for process in tuple(self._processes):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                process.kill()

    def _work(self, place: int, environment: dict[str, str]) -> None:
        while (item := self._waiting.get(place)) is not None:
            future, call = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(self._call(call, environment))
            except BaseException as error:  # whatever the call raised is that of the future
                future.set_exception(error)

    def _call(self, call: bytes, environment: dict[str, str]) -> Any:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._call_once(call, environment)
            except ProcessDied as error:
                if attempt == _ATTEMPTS:
                    raise ProcessDied(f"{error}, and so it was when it was tried again") from None
                if self._interrupted:
                    raise
        raise AssertionError("unreachable")

    def _call_once(self, call: bytes, environment: dict[str, str]) -> Any:
        receiver, sender = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_run, args=(sender, call, {**os.environ, **environment}))
        with self._lock:
            self._processes.add(process)
            process.start()
        try:
            sender.close()
            answer = _receive(receiver, process)
            wait([process.sentinel])
        finally:
            receiver.close()
            with self._lock:  # the standard library looks after children of one thread at a time
                process.join()
                self._processes.discard(process)
        if answer is None:
            raise ProcessDied(_describe_end(process.exitcode))
        succeeded, value = answer
        if succeeded:
            return value
        raise value


def _context(on_gpus: bool) -> Any:
    """Return the way processes start: on Linux forked from one that has imported TensorFlow, which takes seconds.

    Those that have a GPU each are started anew. A library of CUDA that is loaded before the fork is said to do no harm
    as long as nobody has called it; that was never tried here.
    """
    if sys.platform != "linux" or on_gpus:
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([_PRELOADED])
    return context


def _receive(receiver: Connection, process: Any) -> tuple[bool, Any] | None:
    """Return what a process sends, or None if it ends without."""
    with contextlib.suppress(EOFError, OSError, pickle.UnpicklingError):
        wait([receiver, process.sentinel])
        if receiver.poll():
            return receiver.recv()
    return None


def _describe_end(code: int | None) -> str:
    if code is None or code >= 0:
        return f"its process ended with exit code {code}"
    known = {item.value: item.name for item in signal.Signals}
    hint = " (the system does so where memory runs out)" if code == -9 else ""
    return f"its process was killed by {known.get(-code, f'signal {-code}')}{hint}"


def _run(sender: Connection, call: bytes, environment: dict[str, str]) -> None:
    """Run a call in this process, which is a new one, and send its result."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # First of all: TensorFlow finds its devices by them. A fork has those that there were when the first process began.
    os.environ.clear()
    os.environ.update(environment)
    try:
        import_tensorflow()  # before the call is read, which would import it with all of its messages
        function, args, kwargs = pickle.loads(call)
        answer = (True, function(*args, **kwargs))
    except BaseException as error:  # an interruption too: it is that of the call
        answer = (False, error)
    try:
        sender.send(answer)
    except Exception as error:
        sender.send((False, RuntimeError(f"the result cannot be sent to the parent process: {error}")))


def _end_with_parent() -> None:
    """End this process at once when its parent has ended: nobody waits for its result, and it may be run again."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
