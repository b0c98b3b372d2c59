"""A process that stood still: found when it was stopped on the clock, and not in long calls or on a busy machine."""

import os
import signal
import subprocess
import sys
import threading
import time

import keras
import pytest
from problems import classes, mlp

from batchsel import Trainer
from batchsel.cli.support.summary import summarize
from batchsel.experiments.run import runner
from batchsel.experiments.run.runner import RunContext, run
from batchsel.experiments.spec.run_spec import RunSpec
from batchsel.training.runtime import stalls
from batchsel.training.runtime.clock import Clock
from batchsel.training.runtime.stalls import StallMonitor

WATCHING = """
import sys, time
from batchsel.training.runtime.stalls import StallMonitor
with StallMonitor() as monitor:
    start = time.perf_counter()
    print("ready", flush=True)
    if sys.argv[1] == "waiting":
        time.sleep(3)
    else:
        while time.perf_counter() < start + 3:
            pass
    print(*monitor.stalls(start, time.perf_counter()))
"""


def stop_later(process_id, after, seconds):
    """Stop a process, from another one."""
    return subprocess.Popen(
        ["sh", "-c", f"sleep {after}; kill -STOP {process_id}; sleep {seconds}; kill -CONT {process_id}"]
    )


@pytest.mark.parametrize("work", ["waiting", "computing"])
def test_a_stopped_process_finds_how_long_it_stood_still(work):
    watching = subprocess.Popen([sys.executable, "-c", WATCHING, work], stdout=subprocess.PIPE, text=True)
    assert watching.stdout.readline() == "ready\n"
    watching.send_signal(signal.SIGSTOP)
    start = time.perf_counter()
    time.sleep(1.6)
    stopped = time.perf_counter() - start
    watching.send_signal(signal.SIGCONT)
    (found,) = map(float, watching.communicate()[0].split())
    assert abs(found - stopped) < 0.3


def test_training_that_is_stopped_counts_the_seconds_it_stood_still():
    class Stop(keras.callbacks.Callback):
        patient = True

        def on_train_begin(self, logs=None):
            self.stopping = stop_later(os.getpid(), 0.5, 1.5)

    x, y = classes(50)
    trainer, stop = Trainer(mlp(), batch_size=8, compile="graph"), Stop()
    trainer.fit(x, y, epochs=1e7, evaluate_every=1e7, seconds=4, callbacks=[stop], verbose=0)
    assert stop.stopping.wait() == 0
    (found,) = trainer.clock.stalls
    assert 1.2 < found < 2.5
    trainer.fit(x, y, epochs=2, verbose=0)
    assert trainer.clock.stalls == []


def hold_the_interpreter():
    time.sleep(0.2)
    sum(range(150_000_000))  # one call in C, in which no other thread runs


@pytest.mark.parametrize("work", [hold_the_interpreter, lambda: time.sleep(1.5)])
def test_long_calls_are_no_stalls(work):
    clock = Clock()
    thread = threading.Thread(target=work)
    with clock.watch_stalls():
        thread.start()
        with clock.section("training"):
            thread.join()
    assert clock.training > 1
    assert clock.stalls == []


@pytest.mark.parametrize(
    ("cpu", "reads", "expected"),
    [(0.1, 3, [5.0]), (2.6, 0, []), (0.1, 100, [])],
    ids=["stopped", "computing", "reading"],
)
def test_a_gap_counts_unless_the_process_computed_or_read(monkeypatch, cpu, reads, expected):
    samples = iter([(0, 0, 0), (0, 0, 0), (5.1, cpu, reads)])
    monkeypatch.setattr(stalls, "_sample", lambda: stalls._Sample(*next(samples)))
    monitor = StallMonitor()
    monitor._look()
    assert monitor.stalls(0, 5.1) == pytest.approx(expected)


def test_gaps_off_the_clock_do_not_count(monkeypatch):
    samples = iter([(0, 0, 0), (9, 0, 0), (9, 0, 0), (9, 0, 0)])
    monkeypatch.setattr(stalls, "_sample", lambda: stalls._Sample(*next(samples)))
    monitor = StallMonitor()
    assert monitor.stalls(8.5, 9) == []  # half a second of training after it
    assert monitor.stalls(6, 9) == [3]


def test_record_and_summary_say_that_a_run_stood_still(tmp_path, monkeypatch):
    class Stalled(keras.callbacks.Callback):
        def set_trainer(self, trainer):
            self.clock = trainer.clock

        def on_epoch_end(self, epoch, logs=None):
            self.clock.stalls += [2.0] * (epoch < 2)

    spec = RunSpec("iris", "mlp(hidden=[4])", "random", 10, "sgd", 0.01, "constant", "3 passes", "loss<=0.001",
                   evaluations=3, compile="graph")  # fmt: skip
    plain = run(spec, RunContext(tmp_path / "plain"))
    assert "stalls" not in plain
    assert "stood still" not in "\n".join(summarize(plain))
    monkeypatch.setattr(runner.Diagnostics, "callbacks", [Stalled()])
    record = run(spec, RunContext(tmp_path))
    assert record["stalls"] == {"count": 2, "seconds": 4.0}
    assert "stood still 2 times, 4 s of these" in "\n".join(summarize(record))


def test_a_checkpoint_keeps_the_stalls_before_it(tmp_path):
    x, y = classes(50)
    trainer, again = (Trainer(mlp(), batch_size=8, compile="graph") for _ in range(2))
    trainer.fit(x, y, verbose=0)
    trainer.clock.stalls.append(3.0)
    trainer.save(tmp_path / "run.npz")
    again.resume(tmp_path / "run.npz")
    again.fit(x, y, epochs=2, verbose=0)
    assert again.clock.stalls == [3.0]
