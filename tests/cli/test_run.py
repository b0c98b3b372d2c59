"""`batchsel run`: output, files, exit codes and errors."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from batchsel.experiments.run import records
from batchsel.experiments.run.parse_record import parse_run


def test_a_run_reaches_its_target_and_leaves_record_checkpoint_and_plot(command, tmp_path):
    result = command("run", "--dataset", "spirals", "--selector", "loss_ema", "--plot", "curve.png", "--seed", "1")
    assert result.code == 0
    assert result.out.splitlines()[0] == "spirals: mlp, selector loss_ema, seed 1"
    assert re.search(r"reached after [\d.e-]+ s", result.out)
    for word in ("steps", "samples", "passes", "validation", "test", "selection", "tracing", "evaluation"):
        assert word in result.out
    (record,) = records.read(tmp_path / "runs" / "records.jsonl").runs
    assert record["reached"]
    assert record["crossing"]["accuracy"] >= 0.98
    assert record["spec"]["seed"] == 1
    assert record["seconds"]["training"] >= record["crossing"]["seconds"] > 0
    plot = (tmp_path / "curve.png").read_bytes()
    assert plot.startswith(b"\x89PNG")
    folder = next(path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    assert {path.name for path in folder.iterdir()} == {"config.toml", "checkpoint.npz"}


def test_a_run_says_in_three_lines_what_it_does_and_where_all_settings_are(command):
    words = ["--augment", "mixup(0.2)", "--label-noise", "0.2", "--run-on"]
    result = command("run", "--dataset", "iris", "--budget", "1 passes", "--name", "mine", *words)
    first = result.out.splitlines()[:3]
    assert first[0] == "iris: mlp, selector random, seed 0"
    assert first[1].endswith(", batches of 16, label noise 0.2, augment mixup(0.2)")
    assert first[2].startswith("for 1 passes, past accuracy>=")
    assert first[2].endswith("all settings: runs/mine/config.toml")
    assert 'selector = "random"' in Path("runs/mine/config.toml").read_text()


def test_a_run_on_points_that_ends_before_its_first_stage_is_reported(command, tmp_path):
    words = ["run", "--dataset", "spirals", "--target", "accuracy>=0.1", "--budget", "4 passes"]
    assert command(*words).code == 0
    (record,) = records.read(tmp_path / "runs").runs
    assert record["counts"]["samples"] < record["sizes"]["train"]
    assert "plane" not in record
    told = command("report", "runs")
    assert told.code == 0
    assert "left out" not in told.err


def test_json_is_one_object_and_a_missed_target_is_exit_code_3(command):
    result = command("run", "--dataset", "iris", "--budget", "2 passes", "--target", "loss<=0.0001", "--json")
    assert result.code == 3
    record = json.loads(result.out)
    assert record["reached"] is False
    assert record["crossing"] is None
    assert record["counts"]["samples"] == 2 * record["sizes"]["train"]


def test_a_record_states_price_and_rank_correlation(command):
    words = ["run", "--dataset", "digits", "--budget", "2 passes", "--evaluations", "2", "--json"]
    record = json.loads(command(*words, "--selector", "candidates(4) | score(dtype='bfloat16', prefilter=0.5)").out)
    assert 0 < record["scoring"]["passes"] < 3
    assert record["scoring"]["spearman"] > 0.9
    assert (parse_run(record).scoring, parse_run(record).extra) == (record["scoring"], {})
    assert record["counts"]["scored"] * 2 == pytest.approx(4 * record["counts"]["samples"], rel=0.1)
    assert "scoring" not in json.loads(command(*words, "--selector", "candidates(4)").out)


@pytest.mark.parametrize("text", ["online_proxy(width=0.5)", "candidates(2) | score(cut=0.7)"])
def test_a_record_states_the_price_of_what_scores_in_place_of_the_model(text, command):
    words = ["run", "--dataset", "digits", "--budget", "2 passes", "--evaluations", "2", "--json"]
    record = json.loads(command(*words, "--selector", text).out)
    assert record["scoring"]["passes"] > 0
    assert -1 <= record["scoring"]["spearman"] <= 1
    assert record["selection"]["scoring"] > 0
    assert 0 < record["counts"]["scored"] < 2 * record["counts"]["samples"]


def test_evaluation_grid_is_the_same_for_every_selector(command):
    grids = {}
    for selector in ("random", "loss_ema", "candidates(2)"):
        result = command(
            "run", "--dataset", "wine", "--selector", selector, "--budget", "4", "--target", "loss<=0.00001",
            "--evaluations", "8", "--batch-size", "8", "--json",
        )  # fmt: skip
        evaluations = json.loads(result.out)["evaluations"]
        grids[selector] = [point["samples"] for point in evaluations]
    points = [len(grid) for grid in grids.values()]
    assert points == [8, 8, 8]
    # A point is passed by at most the rest of a batch.
    assert max(np.ptp(list(column)) for column in zip(*grids.values(), strict=True)) < 8


def test_options_win_over_environment_over_file_over_card(command, monkeypatch, tmp_path):
    (tmp_path / "mine.toml").write_text('dataset = "iris"\nbatch_size = 8\nlearning_rate = 0.5\nseed = 5\n')
    monkeypatch.setenv("BATCHSEL_LEARNING_RATE", "0.25")
    monkeypatch.setenv("BATCHSEL_SEED", "7")
    result = command("run", "--config", "mine.toml", "--seed", "9", "--print-config")
    assert result.code == 0
    lines = result.out.splitlines()
    assert {"batch_size = 8", "learning_rate = 0.25", "seed = 9", 'model = "mlp"'} <= set(lines)


def test_printed_configuration_can_be_read_again(command, tmp_path):
    first = command("run", "--dataset", "wine", "--selector", "loss_ema | mix(uniform=0.2)", "--print-config")
    (tmp_path / "again.toml").write_text(first.out)
    again = command("run", "--config", "again.toml", "--print-config")
    assert again.out == first.out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--dataset", "digitz"], ["digitz", "digits"]),
        (["--dataset", "iris", "--model", "mpl"], ["mpl", "mlp"]),
        (["--dataset", "iris", "--selector", "randon"], ["randon", "random"]),
        (["--dataset", "iris", "--selector", "loss_ema(0.9"], ["cannot read", "loss_ema(0.9"]),
        (["--dataset", "iris", "--selector", "loss_ema(2)"], ["decay", "[0, 1)"]),
        (["--dataset", "iris", "--selector", "random | mix"], ["has no scores"]),
        (["--dataset", "iris", "--optimizer", "adamm"], ["adamm", "adam"]),
        (["--dataset", "iris", "--schedule", "cosin"], ["cosin", "cosine"]),
        (["--dataset", "iris", "--schedule", ""], ["schedule is empty", "'constant'"]),
        (["--dataset", "iris", "--budget", "ten"], ["ten", "8 passes"]),
        (["--dataset", "iris", "--budget", "5 s", "--schedule", "linear"], ["linear", "constant"]),
        (["--dataset", "iris", "--target", "accuracy>0.9"], ["accuracy>0.9", "accuracy>=0.91"]),
        (["--dataset", "iris", "--target", "acuracy>=0.9"], ["acuracy", "accuracy"]),
        (["--dataset", "iris", "--target", "accuracy>=93"], ["0.93"]),
        (["--dataset", "iris", "--target", "accuracy<=0.9"], ["reverse the sign"]),
        (["--dataset", "iris", "--batch-size", "0"], ["batch_size", "at least 1"]),
        (["--dataset", "iris", "--learning-rate", "-1"], ["learning_rate", "must be a number in (0, "]),
        (["--dataset", "iris", "--plot", "x.gif"], [".png", "x.gif"]),
        (["--dataset", "iris", "--config", "missing.toml"], ["missing.toml"]),
        (["--resume", "runs/nothing"], ["runs/nothing", "no interrupted run"]),
        ([], ["--dataset"]),
    ],
)
def test_wrong_usage_is_one_clear_error_before_anything_is_written(command, tmp_path, words, expected):
    result = command("run", *words)
    assert result.code == 2
    for part in expected:
        assert part in result.err
    assert "Traceback" not in result.err
    assert not list(tmp_path.glob("runs/*.jsonl"))


def test_a_configuration_with_an_unknown_key_names_the_nearest(command, tmp_path):
    (tmp_path / "mine.toml").write_text("batchsize = 8\n")
    result = command("run", "--dataset", "iris", "--config", "mine.toml")
    assert result.code == 2
    assert "batchsize" in result.err
    assert "'batch_size'" in result.err


def test_a_folder_that_cannot_be_written_is_an_error_and_not_a_traceback(command, tmp_path):
    (tmp_path / "file").write_text("in the way")
    result = command("run", "--dataset", "iris", "--out", "file/runs")
    assert result.code == 1
    assert "cannot write" in result.err
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_diverging_run_stops_names_the_step_and_keeps_the_last_good_checkpoint(command, tmp_path):
    result = command(
        "run", "--dataset", "wine", "--optimizer", "sgd", "--learning-rate", "1e30", "--target", "accuracy>=0.9"
    )
    assert result.code == 1
    assert "not finite" in result.err
    assert "learning rate" in result.err
    assert not (tmp_path / "runs" / "records.jsonl").exists()


def _start(tmp_path: Path, *words: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "batchsel", "run", *words],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def _finish(tmp_path: Path, *words: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-m", "batchsel", "run", *words, "--json", "--progress", "off"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 3), done.stderr
    return json.loads(done.stdout)


_LONG = ["--dataset", "digits", "--selector", "smart", "--budget", "120", "--target", "loss<=0.0000001",
         "--evaluations", "60", "--deterministic", "--schedule", "cosine", "--compile", "graph"]  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Return the record of a long run that nothing interrupts."""
    return _finish(tmp_path_factory.mktemp("undisturbed"), *_LONG)


