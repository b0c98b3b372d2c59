"""A comparison as text: a table, and a verdict in one sentence for each arm."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

from batchsel.analysis.comparison import Analysis, Comparison, Summary
from batchsel.analysis.overall import overall
from batchsel.analysis.report.final_table import FinalRow
from batchsel.analysis.report.tables import NO_LEVELS, Levels
from batchsel.analysis.stats.estimates import Estimate
from batchsel.analysis.studies.all_studies import exclude_studied
from batchsel.analysis.studies.study import SCALED, Study
from batchsel.analysis.verdict import format_ratio, power_notes, sentences, uncompared, warnings
from batchsel.cli.support.output import format_columns

_HEAD = ("data set", "arm", "reached", "median s", "time ratio", "samples ratio", "p (Holm)")
_WIDTH = 110


def lines(
    analysis: Analysis,
    levels: Levels = NO_LEVELS,
    studies: Sequence[Study] = (),
    quick: bool = False,
    finals: Sequence[FinalRow] = (),
) -> list[str]:
    """Return the answers of studies, the table, the verdicts and their caveats, as lines.

    Args:
        analysis: All comparisons.
        levels: The arms of each data set at its several targets.
        studies: The answers of studies.
        quick: True if the comparison used few seeds; the text then says that it proves nothing.
        finals: Final metrics of each arm.
    """
    pairs = {(item.dataset, item.arm.arm): item for item in analysis.comparisons}
    plain = exclude_studied(analysis, studies)
    rows = [_HEAD, *(_row(item, pairs.get((item.dataset, item.arm))) for item in plain.summaries)]
    notes = [*sentences(plain), *uncompared(plain), *_over_data_sets(plain)]
    notes += [
        f"Note on {item.arm.arm} on {item.dataset}: {text}"
        for item in plain.comparisons
        if item.arm.role == "arm"
        for text in warnings(item)
    ]
    notes += [
        f"{dataset}: {text}"
        for dataset in dict.fromkeys(item.dataset for item in plain.summaries)
        for text in power_notes(plain, dataset)
    ]
    if quick:
        notes.append("This was a first look on few seeds: it proves nothing. Leave out --quick.")
    return [
        *(line for study in studies for line in _study(study)),
        *([*format_columns(rows), ""] if plain.summaries else []),
        *_at_levels({name: at for name, at in levels.items() if name not in {study.dataset for study in studies}}),
        *(line for dataset in dict.fromkeys(row.dataset for row in finals) for line in _finals(dataset, finals)),
        *(line for text in notes for line in _wrap(text)),
    ]


def _finals(dataset: str, finals: Sequence[FinalRow]) -> list[str]:
    """Return the final metrics of a data set, as mean and half of the 95 % interval."""
    rows = [row for row in finals if row.dataset == dataset and row.values]
    if not rows:
        return []
    cells = [(row.arm, str(row.runs), *map(_mean, row.values.values())) for row in rows]
    return [*format_columns([(f"{dataset}, at the end", "runs", *rows[0].values), *cells]), ""]


def _mean(estimate: Estimate) -> str:
    if math.isnan(estimate.value):
        return "-"
    half = "" if estimate.low is None or estimate.high is None else f" ± {(estimate.high - estimate.low) / 2:.4f}"
    return f"{estimate.value:.4f}{half}"


def _study(study: Study) -> list[str]:
    """Return the answer of a study, its notes and its tables."""
    found = _wrap(study.sentence[0].upper() + study.sentence[1:])
    if study.form == SCALED:
        found += _wrap("This is the scaled form of the study.")
    found += [line for note in study.notes for line in _wrap(f"Note: {note}")]
    for table in study.tables:
        found += ["", f"{table.title}, {study.place}", *format_columns([table.head, *table.rows])]
    return [*found, ""]


def _wrap(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, subsequent_indent="  ")


def _over_data_sets(analysis: Analysis) -> list[str]:
    """Summarize each arm over all data sets, if there are several."""
    if len({item.dataset for item in analysis.summaries}) < 2:
        return []
    return [
        f"over {row.reached} of {row.datasets} data sets: {row.arm} needs {row.mean:.2f} of the baseline's time"
        f" (geometric mean), {row.worst:.2f} at worst; mean performance profile {row.profile.score:.2f}."
        for row in overall(analysis)
        if row.mean is not None
    ]


def _at_levels(levels: Levels) -> list[str]:
    """Return a table of time ratios at every target, for each data set that has several."""
    found = []
    for dataset, at_targets in levels.items():
        head = (dataset, *(level.target for level in at_targets))
        names = [item.arm.arm for item in at_targets[0].comparisons]
        rows = [
            (name, *(_ratio(item) for level in at_targets for item in level.comparisons if item.arm.arm == name))
            for name in names
        ]
        found += [*format_columns([head, *rows]), ""] if rows else []
    return found


def _ratio(item: Comparison) -> str:
    """Format the number of seeds that reached the target, and the ratio of times (of samples if there are no times)."""
    if item.decisive is None:
        return f"{item.reached[0]}/{item.pairs}"
    return f"{item.reached[0]}/{item.pairs}, {format_ratio(item.decisive, item.bound)}"


def _row(item: Summary, comparison: Comparison | None) -> tuple[str, ...]:
    seconds = item.median_seconds
    middle = "-" if seconds is None or math.isinf(seconds) else f"{seconds:.3g}"
    front = (item.dataset, item.arm, f"{round(item.reach.value * item.n)}/{item.n}", middle)
    if comparison is None:
        return (*front, *(("1", "1") if item.role == "baseline" else ("-", "-")), "")
    ratios = (comparison.time, comparison.samples)
    texts = ("-" if ratio is None else format_ratio(ratio, comparison.bound) for ratio in ratios)
    return (*front, *texts, "" if comparison.p_holm is None else f"{comparison.p_holm:.2g}")
