"""Names of runs, and trackers on the command line."""

import pytest

from batchsel.experiments.run import records
from batchsel.experiments.run.parse_record import parse_run

WORDS = ["run", "--dataset", "iris", "--budget", "2 passes", "--evaluations", "2", "--target", "loss<=0.001"]


def test_a_name_is_that_of_the_folder_and_stands_in_record_and_report(command, tmp_path):
    assert command(*WORDS, "--name", "small steps").code == 3
    assert (tmp_path / "runs" / "small steps" / "checkpoint.npz").is_file()
    (record,) = records.read(tmp_path / "runs").runs
    assert record["name"] == parse_run(record).name == "small steps"
    assert command(*WORDS, "--seed", "1").code == 3
    assert "name" not in records.read(tmp_path / "runs").runs[1]
    assert command("report", "runs", "--out", "report.html").code == 0
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "small steps" in page
    assert "random, seed 1" in page


def test_runs_of_one_name_and_other_settings_stay_apart_in_reports(command, tmp_path):
    for out, rate in (("a", "0.01"), ("b", "0.02")):
        assert command(*WORDS, "--name", "mine", "--learning-rate", rate, "--out", out).code == 3
    assert command("report", "a", "b", "--out", "report.html").code == 0
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "mine, learning_rate = 0.01" in page
    assert "mine, learning_rate = 0.02" in page


def test_a_run_of_other_settings_is_not_replaced_by_its_name(command, tmp_path):
    assert command(*WORDS, "--name", "mine").code == 3
    before = (tmp_path / "runs" / "mine" / "checkpoint.npz").read_bytes()
    result = command(*WORDS, "--name", "mine", "--seed", "1")
    assert result.code == 1
    assert "runs/mine holds a run with other settings. Choose another --name" in result.err
    assert (tmp_path / "runs" / "mine" / "checkpoint.npz").read_bytes() == before
    assert command(*WORDS, "--name", "mine", "--seed", "1", "--restart").code == 3


@pytest.mark.parametrize("name", ["a/b", "..", "", ".hidden", "-x", "a" * 101, "a\nb"])
def test_names_that_are_no_folder_are_refused(command, name):
    result = command(*WORDS, f"--name={name}")
    assert result.code == 2
    assert "the name of a run is that of its folder" in result.err


def test_a_resumed_run_keeps_its_name(command):
    result = command("run", "--resume", "runs/mine", "--name", "other")
    assert result.code == 2
    assert "--resume keeps the name of the run. Leave out --name." in result.err


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_logs_into_a_folder_for_all_runs_or_that_of_the_run(command, tmp_path):
    assert command(*WORDS, "--name", "mine", "--tensorboard", "board").code == 3
    assert {path.name for path in (tmp_path / "board" / "mine").iterdir()} == {"train", "validation", "selection"}
    assert command(*WORDS, "--tensorboard", "--json").code == 3
    (logs,) = tmp_path.glob("runs/*/tensorboard")
    assert (logs / "train").is_dir()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_runs_of_a_comparison_are_logged_each(command, tmp_path):
    words = ["compare", "--dataset", "iris", "--selector", "random", "--seeds", "2", *WORDS[3:7], "--no-controls"]
    assert command(*words, "--tensorboard", "board", "--untimed").code == 0
    assert len(list((tmp_path / "board").iterdir())) == 2


def test_trackers_that_are_not_installed_are_refused_before_anything_is_read(command, monkeypatch):
    from batchsel.training.callbacks import packages

    monkeypatch.setattr(packages.importlib.util, "find_spec", lambda name: None)
    result = command(*WORDS, "--mlflow")
    assert result.code == 1
    assert result.err.strip() == "Error: MLflow is not installed: pip install 'batchsel[mlflow]'."


def test_a_report_reads_the_records_in_sub_folders(command, tmp_path):
    for form in ("scaled", "full"):
        assert command(*WORDS, "--out", f"mine/{form}").code == 3
    assert command(*WORDS, "--out", "mine/tuning", "--seed", "7").code == 3
    assert command("report", "mine", "--out", "report.html").code == 0
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "seed 7" not in page
    assert len(records.read(tmp_path / "mine").runs) == 2
    result = command("report", "mine", "--out", "mine/full/records.jsonl")
    assert result.code == 2
    (tmp_path / "empty").mkdir()
    assert "cannot read the records empty/records.jsonl" in command("report", "empty").err
    (tmp_path / "card.toml").write_text('question = "?"', "utf-8")
    assert "`batchsel experiment card.toml` runs it" in command("report", "card.toml").err
    (tmp_path / "mine" / "full" / "run").mkdir()
    assert "Those of runs in mine/full are in mine/full/records.jsonl." in command("report", "mine/full/run").err
