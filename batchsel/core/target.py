"""Targets: a metric and a threshold to reach, as in ``accuracy>=0.91``."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass

from batchsel.core.parameters import FLOAT32
from batchsel.errors import UsageError, shorten, unknown_name

HOLD = 2
"""Consecutive evaluations that must meet a target before it counts as reached."""
_FALLING = ("loss", "perplexity")
_FORM = re.compile(r"^\s*(?P<metric>[A-Za-z_]\w*)\s*(?P<sign>>=|<=)\s*(?P<value>[-+0-9.eE]+)\s*$")


@dataclass(frozen=True)
class Target:
    """A threshold that a metric must rise or fall to.

    Args:
        metric: Name of a compiled metric, or "loss", on the evaluation data.
        threshold: The value to reach.
        rising: True for ``>=``.

    Example:
        >>> Target.parse("accuracy>=0.91").is_met_by({"accuracy": 0.92})
        True
    """

    metric: str
    threshold: float
    rising: bool

    @classmethod
    def parse(cls, text: str) -> Target:
        """Parse the text form.

        Args:
            text: ``metric>=value`` or ``metric<=value``.

        Raises:
            UsageError: If the text does not have that form.
        """
        return _parse(text)

    def __str__(self) -> str:
        short = f"{self.threshold:g}"
        value = short if float(short) == self.threshold else repr(self.threshold)
        return f"{self.metric}{'>=' if self.rising else '<='}{value}"

    def check(self, metrics: Iterable[str]) -> None:
        """Check that the metric exists and can reach the threshold.

        Args:
            metrics: Names of the metrics of an evaluation.

        Raises:
            UsageError: If the metric is unknown or cannot reach the threshold.

        Example:
            >>> Target.parse("accuracy>=91").check(["loss", "accuracy"])
            Traceback (most recent call last):
            batchsel.errors.UsageError: target accuracy>=91: accuracy lies between 0 and 1; did you mean ...
        """
        metrics = list(metrics)
        if self.metric not in metrics:
            raise unknown_name("target metric", self.metric, metrics)
        if "accuracy" in self.metric and not 0 <= self.threshold <= 1:
            hint = f"; did you mean {self.threshold / 100:g}?" if 1 < self.threshold <= 100 else "."
            raise UsageError(f"target {self}: {self.metric} lies between 0 and 1{hint}")
        if ("accuracy" in self.metric and not self.rising) or (self.metric in _FALLING and self.rising):
            raise UsageError(f"target {self}: reverse the sign, {self.metric} should {self._verb()}.")

    def _verb(self) -> str:
        return "fall" if self.metric in _FALLING else "rise"

    def is_met_by(self, results: dict[str, float]) -> bool:
        """Return True if an evaluation meets the target.

        Args:
            results: Metrics by name.
        """
        value = results[self.metric]
        return value >= self.threshold if self.rising else value <= self.threshold


@functools.lru_cache(maxsize=256)  # records state the same few, thousands of times
def _parse(text: str) -> Target:
    match = _FORM.match(text)
    try:
        threshold = float(match["value"]) if match else float("nan")
    except ValueError:
        threshold = float("nan")
    if match is None or not abs(threshold) <= FLOAT32:
        raise UsageError(f"cannot read the target {shorten(text)!r}. Expected e.g. 'accuracy>=0.91' or 'loss<=0.3'.")
    return Target(match["metric"], threshold, match["sign"] == ">=")


def first_reached(met: Iterable[bool], hold: int = HOLD) -> int | None:
    """Return the first of the first `hold` consecutive evaluations that meet the target.

    One lucky evaluation does not reach a target. Time is charged up to the first of the consecutive ones.

    Args:
        met: For each evaluation, True if it met the target; read no further than needed.
        hold: Number of consecutive evaluations required.

    Returns:
        The position, or None.

    Example:
        >>> first_reached([False, True, False, True, True])
        3
    """
    streak = 0
    for position, value in enumerate(met):
        streak = streak + 1 if value else 0
        if streak == hold:
            return position - hold + 1
    return None