@pytest.mark.slow
def test_ctrl_c_leaves_a_checkpoint_and_the_resumed_run_equals_the_undisturbed_one(tmp_path, undisturbed):
    process = _start(tmp_path, *_LONG)
    for line in process.stderr:
        if "passes" in line:
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    resume = re.search(r"batchsel run --resume (\S+)", err)
    assert resume
    resumed = _finish(tmp_path, "--resume", resume[1])
    times = {"seconds"}
    strip = [
        [{key: value for key, value in point.items() if key not in times} for point in record["evaluations"]]
        for record in (resumed, undisturbed)
    ]
    assert strip[0] == strip[1]
    assert resumed["test"] == undisturbed["test"]


@pytest.mark.slow
def test_killed_run_loses_only_the_work_since_the_last_checkpoint(tmp_path, undisturbed):
    process = _start(tmp_path, *_LONG)
    generator = np.random.default_rng()
    for _ in range(3):
        # The second line of an evaluation comes after the first one's checkpoint.
        evaluations = (line for line in process.stderr if "passes" in line)
        assert next(evaluations)
        assert next(evaluations)
        time.sleep(float(generator.uniform(0, 0.3)))
        process.kill()
        process.communicate()
        (folder,) = (path for path in (tmp_path / "runs").iterdir() if path.is_dir())
        assert not (tmp_path / "runs" / "records.jsonl").exists()
        process = _start(tmp_path, "--resume", f"runs/{folder.name}")
    process.kill()
    process.communicate()
    resumed = _finish(tmp_path, "--resume", f"runs/{folder.name}")
    assert resumed["test"] == undisturbed["test"]
    assert [point["loss"] for point in resumed["evaluations"]] == [
        point["loss"] for point in undisturbed["evaluations"]
    ]


