"""Room in figures: tick labels do not overlap, and arms look different, however many there are."""

import itertools

import numpy as np
import pytest
from analysis_of_dicts import group_by_arm
from made_up import record_of, some_records
from study_records import MODES, factorial_records, sweep_records

from batchsel.analysis.outcomes import arm_order
from batchsel.analysis.plots.figures import FIGURES, draw
from batchsel.analysis.plots.style import Palette
from batchsel.experiments.run.record_details import to_json


def of_ten_images(record):
    """Return a run with ten images, some of whose labels are long."""
    labels = ["T-shirt/top", "automobile", "Ankle boot", "airplane", "class of a long name"] * 2
    part = {"pixels": to_json(np.zeros([10, 8, 8, 1], np.uint8)), "labels": labels, "visits": [123] * 10}
    part["samples"] = list(range(10))
    return record | {"images": {"most": part, "least": part}}


def far_apart(arms=12):
    """Return runs of arms that need from a hundredth to fifty times as much."""
    times = np.geomspace(0.01, 50, arms)
    runs = [record_of("random", seed, crossing=1200 + 100 * seed) for seed in range(5)]
    for place, factor in enumerate(times):
        runs += [
            record_of(f"arm {place}", seed, crossing=1200 + 100 * seed, seconds_each=1e-3 * factor) for seed in range(5)
        ]
    return runs


SETS = {
    "two arms": lambda: [of_ten_images(run) for run in some_records() if run["spec"]["dataset"] == "digits"],
    "points": lambda: [run for run in some_records() if run["spec"]["dataset"] == "spirals"],
    "far apart": far_apart,
    "sweep": lambda: sweep_records({mode: MODES["scaled"] | {2**i: 90 for i in range(13)} for mode in "abc"}, seeds=3),
    "factors": lambda: factorial_records(noise=0.1),
}


def overlapping(fig):
    """Return pairs of tick labels that overlap."""
    fig.draw_without_rendering()
    renderer, found = fig._get_renderer(), []
    for ax in fig.axes:
        for axis, first, last in ((ax.xaxis, "x0", "x1"), (ax.yaxis, "y0", "y1")):
            low, high = sorted(axis.get_view_interval())
            ticks = [tick for tick in axis.get_major_ticks() + axis.get_minor_ticks() if low <= tick.get_loc() <= high]
            texts = [tick.label1 for tick in ticks if tick.label1.get_visible() and tick.label1.get_text()]
            boxes = sorted(
                ((text.get_window_extent(renderer), text.get_text()) for text in texts if not text.get_rotation()),
                key=lambda item: getattr(item[0], first),
            )
            for (box, text), (other, next_text) in itertools.pairwise(boxes):
                if ax.axison and getattr(box, last) > getattr(other, first) + 0.5:
                    found.append((text, next_text))
    return found


@pytest.mark.parametrize("name", SETS)
def test_tick_labels_do_not_overlap(name):
    arms = group_by_arm(SETS[name]())
    figures = {figure: draw(figure, arms, Palette(arms)) for figure in FIGURES}
    assert sum(made is not None for made in figures.values()) >= 5
    found = {figure: overlapping(made) for figure, made in figures.items() if made is not None}
    assert {figure: pairs for figure, pairs in found.items() if pairs} == {}


@pytest.mark.parametrize("arms", [7, 25, 40])
def test_every_arm_has_a_look_of_its_own(arms):
    names = [f"arm {place}" for place in range(arms)]
    palette = Palette(names)
    assert len({(palette.color(name), palette.line(name)) for name in names}) == arms


def test_arms_are_sorted_by_the_numbers_in_their_names():
    names = ["size 1024", "size 2", "size 128, rate 0.5", "size 128, rate 0.25", "size 16", "plain"]
    found = sorted(names, key=lambda name: arm_order("arm", name))
    assert found == ["plain", "size 2", "size 16", "size 128, rate 0.25", "size 128, rate 0.5", "size 1024"]
    records = [record_of(arm, seed) for arm in ("random", *names) for seed in range(2)]
    assert list(group_by_arm(records)) == ["random", *found]
