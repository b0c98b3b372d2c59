"""Final test metrics of runs at the end of their budget, and the unit in which they are reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from batchsel.analysis.stats.estimates import Estimate, share_bounds
from batchsel.core.target import Target
from batchsel.experiments.run.run_record import RunRecord


class MetricUnit(NamedTuple):
    """Unit in which a metric is reported."""

    metric: str
    name: str
    """ "points" for shares, of which 100 are the whole; empty for others."""
    factor: float
    """Factor that values are multiplied by."""
    rising: bool
    """True if more is better."""

    def number(self, value: float, signed: bool = False) -> str:
        """Format a value.

        Args:
            value: The value, multiplied by `factor`.
            signed: True to put a plus before positive values.

        Example:
            >>> unit_for("accuracy").number(0.4, signed=True), unit_for("loss").number(0.41234)
            ('+0.40', '0.412')
        """
        sign = "+" if signed else ""
        return f"{value:{sign}.2f}" if self.factor != 1 else f"{value:{sign}.3g}"

    def format(self, estimate: Estimate, signed: bool = False) -> str:
        """Format a value and its interval, where there is one.

        Args:
            estimate: The estimate, multiplied by `factor`.
            signed: True to put a plus before a positive value.

        Example:
            >>> unit_for("accuracy").format(Estimate(0.4, -0.2, 1.0), signed=True)
            '+0.40 [-0.20, 1.00]'
        """
        text = self.number(estimate.value, signed)
        if estimate.low is None or estimate.high is None:
            return text
        return f"{text} [{self.number(estimate.low)}, {self.number(estimate.high)}]"

    def difference(self, estimate: Estimate) -> str:
        """Format a difference for a sentence.

        Args:
            estimate: The difference, multiplied by `factor`.

        Example:
            >>> unit_for("accuracy").difference(Estimate(0.4, -0.2, 1.0))
            '+0.40 points of accuracy [-0.20, 1.00]'
        """
        value, *interval = self.format(estimate, True).split(" ", 1)
        return " ".join([value, self.words, *interval])

    def amount(self, value: float) -> str:
        """Format the size of a difference for a sentence.

        Args:
            value: The size, multiplied by `factor`.

        Example:
            >>> unit_for("accuracy").amount(1.0), unit_for("accuracy").amount(0.5), unit_for("loss").amount(0.1)
            ('1 point', '0.5 points', '0.1')
        """
        return f"{value:g} {self.name.removesuffix('s') if value == 1 else self.name}".strip()

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest value, multiplied by `factor`.

        Example:
            >>> unit_for("accuracy").bounds, unit_for("loss").bounds
            ((0.0, 100.0), (0.0, inf))
        """
        low, high = share_bounds(self.metric)
        return low * self.factor, high * self.factor

    @property
    def words(self) -> str:
        """Unit of a difference, for a sentence.

        Example:
            >>> unit_for("accuracy").words, unit_for("loss").words
            ('points of accuracy', 'of loss')
        """
        return f"{self.name} of {self.metric}".strip()

    @property
    def whole(self) -> str:
        """Unit of a value: "%" where differences are points."""
        return "%" if self.name else ""

    @property
    def axis(self) -> str:
        """Label of an axis of values.

        Example:
            >>> unit_for("accuracy").axis, unit_for("loss").axis
            ('test accuracy (%)', 'test loss')
        """
        return f"test {self.metric} (%)" if self.factor != 1 else f"test {self.metric}"


def unit_for(metric: str, target: str | None = None) -> MetricUnit:
    """Return the unit of a metric.

    Args:
        metric: Name of the metric.
        target: A target; its direction decides if it is on this metric.
    """
    share = "accuracy" in metric
    goal = Target.parse(target) if target else None
    if goal is not None and goal.metric == metric:
        rising = goal.rising
    else:
        rising = not ("loss" in metric or "perplexity" in metric)
    return MetricUnit(metric, "points" if share else "", 100.0 if share else 1.0, rising)


def study_unit(records: Sequence[RunRecord], analysis: Mapping[str, Any]) -> MetricUnit:
    """Return the unit of a study's metric: the one that its card names, else that of the target.

    Args:
        records: Records of a part of the study, at least one.
        analysis: The [analysis] table.
    """
    target = records[0].spec.target
    return unit_for(analysis.get("metric") or Target.parse(target).metric, target)


def final_results(record: RunRecord) -> Mapping[str, float | None] | None:
    """Return the test results with the weights at the end of the budget, or None if they were not measured.

    Results at the crossing cannot stand in for them: by construction they lie at the target. A run that missed its
    target was tested at the end in any case.
    """
    measured = record.end.test if record.end else None
    return measured or (None if record.reached else record.test)


def missing_finals(records: Sequence[RunRecord]) -> str:
    """Return why final metrics are not known; empty if all runs have them."""
    count = sum(final_results(record) is None for record in records)
    runs = "1 run lacks" if count == 1 else f"{count} runs lack"
    return f"{runs} results of the end of the budget" if count else ""


def final_metrics(records: Sequence[RunRecord], unit: MetricUnit) -> list[float | None]:
    """Return the final test metric of each run, in its unit.

    Args:
        records: Records of a part of a study.
        unit: Unit of the metric.

    Returns:
        A number for each run; None where it has none, such as the loss of a run that diverged.
    """
    values = [(final_results(record) or {}).get(unit.metric) for record in records]
    return [None if value is None else float(value) * unit.factor for value in values]
