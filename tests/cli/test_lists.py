"""`batchsel selectors`, `models`, `doctor`, `bench`, `completion`."""

import json
from pathlib import Path

import pytest

from batchsel.experiments.spec.run_spec import COMPILE_MODES
from batchsel.selectors.registry import REGISTRY
from batchsel.training.loop.compilation import MODES


def test_every_selector_is_listed_with_a_line(command):
    rows = json.loads(command("selectors", "list", "--json").out)["selectors"]
    assert {row["name"] for row in rows} == set(REGISTRY.entries())
    assert all(row["summary"].endswith(".") for row in rows)


@pytest.mark.parametrize("name", sorted(REGISTRY.entries()))
def test_every_selector_shows_formula_cost_and_source(command, name):
    shown = json.loads(command("selectors", "show", name, "--json").out)
    assert shown["formula"]
    assert shown["cost"]
    assert shown["source"]


def test_selectors_without_subcommand_lists_them(command):
    assert command("selectors").out == command("selectors", "list").out


def test_the_page_of_all_selectors_is_up_to_date(command):
    repository = Path(__file__).parents[2]
    recorded = [str(repository / "experiments" / f"methods_on_{name}") for name in ("digits", "fashion_mnist")]
    page = command("selectors", "page", *recorded).out
    assert page == (repository / "docs" / "selectors.md").read_text("utf-8"), "make docs brings it up to date"
    for entry in REGISTRY.entries().values():
        assert f"### {entry.name}\n" in page
    assert "Measured here" in page


def test_models_are_listed_and_shown(command):
    rows = json.loads(command("models", "list", "--json").out)["models"]
    names = [row["name"] for row in rows]
    assert names == sorted(names)
    assert {"cnn", "mlp", "lstm", "resnet18"} <= set(names)
    assert all(row["summary"] for row in rows)
    assert "hidden" in json.loads(command("models", "show", "mlp", "--json").out)["parameters"]
    assert command("models", "show", "mpl").code == 2


def test_doctor_reports_devices_and_a_short_run(command):
    facts = json.loads(command("doctor", "--json").out)
    assert facts["steps per second"] > 0
    assert facts["strided 1x1 convolutions"].split()[0] in ("work", "end")
    assert facts["devices"]


def test_bench_without_subcommand_lists_its_subcommands(command):
    shown = command("bench")
    assert shown.code == 2
    for name in ("loop", "planning", "schedules", "streaming"):
        assert f"\n  {name} " in shown.err


def test_bench_loop_prints_every_ratio(command):
    result = json.loads(command("bench", "loop", "--quick", "--task", "mlp", "--json").out)
    (task,) = result["tasks"]
    assert set(task["arms"]) >= {"model.fit", "random", "loss_ema"}
    assert task["arms"]["random"]["times_as_fast_as_fit"]["median"] > 1


def test_bench_planning_reports_cost_by_selector_and_size(command):
    words = "bench planning --n 2000 --n 4000 --selector random --selector loss_ema --json"
    costs = json.loads(command(*words.split()).out)["planning"]
    assert [(cost["selector"], cost["n"]) for cost in costs] == [
        ("random", 2000), ("loss_ema", 2000), ("random", 4000), ("loss_ema", 4000),
    ]  # fmt: skip
    assert [cost["bytes_a_sample"] for cost in costs] == pytest.approx([16, 19.7, 16, 19.7], rel=0.05)
    assert all(0 < cost["microseconds"] < 1000 for cost in costs)
    assert all(cost["peak_megabytes"] is None or 0 <= cost["peak_megabytes"] < 2000 for cost in costs)
    assert command("bench", "loop", "--n", "2000").code == 2


def test_bench_streaming_uses_less_memory_than_the_data(command):
    result = json.loads(command("bench", "streaming", "--quick", "--json").out)
    assert result["speed"]["share_of_the_speed_in_memory"]["median"] > 0
    memory = result["memory"]
    assert memory["set_bytes"] >= 19 * memory["buffer_bytes"]
    assert memory["rise_bytes"] is None or memory["rise_bytes"] < 0.5 * memory["set_bytes"]


def test_bench_schedules_pools_several_processes(command):
    shown = command("bench", "schedules", "--quick", "--processes", "2").out
    assert "cosine | lerac" in shown
    assert "geometric mean" in shown
    assert "2 processes of 1 rounds" in shown
    assert command("bench", "loop", "--processes", "2").code == 2
    assert command("bench", "schedules", "--task", "mlp").code == 2


def test_unknown_commands_tasks_and_shells_are_usage_errors(command):
    assert "'run'" in command("rnu").err
    assert "'mlp'" in command("bench", "loop", "--task", "mpl").err
    assert command("completion", "tcsh").code == 2
    assert "batchsel" in command("completion", "bash").out


def test_compile_modes_of_a_spec_are_those_of_the_loop():
    assert COMPILE_MODES == MODES
