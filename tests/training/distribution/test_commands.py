"""Commands with several devices: runs, the benchmark, and what `doctor` says."""

import json
import os
import subprocess
import sys

import pytest

from batchsel.cli.commands.installation import _describe_devices
from batchsel.errors import UsageError
from batchsel.experiments.inspect.program import write_program
from batchsel.experiments.run.parse_record import parse_run
from batchsel.experiments.spec.run_spec import RunSpec

SPEC = ("iris", "mlp", "random", 16, "adam", 0.01, "linear", "8 passes", "accuracy>=0.9")


def call(*arguments):
    command = [sys.executable, "-m", "batchsel", *arguments]
    environment = os.environ | {"BATCHSEL_CPU_DEVICES": "2"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)


def test_a_run_on_two_devices_is_recorded_with_their_number(tmp_path):
    options = ("--dataset", "iris", "--selector", "soft_keep", "--devices", "all", "--budget", "3 passes", "--json")
    done = call("run", *options, "--out", str(tmp_path))
    assert done.returncode in (0, 3), done.stderr
    record = json.loads((tmp_path / "records.jsonl").read_text())
    assert (record["devices"], record["spec"]["devices"]) == (2, "all")
    assert record["counts"]["steps"] > 0
    assert not record["xla"]
    assert (parse_run(record).devices, parse_run(record).extra) == (2, {})


def test_more_devices_than_there_are_are_refused(tmp_path):
    done = call("run", "--dataset", "iris", "--devices", "3", "--out", str(tmp_path))
    assert done.returncode != 0
    assert "devices=3, and TensorFlow sees 2 CPUs" in done.stderr


def test_the_benchmark_times_one_device_and_two():
    done = call("bench", "devices", "--task", "mlp", "--quick", "--json")
    assert done.returncode == 0, done.stderr
    (task,) = json.loads(done.stdout)["tasks"]
    assert list(task["counts"]) == ["1", "2"]
    assert task["counts"]["1"]["efficiency"]["median"] == 1
    one, two = (task["counts"][count]["steps_per_second"] for count in ("1", "2"))
    assert task["counts"]["2"]["efficiency"]["median"] == pytest.approx(two / one / 2)
    assert "communication" not in task["counts"]["1"]
    share = task["counts"]["2"]["communication"]
    assert share["min"] <= share["median"] <= share["max"] < 1


def test_the_setting_of_one_device_changes_no_digest():
    assert "devices" not in RunSpec(*SPEC).values()
    assert RunSpec(*SPEC, devices="1").digest() == RunSpec(*SPEC).digest() != RunSpec(*SPEC, devices="2").digest()


@pytest.mark.parametrize("text", ["0", "two", "1.5", ""])
def test_a_number_of_devices_that_is_none_is_refused(text):
    with pytest.raises(UsageError, match="devices must be a whole number of at least 1 or all"):
        RunSpec(*SPEC, devices=text)


def test_the_program_of_a_run_builds_its_model_for_the_devices():
    program = write_program(RunSpec(*SPEC, devices="2"), "classification")
    assert 'with batchsel.device_scope("2"):\n    model = ' in program
    compile(program, "program", "exec")


def test_doctor_says_how_a_run_would_use_the_devices():
    assert _describe_devices(["CPU:0"]) == "CPU:0, the only one"
    assert _describe_devices(["GPU:0", "GPU:1"]) == "GPU:0, GPU:1; GPU:0 by default, all with --devices all"
