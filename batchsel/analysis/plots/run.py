"""Draw one run: its metric against seconds, and its losses against passes."""

from __future__ import annotations

from typing import Any

from batchsel.core.target import Target
from batchsel.experiments.run.run_record import RunRecord

_BLUE, _ORANGE, _GRAY = "#0072B2", "#D55E00", "#666666"
_FEW = 5
"""Fewer evaluations are drawn with markers."""


def run_figure(record: RunRecord) -> Any:
    """Draw a run.

    Args:
        record: Record of the run.

    Returns:
        A Matplotlib figure.
    """
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=(9, 4), layout="constrained", dpi=150)
    left, right = figure.subplots(1, 2, sharey=False)
    target = Target.parse(record.spec.target)
    draw_metric(left, record, target.metric, target.threshold)
    draw_loss(right, record)
    spec = record.spec
    figure.suptitle(
        f"{spec.dataset}, {spec.model}, {spec.selector}, b = {spec.batch_size}, seed {spec.seed}",
        fontsize=11,
    )
    return figure


def draw_metric(axes: Any, record: RunRecord, metric: str, threshold: float) -> None:
    """Draw the target's metric on the validation part, against seconds on the clock.

    Args:
        axes: Axes to draw on.
        record: Record of the run.
        metric: Name of the metric.
        threshold: Threshold of the target.
    """
    evaluations = record.evaluations
    seconds = [point.seconds for point in evaluations]
    axes.plot(seconds, [point.values[metric] for point in evaluations], color=_BLUE, marker="o", markersize=3)
    axes.axhline(threshold, color=_GRAY, linestyle="--", linewidth=1)
    low, high = axes.get_ylim()
    below = threshold > (low + high) / 2  # so that the label stays within the frame
    axes.annotate(
        f"target {threshold:g}", (0, threshold), xycoords=("axes fraction", "data"), xytext=(4, -3 if below else 3),
        textcoords="offset points", va="top" if below else "bottom", fontsize=8, color=_GRAY,
    )  # fmt: skip
    crossing = record.crossing
    if crossing:
        axes.plot(crossing.seconds, crossing.values[metric], "o", color=_ORANGE, markersize=9, markerfacecolor="none")
        passes = crossing.samples / record.sizes.train
        words = f"reached after {crossing.seconds:.3g} s, {passes:.2f} passes"
        axes.annotate(words, (0.97, 0.05), xycoords="axes fraction", fontsize=9, color=_ORANGE, ha="right")
    axes.set_xlabel("seconds on the clock (planning, scoring, steps)")
    axes.set_ylabel(f"validation {metric}")
    axes.grid(alpha=0.25)


def draw_loss(axes: Any, record: RunRecord) -> None:
    """Draw the validation loss, and the loss of the batches trained on, against passes.

    Args:
        axes: Axes to draw on.
        record: Record of the run.
    """
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    n = record.sizes.train
    passes = [point.samples / n for point in record.evaluations]
    marker = "o" if len(passes) < _FEW else ""  # a line of one point is invisible
    losses = [point.values["loss"] for point in record.evaluations]
    axes.plot(passes, losses, color=_BLUE, label="validation", marker=marker, markersize=4)
    trained = record.history.get("loss", [])[: len(passes)]
    line = {"color": _ORANGE, "label": "chosen batches", "linewidth": 1}
    axes.plot(passes[: len(trained)], trained, **line, marker=marker, markersize=3)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set_xlabel("passes (samples trained on / n)")
    axes.set_ylabel("loss")
    axes.legend(frameon=False, fontsize=9)
    axes.grid(alpha=0.25)
