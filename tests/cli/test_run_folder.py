"""The folder of a run: held while a run is in it, kept when a run was interrupted, and the settings of its checkpoint."""

import re
import signal
from dataclasses import replace
from pathlib import Path

import keras
import pytest

from batchsel.core.locking.locks import hold_lock
from batchsel.errors import UserError
from batchsel.experiments.run import records, runner
from batchsel.experiments.run.runner import RunContext, run
from batchsel.experiments.spec.run_spec import RunSpec, read_file
from batchsel.training import checkpoint

WORDS = ["run", "--dataset", "iris", "--budget", "4", "--evaluations", "4", "--target", "loss<=0.001"]


def interrupt_after(epoch):
    def press(number, logs):
        if number == epoch:
            signal.raise_signal(signal.SIGINT)

    return keras.callbacks.LambdaCallback(on_epoch_end=press)


@pytest.fixture
def interrupted(command, monkeypatch, tmp_path):
    """Return the folder of a run that Ctrl-C interrupted after two of four evaluations."""
    with monkeypatch.context() as patched:
        patched.setattr(runner.Diagnostics, "callbacks", [interrupt_after(1)])
        result = command(*WORDS)
    assert result.code == 130
    (folder,) = (path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    return folder.relative_to(tmp_path)


def test_the_same_command_keeps_an_interrupted_run_until_told_to_restart(command, interrupted, tmp_path):
    before = (interrupted / "checkpoint.npz").read_bytes()
    result = command(*WORDS)
    assert result.code == 1
    assert f"`batchsel run --resume {interrupted}`" in result.err
    assert "--restart" in result.err
    assert (interrupted / "checkpoint.npz").read_bytes() == before
    resumed = command("run", "--resume", str(interrupted), "--restart")
    assert resumed.code == 2
    assert command(*WORDS, "--restart").code == 3
    (record,) = records.read(tmp_path / "runs").runs
    assert len(record["evaluations"]) == 4
    assert command(*WORDS).code == 3  # a finished run may be made again
    assert len(records.read(tmp_path / "runs").runs) == 2
    assert {path.name for path in interrupted.iterdir()} == {"config.toml", "checkpoint.npz"}


def test_a_run_whose_record_was_not_written_is_an_interrupted_one(command, tmp_path):
    assert command(*WORDS).code == 3
    (tmp_path / "runs" / "records.jsonl").unlink()
    result = command(*WORDS)
    assert result.code == 1
    folder = re.search(r"--resume ([^`]+)`", result.err)[1]
    assert command("run", "--resume", folder).code == 3
    assert len(records.read(tmp_path / "runs").runs) == 1


def test_a_run_under_way_is_refused_whatever_the_options_are(command, interrupted):
    with hold_lock(interrupted / "checkpoint.npz"):
        for words in (WORDS, [*WORDS, "--restart"], ["run", "--resume", str(interrupted)]):
            result = command(*words)
            assert result.code == 1
            assert re.search(r"a run is under way in runs/iris-random-0-\w+: `.+` \(process \d+\) since", result.err)
    assert command("run", "--resume", str(interrupted)).code == 3


def test_a_resumed_run_with_an_edited_configuration_is_refused(command, interrupted):
    path = interrupted / "config.toml"
    before = path.read_text()
    path.write_text(before.replace("seed = 0", "seed = 7").replace('"4 passes"', '"8 passes"') + "label_noise = 0.1\n")
    for words in (["run", "--resume"], ["predict"]):
        result = command(*words, str(interrupted))
        assert result.code == 1
        assert "budget ('4 passes', now '8 passes'), label_noise (the default, now 0.1), seed (0, now 7)" in result.err
        assert f"batchsel run --config {path}" in result.err
    assert not records.read_folder(Path("runs")).runs
    path.write_text(before)
    assert command("run", "--resume", str(interrupted)).code == 3


def test_checkpoints_of_earlier_versions_know_no_settings_and_still_resume(command, interrupted, monkeypatch):
    path = interrupted / "checkpoint.npz"
    spec = RunSpec(**read_file(interrupted / "config.toml"))
    read = checkpoint.read

    def read_old(path):
        stored = read(path)
        stored.meta.pop("run")
        return stored

    monkeypatch.setattr(checkpoint, "read", read_old)
    with pytest.raises(UserError, match="interrupted run"):
        run(spec, RunContext(Path("runs")))
    assert path.is_file()
    record = run(spec, RunContext(Path("runs"), resume=True))
    assert len(record["evaluations"]) == 4


def test_runs_without_checkpoints_do_not_touch_the_folder(interrupted):
    spec = RunSpec(**read_file(interrupted / "config.toml"))
    before = (interrupted / "checkpoint.npz").read_bytes()
    with hold_lock(interrupted / "checkpoint.npz"):
        run(spec, RunContext(Path("runs"), checkpoints=False))
    assert (interrupted / "checkpoint.npz").read_bytes() == before
    with pytest.raises(UserError, match="no checkpoint at"):
        run(replace(spec, seed=5), RunContext(Path("runs"), resume=True))


def test_a_resumed_run_measures_what_it_was_started_with(command, monkeypatch, tmp_path):
    with monkeypatch.context() as patched:
        patched.setattr(runner.Diagnostics, "callbacks", [interrupt_after(1)])
        assert command(*WORDS, "--measure", "end").code == 130
    (folder,) = (path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    assert command("run", "--resume", str(folder)).code == 3
    (record,) = records.read(tmp_path / "runs" / "records.jsonl").runs
    assert record["end"]["train_samples"] == 90
