"""Ctrl-C and kill -9: what is on disk is enough to go on as if nothing had happened."""

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
from problems import assert_same, classes, mlp, weights_of

from batchsel import Trainer
from batchsel.training.loop.evaluation import Evaluation

N, B = 50, 8
X, Y = classes(N)
SCRIPT = Path(__file__).parents[1].joinpath("helpers", "interrupted_run.py")


def process(path, pause):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(SCRIPT.parent), str(SCRIPT.parents[2])])}
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(path), str(pause)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )


def outcome(running):
    output, _ = running.communicate(timeout=120)
    return running.returncode, output.splitlines()[-1] if output else ""


def wait_for_news(path, running, seconds=90):
    """Returns when the checkpoint was written anew."""
    before = path.stat().st_mtime_ns if path.exists() else None
    for _ in range(seconds * 200):
        if path.exists() and path.stat().st_mtime_ns != before:
            return
        assert running.poll() is None, "the run ended before it could be interrupted"
        time.sleep(0.005)
    raise TimeoutError("no checkpoint was written")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    code, line = outcome(process(tmp_path_factory.mktemp("undisturbed") / "run.npz", 0))
    assert code == 0
    assert line.startswith("done 30 ")
    return line


@pytest.mark.slow
def test_killed_three_times_it_ends_as_if_undisturbed(undisturbed, tmp_path):
    path, moments = tmp_path / "run.npz", random.Random(3)
    for _ in range(3):
        running = process(path, 0.1)
        wait_for_news(path, running)
        time.sleep(moments.uniform(0, 0.5))
        running.kill()
        assert outcome(running) == (-signal.SIGKILL, "")
    assert outcome(process(path, 0)) == (0, undisturbed)


@pytest.mark.slow
def test_ctrl_c_saves_and_the_run_can_go_on(undisturbed, tmp_path):
    path = tmp_path / "run.npz"
    running = process(path, 0.1)
    wait_for_news(path, running)
    time.sleep(0.15)
    saved = path.stat().st_mtime_ns
    running.send_signal(signal.SIGINT)
    assert outcome(running) == (130, "interrupted")
    assert path.stat().st_mtime_ns > saved
    assert os.listdir(tmp_path) == ["run.npz"]
    assert outcome(process(path, 0)) == (0, undisturbed)


def presses_ctrl_c(epoch):
    def press(number, logs):
        if number == epoch:
            signal.raise_signal(signal.SIGINT)

    return keras.callbacks.LambdaCallback(on_epoch_end=press)


def test_ctrl_c_waits_for_the_call_under_way_and_leaves_the_handler(tmp_path):
    trainer, handler = Trainer(mlp(), batch_size=B, compile="graph"), signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(X, Y, epochs=9, callbacks=[presses_ctrl_c(1)], checkpoint=tmp_path / "run.npz", verbose=0)
    assert signal.getsignal(signal.SIGINT) is handler
    assert trainer.counts["samples"] == 2 * N
    again, whole = (Trainer(mlp(), batch_size=B, compile="graph") for _ in range(2))
    again.resume(tmp_path / "run.npz")
    history = again.fit(X, Y, epochs=3, verbose=0).history
    assert history == whole.fit(X, Y, epochs=3, verbose=0).history
    assert_same(weights_of(again.model), weights_of(whole.model))


def test_ctrl_c_without_a_checkpoint_interrupts_too():
    trainer = Trainer(mlp(), batch_size=B, compile="graph")
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(X, Y, epochs=9, callbacks=[presses_ctrl_c(0)], verbose=0)
    assert trainer.counts["samples"] == N


def test_a_second_ctrl_c_does_not_wait(tmp_path):
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
        trainer.fit(X, Y, epochs=2, callbacks=[presses_ctrl_c(1)], verbose=0)


def test_an_interrupted_warm_up_leaves_the_weights_alone(monkeypatch):
    def interrupted(self, data):
        raise KeyboardInterrupt

    trainer = Trainer(mlp(), batch_size=B, compile="graph")
    before = weights_of(trainer.model)
    monkeypatch.setattr(Evaluation, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(X, Y, validation_data=(X, Y), verbose=0)
    assert_same(weights_of(trainer.model), before)


def test_training_in_another_thread():
    results = []

    def work():
        results.append(Trainer(mlp(), batch_size=B, compile="graph").fit(X, Y, verbose=0).history)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert results == [Trainer(mlp(), batch_size=B, compile="graph").fit(X, Y, verbose=0).history]
