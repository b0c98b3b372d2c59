"""What runs came to at the end of their budget, and the unit in which differences of it are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from batchsel.analysis.stats.estimates import Estimate
from batchsel.core.target import Target


class Unit(NamedTuple):
    """How a metric is told."""

    metric: str
    name: str
    """ "points" for shares, of which 100 are the whole; empty for others."""
    factor: float
    """What values are multiplied by."""
    rising: bool
    """Whether more is better."""

    def number(self, value: float, signed: bool = False) -> str:
        """A value that is multiplied already.

        Args:
            value: The value.
            signed: Whether to put a plus before it.

        Example:
            >>> unit_of("accuracy").number(0.4, signed=True), unit_of("loss").number(0.41234)
            ('+0.40', '0.412')
        """
        sign = "+" if signed else ""
        return f"{value:{sign}.2f}" if self.factor != 1 else f"{value:{sign}.3g}"

    def tell(self, estimate: Estimate, signed: bool = False) -> str:
        """A value and its interval, where there is one.

        Args:
            estimate: Multiplied already.
            signed: Whether to put a plus before the value.

        Example:
            >>> unit_of("accuracy").tell(Estimate(0.4, -0.2, 1.0), signed=True)
            '+0.40 [-0.20, 1.00]'
        """
        told = self.number(estimate.value, signed)
        if estimate.low is None or estimate.high is None:
            return told
        return f"{told} [{self.number(estimate.low)}, {self.number(estimate.high)}]"

    def difference(self, estimate: Estimate) -> str:
        """A difference in a sentence.

        Args:
            estimate: Multiplied already.

        Example:
            >>> unit_of("accuracy").difference(Estimate(0.4, -0.2, 1.0))
            '+0.40 points of accuracy [-0.20, 1.00]'
        """
        value, *interval = self.tell(estimate, True).split(" ", 1)
        return " ".join([value, self.words, *interval])

    def amount(self, value: float) -> str:
        """A size of a difference in a sentence.

        Args:
            value: Multiplied already.

        Example:
            >>> unit_of("accuracy").amount(1.0), unit_of("accuracy").amount(0.5), unit_of("loss").amount(0.1)
            ('1 point', '0.5 points', '0.1')
        """
        return f"{value:g} {self.name.removesuffix('s') if value == 1 else self.name}".strip()

    @property
    def words(self) -> str:
        """The unit of a difference in a sentence.

        Example:
            >>> unit_of("accuracy").words, unit_of("loss").words
            ('points of accuracy', 'of loss')
        """
        return f"{self.name} of {self.metric}".strip()

    @property
    def whole(self) -> str:
        """The unit of a value: "%" where differences are points."""
        return "%" if self.name else ""

    @property
    def axis(self) -> str:
        """The label of an axis of values.

        Example:
            >>> unit_of("accuracy").axis, unit_of("loss").axis
            ('test accuracy (%)', 'test loss')
        """
        return f"test {self.metric} (%)" if self.factor != 1 else f"test {self.metric}"


def unit_of(metric: str, target: str | None = None) -> Unit:
    """The unit of a metric.

    Args:
        metric: Its name.
        target: A target, whose direction decides if it is of this metric.
    """
    share = "accuracy" in metric
    goal = Target.parse(target) if target else None
    if goal is not None and goal.metric == metric:
        rising = goal.rising
    else:
        rising = not ("loss" in metric or "perplexity" in metric)
    return Unit(metric, "points" if share else "", 100.0 if share else 1.0, rising)


def asked_of(records: Sequence[Mapping[str, Any]], analysis: Mapping[str, Any]) -> Unit:
    """The unit of the metric that a study is about: the one it states, else that of the target.

    Args:
        records: Of a part, at least one.
        analysis: The [analysis] table.
    """
    target = records[0]["spec"]["target"]
    return unit_of(analysis.get("metric") or Target.parse(target).metric, target)


def end_of(record: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Results on the test part with the weights at the end of the budget; None if they were not measured.

    Those of the crossing are no substitute: by construction they lie at the target.

    Args:
        record: The record. A run that missed its target was read at the end anyhow.

    Example:
        >>> end_of({"reached": False, "test": {"accuracy": 0.8}}), end_of({"reached": True, "test": {"accuracy": 0.9}})
        ({'accuracy': 0.8}, None)
    """
    measured = (record.get("end") or {}).get("test")
    return measured or (None if record["reached"] else record["test"])


def lacking(records: Sequence[Mapping[str, Any]]) -> str:
    """Why final results cannot be told; empty if all runs have them.

    Args:
        records: Of a part.
    """
    count = sum(end_of(record) is None for record in records)
    runs = "1 run lacks" if count == 1 else f"{count} runs lack"
    return f"{runs} results of the end of the budget" if count else ""


def finals(records: Sequence[Mapping[str, Any]], unit: Unit) -> list[float | None]:
    """The final test metric of each run, in its unit.

    Args:
        records: Of a part.
        unit: The unit.

    Returns:
        A number a run; None where it has none, such as the loss of a run that went astray.
    """
    values = [(end_of(record) or {}).get(unit.metric) for record in records]
    return [None if value is None else float(value) * unit.factor for value in values]
