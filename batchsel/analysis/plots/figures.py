"""All figures by name, and those that the records of a data set allow."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batchsel.analysis.comparison import Comparison, analyze
from batchsel.analysis.outcomes import outcome
from batchsel.analysis.plots import curves, history, schedule_log, selected_samples, time_breakdown, time_to_target
from batchsel.analysis.plots.studies import batch_sizes, budgets, factorial, feature_snr, horizon, noise_scale, pareto
from batchsel.analysis.plots.style import Palette, to_svg
from batchsel.experiments.run.run_record import FailureRecord, RunRecord

Arms = Mapping[str, Sequence[RunRecord]]


@dataclass(frozen=True)
class RenderedFigure:
    """Figure of the report.

    Args:
        name: Name of the figure in `batchsel plot`.
        caption: Caption.
        svg: SVG element.
    """

    name: str
    caption: str
    svg: str


def group_by_arm(records: Sequence[RunRecord], order: Iterable[str]) -> dict[str, list[RunRecord]]:
    """Return records by arm.

    Args:
        records: Records of one data set.
        order: Names of the arms, in the order in which they are shown.
    """
    arms: dict[str, list[RunRecord]] = {name: [] for name in order}
    for record in records:
        arms[record.arm.name].append(record)
    return arms


def draw(name: str, arms: Arms, palette: Palette, failures: Sequence[FailureRecord] = ()) -> Any:
    """Draw a figure by name.

    Args:
        name: Key of `FIGURES`.
        arms: Records of each arm.
        palette: Colors.
        failures: Records of runs that failed, for figures of batch sizes.

    Returns:
        The figure, or None if the records do not allow it.
    """
    function = FIGURES[name][1]
    return function(arms, palette, failures) if name in _WITH_FAILURES else function(arms, palette)


def possible_figures(arms: Arms, palette: Palette, failures: Sequence[FailureRecord] = ()) -> list[str]:
    """Return the names of all figures that records allow.

    Args:
        arms: Records of each arm.
        palette: Colors.
        failures: Records of runs that failed.
    """
    return [name for name in FIGURES if draw(name, arms, palette, failures) is not None]


def render_figures(
    arms: Arms,
    palette: Palette,
    names: Collection[str] | None = None,
    failures: Sequence[FailureRecord] = (),
    comparisons: Sequence[Comparison] | None = None,
) -> list[RenderedFigure]:
    """Render all figures that the records of a data set allow.

    Args:
        arms: Records of each arm.
        palette: Colors.
        names: Names of the figures, or None for all.
        failures: Records of runs that failed.
        comparisons: Comparisons of these arms, if they are known already.
    """
    rendered = []
    for name, (caption, _) in FIGURES.items():
        if names is not None and name not in names:
            continue
        if name == "ratios" and comparisons is not None:
            fig = time_to_target.draw_ratios(comparisons, palette) if comparisons else None
        else:
            fig = draw(name, arms, palette, failures)
        if fig is not None:
            dataset = next(iter(arms.values()))[0].spec.dataset
            rendered.append(RenderedFigure(name, caption, to_svg(fig, f"{dataset}: {caption}")))
    return rendered


def _outcomes(arms: Arms) -> dict[str, list[Any]]:
    return {name: [outcome(record) for record in records] for name, records in arms.items()}


def _target(arms: Arms) -> str:
    return next(iter(arms.values()))[0].spec.target


def _ratios(arms: Arms, palette: Palette) -> Any:
    comparisons = analyze([record for records in arms.values() for record in records]).comparisons
    return time_to_target.draw_ratios(comparisons, palette) if comparisons else None


STUDY_FIGURES: dict[str, tuple[str, Callable[..., Any]]] = {
    "effects": (
        "main effects and interactions (×) of the factors on the final test metric",
        factorial.draw_effects,
    ),
    "interaction": (
        "the final test metric of the four combinations; the more the lines differ in slope, the larger the"
        " interaction. With several seeds, bars are 95 % intervals of the means and dots are runs; differences within a"
        " seed are known more exactly",
        factorial.draw_interaction,
    ),
    "batch_accuracy": (
        "the final test metric against the batch size, with 95 % intervals where there are several seeds; the gray line"
        " is the threshold of small batches, a ring the breaking point of a mode",
        batch_sizes.draw_accuracy,
    ),
    "batch_gap": ("the generalization gap against the batch size", batch_sizes.draw_gap),
    "batch_time": ("time and throughput against the batch size", batch_sizes.draw_time),
    "pareto": (
        "means of the final test metric against geometric means of time, and the front of those with times that no"
        " other beats in both",
        pareto.draw_pareto,
    ),
    "speed_up": (
        "speed-up of larger batch sizes over the smallest to the value that small ones reach, exact up to the grid of"
        " evaluations",
        batch_sizes.draw_speed_up,
    ),
    "noise_scale": (
        "the gradient noise scale over a run, median over seeds: by its model a batch of this size needs about twice"
        " the fewest steps possible",
        noise_scale.draw_noise_scale,
    ),
    "budgets": (
        "full, pruned and shortened training: runs and means, and their paired differences",
        budgets.draw_budgets,
    ),
    "horizon": (
        "the final test metric against the budget, each with a schedule that ends with it; the horizontal distance of"
        " two lines is the ratio of the budgets that end equally well. Bars are 95 % intervals of the means over seeds",
        horizon.draw_horizons,
    ),
    "snr": (
        "the ratio of each layer's final features to their difference from the features during the run, mean over"
        " seeds; at 0 dB both are equally large",
        feature_snr.draw_snr,
    ),
}
"""Figures that answer the question of a study."""

FIGURES: dict[str, tuple[str, Callable[..., Any]]] = {
    **STUDY_FIGURES,
    "ratios": ("time and samples ratio of each arm to its baseline, with 95 % intervals", _ratios),
    "curves": (
        "the target's metric over seconds where they can be compared, samples and passes: means, with 95 % bands where"
        " there are several seeds",
        lambda arms, palette: curves.draw_learning_curves(arms, _target(arms), palette),
    ),
    "history": (
        "the target's metric and the loss on the training part, as the mean over the batches between two evaluations,"
        " and on the validation part: means, with 95 % bands where there are several seeds",
        history.draw_history,
    ),
    "loss": ("the loss on the training and the validation part", history.draw_loss),
    "survival": (
        "Kaplan-Meier curves: share of the runs that have reached the target",
        lambda arms, palette: time_to_target.draw_survival(_outcomes(arms), palette),
    ),
    "strip": (
        "every run: its time to the target",
        lambda arms, palette: time_to_target.draw_strip(_outcomes(arms), palette),
    ),
    "time": ("time breakdown of a run", lambda arms, palette: time_breakdown.draw_time_breakdown(arms)),
    "visits": ("how often samples were trained on in a run", time_breakdown.draw_visits),
    "kept": ("share of the data that each arm kept", time_breakdown.draw_kept),
    "learning_rate": ("the learning rate", schedule_log.draw_learning_rates),
    "course": ("other values that varied over a run", schedule_log.draw_schedules),
    "images": ("the samples that were selected most and least often", selected_samples.draw_images),
    "plane": ("selected samples in the plane, and the decision boundary at each stage", selected_samples.draw_plane),
}
"""Every figure by name: its caption, and the function of records by arm and colors that draws it."""
_WITH_FAILURES = {"batch_accuracy", "batch_gap", "batch_time", "pareto", "speed_up"}
"""Figures whose functions also accept the records of failures."""
