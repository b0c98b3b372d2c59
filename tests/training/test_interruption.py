"""Ctrl-C and kill -9: a run that resumes from its checkpoint ends like an uninterrupted one."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import keras
import pytest
from problems import assert_same, classes, mlp, variable_values

from batchsel import Trainer
from batchsel.training import checkpoint
from batchsel.training.loop.evaluation import Evaluation

N, B = 50, 8
X, Y = classes(N)
SCRIPT = Path(__file__).parents[1].joinpath("helpers", "interrupted_run.py")


def start_process(path, pause):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(SCRIPT.parent), str(SCRIPT.parents[2])])}
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(path), str(pause)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )


def wait_for_exit(running):
    output, _ = running.communicate(timeout=120)
    return running.returncode, output.splitlines()[-1] if output else ""


def wait_for_checkpoint(path, running, seconds=90):
    """Wait until the checkpoint is written again."""
    before = path.stat().st_mtime_ns if path.exists() else None
    for _ in range(seconds * 200):
        if path.exists() and path.stat().st_mtime_ns != before:
            return
        assert running.poll() is None, "the run ended before it could be interrupted"
        time.sleep(0.005)
    raise TimeoutError("no checkpoint was written")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    code, line = wait_for_exit(start_process(tmp_path_factory.mktemp("uninterrupted") / "run.npz", 0))
    assert code == 0
    assert line.startswith("done 30 ")
    return line


@pytest.mark.slow
def test_a_run_killed_three_times_ends_like_an_uninterrupted_one(uninterrupted, tmp_path):
    path, generator = tmp_path / "run.npz", random.Random(3)
    for _ in range(3):
        running = start_process(path, 0.1)
        wait_for_checkpoint(path, running)
        time.sleep(generator.uniform(0, 0.5))
        running.kill()
        assert wait_for_exit(running) == (-signal.SIGKILL, "")
    assert wait_for_exit(start_process(path, 0)) == (0, uninterrupted)


@pytest.mark.slow
def test_ctrl_c_saves_a_checkpoint_that_resumes_to_the_same_end(uninterrupted, tmp_path):
    path = tmp_path / "run.npz"
    running = start_process(path, 0.1)
    wait_for_checkpoint(path, running)
    time.sleep(0.15)
    saved = path.stat().st_mtime_ns
    running.send_signal(signal.SIGINT)
    assert wait_for_exit(running) == (130, "interrupted")
    assert path.stat().st_mtime_ns > saved
    assert os.listdir(tmp_path) == ["run.npz"]
    assert wait_for_exit(start_process(path, 0)) == (0, uninterrupted)


def press_ctrl_c_after(epoch):
    def press(number, logs):
        if number == epoch:
            signal.raise_signal(signal.SIGINT)

    return keras.callbacks.LambdaCallback(on_epoch_end=press)


def test_ctrl_c_waits_for_the_call_under_way_and_restores_the_handler(tmp_path):
    trainer, handler = Trainer(mlp(), batch_size=B, compile="graph"), signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(X, Y, epochs=9, callbacks=[press_ctrl_c_after(1)], checkpoint=tmp_path / "run.npz", verbose=0)
    assert signal.getsignal(signal.SIGINT) is handler
    assert trainer.counts["samples"] == 2 * N
    again, whole = (Trainer(mlp(), batch_size=B, compile="graph") for _ in range(2))
    again.resume(tmp_path / "run.npz")
    history = again.fit(X, Y, epochs=3, verbose=0).history
    assert history == whole.fit(X, Y, epochs=3, verbose=0).history
    assert_same(variable_values(again.model), variable_values(whole.model))


def test_ctrl_c_without_a_checkpoint_interrupts_too():
    trainer = Trainer(mlp(), batch_size=B, compile="graph")
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(X, Y, epochs=9, callbacks=[press_ctrl_c_after(0)], verbose=0)
    assert trainer.counts["samples"] == N


def test_a_second_ctrl_c_interrupts_at_once(tmp_path):
    def press(epoch, logs):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    trainer, handler = Trainer(mlp(), batch_size=B, compile="graph"), signal.getsignal(signal.SIGINT)
    impatient = keras.callbacks.LambdaCallback(on_epoch_end=press)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(X, Y, epochs=9, callbacks=[impatient], checkpoint=tmp_path / "run.npz", verbose=0)
    assert not list(tmp_path.iterdir())
    assert signal.getsignal(signal.SIGINT) is handler


def test_ctrl_c_in_the_last_epoch_is_not_swallowed():
    trainer = Trainer(mlp(), batch_size=B, compile="graph")
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(X, Y, epochs=2, callbacks=[press_ctrl_c_after(1)], verbose=0)


def test_an_interrupted_warm_up_leaves_the_weights_unchanged(monkeypatch):
    def interrupted(self, data):
        raise KeyboardInterrupt

    trainer = Trainer(mlp(), batch_size=B, compile="graph")
    before = variable_values(trainer.model)
    monkeypatch.setattr(Evaluation, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(X, Y, validation_data=(X, Y), verbose=0)
    assert_same(variable_values(trainer.model), before)


def test_training_in_another_thread_returns_the_same_history():
    results = []

    def work():
        results.append(Trainer(mlp(), batch_size=B, compile="graph").fit(X, Y, verbose=0).history)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert results == [Trainer(mlp(), batch_size=B, compile="graph").fit(X, Y, verbose=0).history]


def fit_with_handler(number, handle, tmp_path):
    """Train for three passes, with a handler for a signal that comes twice in a row after the first."""

    def send(epoch, logs):
        if epoch == 1:
            signal.raise_signal(number)
            signal.raise_signal(number)

    trainer = Trainer(mlp(), batch_size=B, compile="graph")
    before = signal.signal(number, handle)
    try:
        callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=send)]
        trainer.fit(X, Y, epochs=3, callbacks=callbacks, checkpoint=tmp_path / "run.npz", verbose=0)
        assert signal.getsignal(number) is handle
    finally:
        signal.signal(number, before)
    return trainer


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2])
def test_other_signals_are_handled_once_everything_is_saved(number, tmp_path):
    def leave(number, frame):
        saved.append(len(checkpoint.read(tmp_path / "run.npz").meta["progress"]["history"]["loss"]))
        raise SystemExit(7)

    saved = []
    with pytest.raises(SystemExit):
        fit_with_handler(number, leave, tmp_path)
    assert saved == [2]


def test_a_run_goes_on_after_a_handler_that_returns(tmp_path):
    handled = []
    trainer = fit_with_handler(signal.SIGUSR1, lambda number, frame: handled.append(number), tmp_path)
    assert handled == [signal.SIGUSR1]
    assert trainer.counts["samples"] == 3 * N
