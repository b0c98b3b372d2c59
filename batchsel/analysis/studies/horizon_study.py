"""Answer a study of horizons: with what share of the budget does an arm end as well as the baseline?"""

from __future__ import annotations

import math

from batchsel.analysis.stats import estimates, sign_flips
from batchsel.analysis.stats.estimates import FEWEST
from batchsel.analysis.studies.budget_ratio import BudgetRatio
from batchsel.analysis.studies.horizon import Horizons, Ratios, horizons
from batchsel.analysis.studies.study import (
    ONE_SEED,
    Study,
    StudyEstimate,
    TextTable,
    basis,
    failure_notes,
    make_study,
)
from batchsel.analysis.studies.study_parts import StudyPart
from batchsel.analysis.verdict import format_ratio

_SIGNIFICANT = 0.05


def answer(part: StudyPart) -> Study:
    """Answer the study in one of its parts."""
    result = horizons(part)
    if isinstance(result, str):
        return make_study(part, 0, f"no answer yet: {result}", failure_notes(part.failures))
    seeds = max((item.samples.n for item in result.ratios.values() if item.samples is not None), default=0)
    notes = [*failure_notes(part.failures), *_notes(result, seeds)]
    sentence = _sentence(result) + (f"; {ONE_SEED}" if seeds == 1 else "")
    return make_study(part, seeds, sentence, notes, [_ratio_table(result), _final_table(result)], _found(result))


def _sentence(result: Horizons) -> str:
    return "; ".join(_arm_sentence(arm, item, result) for arm, item in result.ratios.items())


def _arm_sentence(arm: str, item: Ratios, result: Horizons) -> str:
    samples, metric = item.samples, result.unit.metric
    if samples is None:
        return f"{arm}: no seed has all its runs and those of {result.base}"
    if samples.bound:
        side, extreme = ("above", "most") if samples.bound < 0 else ("below", "least")
        ends = "the largest" if samples.bound < 0 else "the smallest"
        return (
            f"{arm} ended {side} {result.base} with {ends} budget whichever its own: it needs at {extreme}"
            f" {samples.ratio.value:.2f} of the samples"
        )
    text = (
        f"{arm} needs {format_ratio(samples.ratio)} of the samples that {result.base} needs for the same final {metric}"
    )
    if item.seconds is not None and not item.seconds.bound:
        text += f", and {format_ratio(item.seconds.ratio)} of the time"
    return f"{text} ({_verdict(item, samples)}{basis(samples.ratio, samples.n)})"


def _verdict(item: Ratios, samples: BudgetRatio) -> str:
    ratio = samples.ratio
    if ratio.low is None or ratio.high is None:
        return ""
    if ratio.low <= 1 <= ratio.high:
        return "not distinguishable from as many; "
    if item.p_holm > _SIGNIFICANT:
        return f"its interval excludes 1, but the evidence is weak: p = {item.p_holm:.2g} after Holm; "
    return "fewer; " if ratio.value < 1 else "more; "


def _notes(result: Horizons, seeds: int) -> list[str]:
    notes = []
    if result.constant:
        notes.append(
            "the learning rate was constant: shorter runs are the beginnings of longer ones, and end below what their"
            " budget can reach."
        )
    if any(item.seconds is None and item.samples is not None for item in result.ratios.values()):
        notes.append("some runs shared the device or ran at another time, so ratios of their seconds are left out.")
    for arm, item in result.ratios.items():
        whole = _range(result)
        if item.samples is None or item.samples.bound or whole <= 0:
            continue
        low, high = item.samples.span
        if (high - low) / whole < 1 / 3:
            notes.append(
                f"{arm} and {result.base} have only {100 * (high - low) / whole:.0f} % of the final metrics of"
                f" {result.base} in common: the ratio is that of these; other budgets would say more."
            )
    tests = len([item for item in result.ratios.values() if item.samples is not None])
    if seeds >= FEWEST and sign_flips.smallest(seeds) * tests > _SIGNIFICANT:
        notes.append(
            f"with {seeds} seeds the smallest p of sign flips is {sign_flips.smallest(seeds):.2g}, too large for"
            f" {tests} {'test' if tests == 1 else 'tests'} at once."
        )
    return notes