def test_help_is_fast_and_needs_no_tensorflow():
    code = (
        "import sys, time; start = time.perf_counter()\n"
        "from batchsel.cli import main\n"
        "main.cli.main(['--help'], standalone_mode=False)\n"
        "assert 'tensorflow' not in sys.modules and 'numpy' not in sys.modules\n"
        "print('TOOK', time.perf_counter() - start)"
    )
    took = []
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        took.append(float(done.stdout.split("TOOK")[1]))
    assert min(took) < 0.3


@pytest.mark.data
def test_fashion_mnist_for_some_hundred_steps(command):
    if "BATCHSEL_DATA" not in os.environ:
        pytest.skip("BATCHSEL_DATA is not set")
    result = command(
        "run", "--dataset", "fashion_mnist", "--selector", "loss_ema", "--budget", "20000 samples",
        "--evaluations", "4", "--target", "accuracy>=0.8", "--json",
    )  # fmt: skip
    record = json.loads(result.out)
    assert record["sizes"] == {"train": 55000, "validation": 5000, "test": 10000}
    assert record["evaluations"][-1]["accuracy"] > 0.78


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--target", "accuracy=0.9", "--progress", "rich"], "cannot read the target 'accuracy=0.9'"),
        (["--optimizer", "sgd(momentum=2)"], "sgd: momentum must be a number in [0, 1], got 2."),
        (["--optimizer", "adam(beta_1='x')"], "adam: beta_1 must be a number in [0, 1), got 'x'."),
        (["--model", "mlp(hidden=[-1])"], "mlp: hidden must be a list of 0 to 64 items, each item a whole"),
        (["--model", "mlp(hidden=5)"], "mlp: hidden must be a list of 0 to 64 items, each item a whole"),
        (["--model", "cnn"], "cannot build the model 'cnn' for inputs of shape (4,)"),
        (["--budget", "1e30 samples"], "cannot read the budget"),
        (["--seed", str(2**31)], "seed must be a whole number of at most 2147483647"),
    ],
)
def test_settings_that_cannot_be_built_are_wrong_usage(command, words, said):
    result = command("run", "--dataset", "iris", *words)
    assert result.code == 2, result.err
    assert said in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize("line", ['target = ["a"]', "dataset = [5]"])
