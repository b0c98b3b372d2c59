"""Speed of the loop beside what users would use in its place: forms of `model.fit`, and PyTorch, in two precisions.

Every peer trains in a process of its own, which holds one framework and one thread pool. The processes wait, and are
timed in turn, round after round, so that a machine whose speed drifts slows all of them.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from batchsel.benchmarks.tasks import TASKS, Task

PEERS: Mapping[str, tuple[str, str, dict[str, int]]] = {
    "model.fit": ("keras", "float32", {}),
    "model.fit, 32 steps per execution": ("keras", "float32", {"steps_per_execution": 32}),
    "model.fit, 32 of them unrolled": ("keras", "float32", {"steps_per_execution": 32, "unrolled": 32}),
    "random": ("batchsel", "float32", {}),
    "loss_ema": ("batchsel", "float32", {}),
    "PyTorch, DataLoader": ("torch", "float32", {"loader": 1}),
    "PyTorch, indexed tensors": ("torch", "float32", {}),
    "PyTorch, indexed, channels last": ("torch", "float32", {"channels_last": 1}),
    "model.fit, bf16": ("keras", "bfloat16", {}),
    "random, bf16": ("batchsel", "bfloat16", {}),
    "PyTorch, indexed, bf16": ("torch", "bfloat16", {"channels_last": 1}),
}
"""Framework, precision and options of each peer."""
_READY = "ready"


def available() -> list[str]:
    """Return the names of the peers that can run here: those of PyTorch where it is installed."""
    has_torch = importlib.util.find_spec("torch") is not None
    return [name for name, (framework, _, _) in PEERS.items() if framework != "torch" or has_torch]


def compare(
    task: str, rounds: int, quick: bool = False, on_progress: Callable[[str], None] | None = None
) -> dict[str, list[float]]:
    """Time all peers on a task.

    Args:
        task: "mlp", "cnn" or "lstm".
        rounds: Number of timed calls of each peer, after one that compiles it.
        quick: Whether to train on few samples.
        on_progress: Called with a line before each step, or None.

    Returns:
        Microseconds for each step, in each round, by peer.
    """
    on_progress = on_progress or (lambda line: None)
    workers: dict[str, subprocess.Popen[str]] = {}
    try:
        for name in available():
            on_progress(f"{task}: compiling {name}")
            words = [sys.executable, "-m", __name__, task, name, *(["quick"] if quick else [])]
            workers[name] = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            _answer(workers[name], name)
        seconds: dict[str, list[float]] = {name: [] for name in workers}
        for number in range(rounds):
            on_progress(f"{task}: round {number + 1} of {rounds}")
            for name, worker in workers.items():
                assert worker.stdin is not None
                print(file=worker.stdin, flush=True)
                seconds[name].append(float(_answer(worker, name)))
        return seconds
    finally:
        for worker in workers.values():
            worker.kill()
            worker.communicate()  # which closes its pipes


def _answer(worker: subprocess.Popen[str], name: str) -> str:
    """Return the next answer of a worker; frameworks print other lines."""
    assert worker.stdout is not None
    for line in worker.stdout:
        if line.startswith(_READY):
            return line.removeprefix(_READY).strip()
    raise RuntimeError(f"the benchmark of {name} ended with exit code {worker.wait()}.")


def work(task: str, peer: str, quick: bool) -> None:
    """Train once to compile, then once for each line of standard input, and print the microseconds for each step."""
    framework, precision, options = PEERS[peer]
    stated = TASKS[task].quick() if quick else TASKS[task]
    if framework == "torch":
        from batchsel.benchmarks.torch_peer import build

        call = build(stated, precision, options)
    else:
        call = _build_keras(stated, peer, framework, precision, options)
    call()
    print(_READY, flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        call()
        print(_READY, (time.perf_counter() - start) / stated.steps * 1e6, flush=True)


def _build_keras(
    task: Task, peer: str, framework: str, precision: str, options: Mapping[str, int]
) -> Callable[[], Any]:
    from batchsel.core.tf_support.tf_import import import_tensorflow

    import_tensorflow()
    import keras

    from batchsel.benchmarks.loop import build_compiled
    from batchsel.training.fit_model import fit

    if precision != "float32":
        keras.config.set_dtype_policy(f"mixed_{precision}")
    x, y = task.data(task.n)
    model = build_compiled(task, steps_per_execution=options.get("steps_per_execution", 1))
    if "unrolled" in options:
        model.unrolled_steps_per_execution = options["unrolled"]
    common: dict[str, Any] = {"batch_size": task.batch_size, "epochs": task.passes, "verbose": 0}
    if framework == "keras":
        return lambda: model.fit(x, y, **common)
    selector = peer.partition(",")[0]
    return lambda: fit(model, x, y, selector=selector, **common)


if __name__ == "__main__":
    work(sys.argv[1], sys.argv[2], "quick" in sys.argv[3:])
