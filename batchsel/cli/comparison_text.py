"""A comparison as text: a table, and a verdict in a sentence each."""

from __future__ import annotations

import math
import textwrap

from batchsel.analysis.comparison import Analysis, Comparison, Summary
from batchsel.analysis.overall import overall
from batchsel.analysis.verdict import number, sentences, warnings
from batchsel.cli.output import columns

_HEAD = ("data set", "arm", "reached", "median s", "time ratio", "samples ratio", "p (Holm)")
_WIDTH = 110


def lines(analysis: Analysis, quick: bool = False) -> list[str]:
    """The table, the verdicts and what must be known before they are believed.

    Args:
        analysis: All comparisons.
        quick: Whether it was only a first look.
    """
    pairs = {(item.dataset, item.arm.arm): item for item in analysis.comparisons}
    rows = [_HEAD, *(_row(item, pairs.get((item.dataset, item.arm))) for item in analysis.summaries)]
    told = [*sentences(analysis), *_together(analysis)]
    told += [f"Note: {text}" for item in analysis.comparisons if item.arm.role == "arm" for text in warnings(item)]
    if quick:
        told.append("This was a first look on few seeds: it proves nothing. Leave out --quick.")
    return [
        *columns(rows),
        "",
        *(line for text in told for line in textwrap.wrap(text, _WIDTH, subsequent_indent="  ")),
    ]


def _together(analysis: Analysis) -> list[str]:
    """What holds over all data sets, if there are several."""
    if len({item.dataset for item in analysis.summaries}) == 1:
        return []
    return [
        f"over {row.reached} of {row.datasets} data sets: {row.arm} needs {row.mean:.2f} of the baseline's time"
        f" (geometric mean), {row.worst:.2f} at worst; mean performance profile {row.profile.score:.2f}."
        for row in overall(analysis)
        if row.mean is not None
    ]


def _row(item: Summary, comparison: Comparison | None) -> tuple[str, ...]:
    middle = "-" if math.isinf(item.median_seconds) else f"{item.median_seconds:.3g}"
    front = (item.dataset, item.arm, f"{round(item.reach.value * item.n)}/{item.n}", middle)
    if comparison is None:
        return (*front, "1", "1", "")
    time = "-" if comparison.time is None else number(comparison.time, comparison.bound)
    return (*front, time, number(comparison.samples, comparison.bound), f"{comparison.p_holm:.2g}")
