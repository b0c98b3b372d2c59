"""Options of clusters on the command line: refused in one sentence before anything is run."""

import pytest

COMPARE = ("compare", "--dataset", "iris", "--selector", "loss_ema", "--seeds", "6", "--out", "out")


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--slurm", "time=2h"), 2, "--slurm states settings of jobs. Add --executor slurm, or leave it out."),
        (("--executor", "slurm", "--slurm", "tim=2h"), 2, "unknown setting of --slurm 'tim'. Did you mean 'time'?"),
        (("--executor", "slurm"), 1, "no SLURM here (sbatch not found). Start this on a machine that submits jobs"),
        (("--requeue",), 2, "--requeue is for jobs of a cluster. Add --executor slurm, or leave it out."),
        (("--executor", "dask:tcp://dead"), 1, "no Dask scheduler answers at tcp://dead: missing port number"),
    ],
)
def test_what_cannot_be_run_is_refused(command, monkeypatch, tmp_path, options, code, message):
    monkeypatch.setenv("PATH", str(tmp_path))
    result = command(*COMPARE, *options)
    assert result.code == code
    assert message in result.err
    assert "Traceback" not in result.err
    assert not (tmp_path / "out").exists()


def test_a_card_states_settings_of_jobs_which_are_checked(command, tmp_path):
    card = """
name = "mine"
question = "Is it faster?"
story = "To see."
datasets = ["iris"]
[arms.loss_ema]
selector = "loss_ema"
[slurm]
mem = "much"
tim = "2h"
"""
    (tmp_path / "mine.toml").write_text(card)
    result = command("experiment", "mine.toml", "--plan")
    assert result.code == 1
    assert "slurm.mem: expected a size as in 8G, got 'much'." in result.err
    assert "slurm.tim: unknown key. Did you mean 'time'?" in result.err
