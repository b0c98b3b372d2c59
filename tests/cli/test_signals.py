"""SIGTERM and SIGHUP end a command as Ctrl-C does: a checkpoint, a line that says how to go on, 128 and the signal."""

import re
import signal

import keras
import pytest

from batchsel.cli.support.signals import raise_on_termination
from batchsel.experiments.run import records, runner

SHORT = ["--dataset", "iris", "--budget", "4", "--evaluations", "4", "--target", "loss<=0.001"]


def send(number, when=1):
    """Return a callback that sends a signal after so many more evaluations."""
    seen = []

    def end(epoch, logs):
        seen.append(epoch)
        if len(seen) == when + 1:
            signal.raise_signal(number)

    return keras.callbacks.LambdaCallback(on_epoch_end=end)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_run_writes_a_checkpoint_says_how_to_resume_and_exits(command, monkeypatch, tmp_path, number):
    with monkeypatch.context() as patched:
        patched.setattr(runner.Diagnostics, "callbacks", [send(number)])
        result = command("run", *SHORT)
    assert result.code == 128 + number
    folder = re.search(r"interrupted; resume with: batchsel run --resume (\S+)", result.err)[1]
    assert signal.getsignal(number) is signal.SIG_DFL
    assert command("run", "--resume", folder).code == 3
    (record,) = records.read(tmp_path / "runs").runs
    assert len(record["evaluations"]) == 4


def test_compare_keeps_finished_runs_and_says_how_to_go_on(command, monkeypatch, tmp_path):
    words = ["compare", *SHORT, "--selector", "loss_ema", "--seeds", "1", "--no-controls", "--out", "here"]
    with monkeypatch.context() as patched:
        patched.setattr(runner.Diagnostics, "callbacks", [send(signal.SIGTERM, when=5)])
        result = command(*words)
    assert result.code == 143
    assert (
        f"finished runs stay recorded. Go on with: batchsel {' '.join(words)}".replace("loss<", "'loss<").replace(
            "0.001", "0.001'"
        )
        in result.err
    )
    assert len(records.read(tmp_path / "here").runs) == 1
    assert command(*words).code == 0
    assert len(records.read(tmp_path / "here").runs) == 2


def test_ignored_signals_stay_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with raise_on_termination():
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
