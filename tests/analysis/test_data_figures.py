"""Figures of data and of short runs: points as points, a color for each class, no invisible lines, labels in the frame."""

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from batchsel.analysis.plots.curves import LearningCurve, draw_curve
from batchsel.analysis.plots.dataset import draw_dataset
from batchsel.analysis.plots.run import draw_loss, draw_metric
from batchsel.analysis.plots.spirals import spirals_figure
from batchsel.analysis.plots.style import Palette

RNG = np.random.default_rng(0)


def axes_of(figure):
    left, right = figure.subfigs
    return left.axes, right.axes[0]


def test_points_in_a_plane_are_drawn_as_points_of_their_classes():
    x, y = RNG.normal(size=[30, 2]).astype("float32"), np.repeat([0, 1, 2], 10)
    (axes,), bars = axes_of(draw_dataset(x, y, ["a", "b", "c"], ["east", "north"]))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("east", "north")
    for number, points in enumerate(axes.collections):
        np.testing.assert_allclose(points.get_offsets(), x[y == number])
        assert to_hex(points.get_facecolor()[0]) == to_hex(bars.patches[number].get_facecolor())


def test_histograms_of_a_table_are_stacked_by_class():
    x, y = RNG.normal(size=[30, 3]).astype("float32"), np.repeat([0, 1], 15)
    panels, _ = axes_of(draw_dataset(x, y, ["a", "b"]))
    for ax in panels[:3]:
        assert sum(patch.get_height() for patch in ax.patches) == 30
        assert len({to_hex(patch.get_facecolor()) for patch in ax.patches}) == 2


def test_many_classes_and_regressions_have_one_color():
    x = RNG.normal(size=[40, 3]).astype("float32")
    for y, names in ((np.arange(40) % 20, [str(i) for i in range(20)]), (RNG.normal(size=40), [])):
        panels, _ = axes_of(draw_dataset(x, y, names))
        assert len({to_hex(patch.get_facecolor()) for patch in panels[0].patches}) == 1


@pytest.mark.parametrize("features", [2, 3])
def test_each_of_twelve_classes_has_a_color(features):
    x = RNG.normal(size=[60, features]).astype("float32")
    panels, bars = axes_of(draw_dataset(x, np.arange(60) % 12, [str(i) for i in range(12)]))
    points = [to_hex(found.get_facecolor()[0]) for found in panels[0].collections]
    shown = points or [to_hex(patch.get_facecolor()) for patch in panels[0].patches]
    assert set(shown) == {to_hex(patch.get_facecolor()) for patch in bars.patches}
    assert len(set(shown)) == 12


def test_curves_of_one_evaluation_are_points_with_an_interval():
    axes = Figure().add_subplot()
    draw_curve(axes, LearningCurve([0.5], [0.5], [0.4], [0.6], 3), "random", Palette(["random"]))
    assert axes.lines[0].get_marker() == "o"
    ((low, high),) = axes.collections[0].get_segments()
    assert (low.tolist(), high.tolist()) == ([0.5, 0.4], [0.5, 0.6])


def test_each_of_twelve_arms_has_a_symbol():
    figure = spirals_figure(RNG.normal(size=[120, 2]), np.arange(120) % 12, RNG.random(120))
    shapes = [points.get_paths()[0].vertices.tobytes() for points in figure.axes[0].collections[:12]]
    assert len(set(shapes)) == 12


def make_run(points):
    evaluations = [SimpleNamespace(seconds=i, samples=10 * i, values={"accuracy": 0.6, "loss": 0.5}) for i in points]
    history = {"loss": [0.4] * len(evaluations)}
    return SimpleNamespace(evaluations=evaluations, history=history, crossing=None, sizes=SimpleNamespace(train=10))


def test_a_run_with_one_evaluation_shows_it():
    axes = Figure().add_subplot()
    draw_loss(axes, make_run([1]))
    assert [line.get_marker() for line in axes.lines] == ["o", "o"]


def test_the_label_of_a_target_stays_within_the_frame():
    for threshold in (0.3, 0.98):
        figure = Figure()
        axes = figure.add_subplot()
        draw_metric(axes, make_run([1, 2]), "accuracy", threshold)
        figure.draw_without_rendering()
        (label,) = axes.texts
        frame, box = axes.get_window_extent(), label.get_window_extent()
        assert frame.y0 <= box.y0
        assert box.y1 <= frame.y1
