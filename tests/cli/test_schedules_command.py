"""`batchsel schedules`: list, show, and plot of a curve."""

import json

import pytest
from PIL import Image

from batchsel.schedules.registry import REGISTRY


def test_every_schedule_is_listed_with_a_line(command):
    rows = json.loads(command("schedules", "list", "--json").out)["schedules"]
    assert [row["name"] for row in rows] == sorted(REGISTRY.built_in_entries)
    assert all(row["summary"].endswith(".") for row in rows)
    assert "one_cycle  " in command("schedules", "list").out


def test_show_describes_each_part_of_a_text(command):
    shown = json.loads(command("schedules", "show", "cosine | warmup(0.1) | ./mine.py:rate", "--json").out)
    assert [part["name"] for part in shown["parts"]] == ["cosine", "warmup"]
    assert all(part["formula"] and part["source"] for part in shown["parts"])
    assert list(shown["parts"][1]["parameters"]) == ["share", "start", "form"]
    out = command("schedules", "show", "warmup").out
    assert out.startswith("warmup: Warm-up from `start` to 1")
    assert "formula: start + (1 - start)" in out
    assert "Did you mean 'cosine'" in command("schedules", "show", "cosin").err


def test_show_plots_the_curve(command, tmp_path):
    text = "one_cycle(peak=0.1, momenta=[0.85, 0.95]) | warmup('2 passes', 'base') | scale"
    drawn = command("schedules", "show", text, "--plot", "rate.png", "--passes", "20", "--batch-size", "512")
    assert drawn.code == 0
    assert f"rate.png: {text}" in drawn.out
    with Image.open(tmp_path / "rate.png") as figure:
        assert figure.height > figure.width / 2
    assert command("schedules", "show", "linear", "--plot", "rate.svg", "--json").code == 0
    assert "<svg" in (tmp_path / "rate.svg").read_text("utf-8")


def test_show_plots_rates_of_groups(command, tmp_path):
    drawn = command(
        "schedules", "show", "cosine | lerac('2 passes')", "--plot", "r.svg", "--passes", "20", "--groups", "3"
    )
    assert drawn.code == 0
    figure = (tmp_path / "r.svg").read_text("utf-8")
    assert "group 0 (inputs)" in figure
    assert "group 2 (outputs)" in figure


def test_show_plots_the_groups_that_the_schedule_states(command, tmp_path):
    done = command("schedules", "show", "linear | lerac(0.2, groups=3)", "--plot", "r.svg")
    assert done.code == 0, done.err
    found = (tmp_path / "r.svg").read_text("utf-8")
    assert ("group 2 (outputs)" in found, "group 3" in found) == (True, False)
    done = command("schedules", "show", "lerac(0.2, groups=3)", "--plot", "r.svg", "--groups", "4")
    assert done.code == 2
    assert "the schedule states its groups (3)" in done.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["linear", "--plot", "rate.txt"], "--plot writes .png or .svg, got 'rate.txt'"),
        (["warmup('2 passes')", "--plot", "rate.png"], "counts passes: give the passes"),
        (["scale", "--plot", "rate.png"], "depends on the batch size"),
        (["warmup(2)", "--plot", "rate.png"], "warmup: share must be a share of the budget"),
    ],
)
def test_curves_that_cannot_be_plotted_are_errors(command, tmp_path, words, message):
    result = command("schedules", "show", *words)
    assert result.code in (1, 2)
    assert message in result.err
    assert not list(tmp_path.iterdir())