def test_configuration_with_values_of_other_types_is_wrong_usage(command, tmp_path, line):
    (tmp_path / "run.toml").write_text(line)
    result = command("run", "--dataset", "iris", "--config", "run.toml")
    assert result.code == 2
    assert "a setting is a text, a number or true or false" in result.err


def test_long_budget_keeps_every_sample(command):
    result = command("run", "--dataset", "iris", "--budget", "1234567 samples", "--print-config")
    assert 'budget = "1234567 samples"' in result.out


def test_new_run_replaces_an_old_checkpoint(command, tmp_path):
    words = ["run", "--dataset", "iris", "--budget", "2", "--target", "loss<=0.001"]
    command(*words)
    (folder,) = (path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    old = (folder / "checkpoint.npz").stat().st_mtime_ns
    command(*words)
    assert (folder / "checkpoint.npz").stat().st_mtime_ns != old
    assert len(records.read(tmp_path / "runs").runs) == 2


def test_settings_of_the_environment_do_not_prevent_a_resume(command, monkeypatch, tmp_path):
    command("run", "--dataset", "iris", "--budget", "2", "--target", "loss<=0.001")
    (folder,) = (path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    monkeypatch.setenv("BATCHSEL_SEED", "5")
    assert command("run", "--resume", str(folder)).code == 3
    result = command("run", "--resume", str(folder), "--seed", "5")
    assert result.code == 2
    assert "Leave out --seed" in result.err


def test_budgets_in_epochs_of_the_selector(command):
    run = ("run", "--dataset", "iris", "--target", "loss<=1e-9", "--selector", "infobatch(r=1.0)", "--json")
    by_budget, by_option = (
        json.loads(command(*run, "--restart", *words).out) for words in (("--budget", "6 epochs"), ("--epochs", "6"))
    )
    passes = json.loads(command(*run, "--budget", "6").out)
    for record in (by_budget, by_option):
        assert record["spec"]["budget"] == "6 epochs"
        assert record["counts"]["plans"] == 6
        assert record["counts"]["samples"] == sum(i * visits for i, visits in enumerate(record["visits"]))
        assert record["counts"]["samples"] < 0.9 * 6 * record["sizes"]["train"]
        assert len(record["evaluations"]) <= 40
    assert by_budget["digest"] == by_option["digest"] != passes["digest"]
    assert passes["counts"]["samples"] >= 6 * passes["sizes"]["train"]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("run", "--dataset", "iris", "--epochs", "3", "--budget", "3"), "--budget and --epochs are both given"),
        (("run", "--dataset", "iris", "--epochs", "0"), "cannot read the budget '0 epochs'"),
        (("compare", "--dataset", "iris", "--epochs", "3"), "one of epochs is not the same for all. Give passes"),
    ],
)
def test_budgets_in_epochs_that_are_refused(command, words, problem):
    result = command(*words)
    assert result.code == 2
    assert problem in " ".join(result.err.split())