def _range(result: Horizons) -> float:
    """Return the range of the baseline's mean final metrics, in the unit of the study."""
    means = [sum(point.finals.values()) / len(point.finals) for point in result.points[result.base].values()]
    return max(means) - min(means)


def _ratio_table(result: Horizons) -> TextTable:
    timed = any(item.seconds is not None for item in result.ratios.values())
    several = any(item.samples is not None and item.samples.n >= FEWEST for item in result.ratios.values())
    head = ("arm", "seeds", "samples ratio", *(("time ratio",) if timed else ()), "p", "p (Holm)", "final metrics")
    rows = []
    for arm, item in result.ratios.items():
        if item.samples is None:
            continue
        tested = item.samples.ratio.low is not None
        row = (arm, str(item.samples.n), format_budget_ratio(item.samples))
        row += (format_budget_ratio(item.seconds) if item.seconds else "–",) if timed else ()
        row += (f"{item.samples.p:.2g}", f"{item.p_holm:.2g}") if tested else ("–", "–")
        rows.append((*row, _span_text(item.samples, result)))
    caption = (
        f"Budgets with which an arm ends with the same {result.unit.metric} as {result.base}, the mean over the final"
        " metrics that both reach; paired by seed."
    )
    caption += " In brackets: 95 % intervals; p by sign flips." if several else ""
    return TextTable("Budget ratios", head, rows, caption)


def format_budget_ratio(item: BudgetRatio) -> str:
    """Format a ratio of budgets with its interval, or as the limit that it is.

    Args:
        item: The ratio.

    Example:
        >>> from batchsel.analysis.stats.estimates import Estimate
        >>> format_budget_ratio(BudgetRatio(Estimate(0.5), (0.9, 0.9), 10, 1.0, bound=-1))
        'at most 0.50'
    """
    sign = {-1: "at most ", 0: "", 1: "at least "}[item.bound]
    return sign + format_ratio(item.ratio)


def _span_text(item: BudgetRatio, result: Horizons) -> str:
    if math.isnan(item.span[0]):
        return "none in common"
    low, high = sorted(abs(end) if not result.unit.rising else end for end in item.span)
    return f"{result.unit.number(low)} to {result.unit.number(high)}"


def _final_table(result: Horizons) -> TextTable:
    budgets = list(dict.fromkeys(budget for by_budget in result.points.values() for budget in by_budget))
    rows = []
    for arm, by_budget in result.points.items():
        cells = (
            _mean_text(list(by_budget[budget].finals.values()), result) if budget in by_budget else "–"
            for budget in budgets
        )
        rows.append((arm, *cells))
    caption = f"{result.unit.axis[0].upper()}{result.unit.axis[1:]} at the end of each budget: means over seeds."
    several = any(len(point.finals) >= FEWEST for point in result.points[result.base].values())
    caption += " In brackets: 95 % intervals." if several else ""
    return TextTable("Final metrics", ("arm", *budgets), rows, caption)


def _mean_text(values: list[float], result: Horizons) -> str:
    return result.unit.format(estimates.over_seeds(values))


def _found(result: Horizons) -> tuple[StudyEstimate, ...]:
    found = []
    metric = result.unit.metric
    for arm, item in result.ratios.items():
        for quantity, ratio in (("samples", item.samples), ("time", item.seconds)):
            if ratio is None:
                continue
            limit = {-1: ", at most", 0: "", 1: ", at least"}[ratio.bound]
            p, p_holm = (ratio.p, item.p_holm) if ratio.ratio.low is not None else (None, None)
            found.append(
                StudyEstimate(
                    f"{arm} / {result.base}",
                    f"{quantity} to equal final {metric}{limit}",
                    "ratio",
                    ratio.ratio,
                    ratio.n,
                    p,
                    p_holm if quantity == "samples" else None,
                )
            )
    for arm, by_budget in result.points.items():
        for budget, point in by_budget.items():
            values = list(point.finals.values())
            mean = estimates.over_seeds(values)
            found.append(StudyEstimate(f"{arm}, {budget}", f"test {metric}", result.unit.whole, mean, len(values)))
    return tuple(found)
