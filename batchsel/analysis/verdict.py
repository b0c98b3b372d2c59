"""State the verdict of a comparison in a sentence, with warnings."""

from __future__ import annotations

import math

from batchsel.analysis.comparison import EARLY, Analysis, Comparison
from batchsel.analysis.stats import power, sign_flips
from batchsel.analysis.stats.estimates import FEWEST, Estimate

_SPEEDUPS = (10, 5, 3, 2, 1.5, 1.3, 1.2, 1.1)
_RATIOS = (0.8, 0.9)
"""True ratios for which a report says how many seeds they take."""
_UNEVEN = 1.25
"""Evaluations that are this much further apart in one arm than in the other move its arrival."""


def sentence(item: Comparison) -> str:
    """Return the verdict as a sentence.

    It says "faster" only if the whole interval lies on that side and p, corrected for the number of arms, is no larger
    than 0.05; and it names a factor only if the nearer end of the interval reaches it.
    """
    return f"on {item.dataset}, {item.target}: {_claim(item)}."


def _claim(item: Comparison) -> str:
    arm, base = item.arm.arm, item.baseline.arm
    if item.verdict in _WITHOUT_RATIO:
        return _WITHOUT_RATIO[item.verdict](item)
    if item.verdict == "tie" and item.weak and item.decisive is not None:
        word = _words(item)[item.decisive.value > 1]
        if item.p_holm is None or item.p is None:
            return f"weak evidence that {arm} {word} than {base}: {_needs(item)}"
        several = f" after Holm's correction for {item.family} arms" if item.family > 1 else ""
        return f"weak evidence that {arm} {word} than {base}, p = {_p_value(item.p_holm)}{several}: {_needs(item)}"
    if item.verdict == "tie":
        return f"no evidence of a difference: {_needs(item)}"
    return f"{arm} {_speed_words(item)}: {_needs(item)}"


def _needs(item: Comparison) -> str:
    assert item.decisive is not None  # there is no such verdict without a ratio
    text = f"{item.arm.arm} needs {format_ratio(item.decisive, item.bound)} of {item.baseline.arm}'s {_quantity(item)}"
    if item.timed and item.samples is not None:
        text += f" and {format_ratio(item.samples)} of its samples"
    return f"{text} ({_basis(item)})"


def _basis(item: Comparison) -> str:
    level = f"{100 * item.confidence:.3g} % intervals"
    reached = f"{item.pairs} seeds, {item.reached[0]} and {item.reached[1]} reached it"
    failed = [
        f"1 failed run of {name} counts as a miss" if count == 1 else f"{count} failed runs of {name} count as misses"
        for count, name in zip(item.failed, (item.arm.arm, item.baseline.arm), strict=True)
        if count
    ]
    return ", ".join([level, reached, *failed])


def _p_value(p: float) -> str:
    """Format a p-value so that one above 0.05 is not rounded to it."""
    return f"{p:.3f}" if 0.05 < p < 0.055 else f"{p:.2g}"


def _quantity(item: Comparison) -> str:
    return "time" if item.timed else "samples"


def _words(item: Comparison) -> tuple[str, str]:
    return ("is faster", "is slower") if item.timed else ("needs fewer samples", "needs more samples")


def _speed_words(item: Comparison) -> str:
    """Return "is faster" or "is slower", with the largest factor that the whole interval supports."""
    ratio, slower = item.decisive, item.verdict == "slower"
    assert ratio is not None  # there is no such verdict without an interval
    assert ratio.low is not None
    assert ratio.high is not None
    word = _words(item)[slower]
    least = ratio.low if slower else 1 / ratio.high
    for factor in _SPEEDUPS:
        if least >= factor:
            return f"{word}, at least {factor:g} times" if item.timed else f"{word}, by a factor of at least {factor:g}"
    return word


def _only(item: Comparison) -> str:
    arm, base = (item.arm.arm, item.together[0]), (item.baseline.arm, item.together[1])
    left, right = (arm, base) if arm[1] > base[1] else (base, arm)
    p = item.p if item.p_holm is None else item.p_holm
    return (
        f"only {left[0]} reached it: on {left[1]} of {item.pairs} seeds, {right[0]} on {right[1] or 'none'}"
        f"{_failed(item)} (exact test, p = {p or 0.0:.2g})"
    )


def _not_reached(item: Comparison) -> str:
    arm, base = item.arm.arm, item.baseline.arm
    if not any(item.reached):
        return f"neither {arm} nor {base} reached it on any of {item.pairs} seeds{_failed(item)}"
    p = item.p if item.p_holm is None else item.p_holm
    if p is not None and p <= 1 - item.confidence + 1e-9 and item.together[0] < item.together[1]:
        return (
            f"{arm} reached it on fewer seeds: on {item.reached[0]}, {base} on {item.reached[1]} of {item.pairs}"
            f"{_failed(item)} (exact test, p = {p:.2g}), too few to compare times"
        )
    return (
        f"{arm} reached it on {item.reached[0]} and {base} on {item.reached[1]} of {item.pairs} seeds{_failed(item)},"
        " too few to compare times"
    )


def _too_few(item: Comparison) -> str:
    seeds = "one seed" if item.pairs == 1 else "two seeds"
    proves = "one seed proves nothing" if item.pairs == 1 else "two seeds prove nothing"
    if item.decisive is None:
        return (
            f"{item.arm.arm} and {item.baseline.arm} share {seeds}, which cannot be compared{_failed(item)}; {proves}"
        )
    return (
        f"{item.arm.arm} needed {format_ratio(item.decisive, item.bound)} of {item.baseline.arm}'s {_quantity(item)} on"
        f" the {seeds} that both have{_failed(item)}; {proves}"
    )


def _unresolved(item: Comparison) -> str:
    arm, base = item.arm.arm, item.baseline.arm
    if item.decisive is None:
        runs = 2 * item.pairs
        missed = runs - sum(item.reached)
        if item.first == runs:
            return f"nothing can be said: {arm} and {base} reach it at their first evaluation. Evaluate more often"
        reasons = [f"{missed} missed it"] * (missed > 0)
        reasons += [f"{item.first} reached it at their first evaluation or before"] * (item.first > 0)
        known = f" of {runs} runs on {item.pairs} seeds, {' and '.join(reasons)}" if reasons else ""
        return f"too little is known to compare {arm} with {base}:{known}{_failed(item)}"
    needed = f"{arm} needed {item.decisive.value:.2f} of {base}'s {_quantity(item)}"
    same = "no evidence of a difference: " if abs(item.decisive.value - 1) < 1e-6 else ""
    return f"{same}{needed} on each of {item.pairs} seeds, which are all alike, so no interval can be given"


def _no_pairs(item: Comparison) -> str:
    return f"{item.arm.arm} and {item.baseline.arm} share no seed, so nothing can be compared"


def _failed(item: Comparison) -> str:
    parts = [
        f"{'all' if count == item.pairs else count} runs of {name} failed" if count > 1 else f"1 run of {name} failed"
        for count, name in zip(item.failed, (item.arm.arm, item.baseline.arm), strict=True)
        if count
    ]
    return f" ({' and '.join(parts)})" if parts else ""


_WITHOUT_RATIO = {
    "only arm reached": _only,
    "only baseline reached": _only,
    "not reached": _not_reached,
    "too few": _too_few,
    "unresolved": _unresolved,
    "no pairs": _no_pairs,
}


def warnings(item: Comparison) -> list[str]:
    """Return caveats that a reader must know before believing the sentence."""
    texts = []
    compared = item.verdict in ("faster", "slower", "tie")
    if not item.timed and item.verdict not in ("no pairs", "not reached"):
        why = "runs that are compared took place on unlike devices" if item.unlike else "runs shared the device"
        texts.append(f"{why}, so their seconds are left out; samples decide.")
    if item.verdict != "too few" and item.time is not None and item.cost is not None and item.disturbed:
        texts.append(
            f"time ratio {item.time.value:.2f} and cost ratio {item.cost.value:.2f} differ by more than"
            " 15 %: the clock was disturbed, or a sample costs more or less time in this arm (batch size, planning);"
            " see where the time went and what the arms set."
        )
    if item.time is not None and item.stalled:
        texts.append(
            f"processes stood still for {item.stalled:.3g} s on the clock (stopped, or the machine paused), which their"
            " seconds include: see `stalls` in the records, and make these runs again."
        )
    runs = 2 * item.pairs
    missed = runs - sum(item.reached)
    if missed and compared:
        text = f"{missed} of {runs} runs missed the target; their times are only known to be longer."
        if any(item.failed):
            text += f" {sum(item.failed)} of them failed: they never make a claim easier."
        texts.append(text)
    early = [
        name for name, at in zip((item.arm.arm, item.baseline.arm), item.crossings, strict=True) if at and at <= EARLY
    ]
    if early and (compared or item.verdict == "unresolved"):
        texts.append(
            f"{' and '.join(early)} mostly reached the target by evaluation {EARLY}: gains are lost between two"
            " evaluations, so evaluate more often (--evaluations)."
        )
    arm_spacing, base_spacing = item.spacing
    apart = arm_spacing and base_spacing and max(arm_spacing / base_spacing, base_spacing / arm_spacing)
    if apart and apart > _UNEVEN and any(item.reached):
        texts.append(
            f"{item.arm.arm} was evaluated every {arm_spacing:,.0f} samples and {item.baseline.arm} every"
            f" {base_spacing:,.0f}: whoever is looked at more often is seen to arrive earlier."
        )
    alpha = (1 - item.confidence) / item.family
    if compared and item.p_holm is not None and sign_flips.smallest(item.pairs) > alpha:
        texts.append(
            f"with {item.pairs} seeds p is at least {sign_flips.smallest(item.pairs):.2g}"
            + (f", {min(1.0, sign_flips.smallest(item.pairs) * item.family):.2g} after Holm" if item.family > 1 else "")
            + f": no difference could be established; it takes {power.fewest_seeds(alpha)} seeds."
        )
    seeds = max(item.arm.n, item.baseline.n)
    if 0 < item.pairs < seeds and not item.arm.control_of:
        texts.append(f"only {item.pairs} of {seeds} seeds have both runs.")
    return texts


def power_notes(analysis: Analysis, dataset: str) -> list[str]:
    """Return what spread the arms of a data set had over seeds, and how many seeds ratios of 0.8 and 0.9 take.

    Args:
        analysis: All comparisons.
        dataset: Name of the data set.
    """
    own = [
        item
        for item in analysis.comparisons
        if item.dataset == dataset and item.arm.role == "arm" and item.spread is not None and item.spread > 1e-6
    ]
    if not own:
        return []
    spreads = sorted(item.spread or 0.0 for item in own)
    middle, alpha = spreads[len(spreads) // 2], (1 - own[0].confidence) / own[0].family
    seeds = [f"{power.seeds_needed(ratio, middle, alpha):,} seeds to find a ratio of {ratio}" for ratio in _RATIOS]
    several = f", corrected for {own[0].family} arms" if own[0].family > 1 else ""
    span = f"{middle:.2f}" if len(own) == 1 else f"{spreads[0]:.2f} to {spreads[-1]:.2f}, {middle:.2f} in the middle"
    pairs = max(item.pairs for item in own)
    found = power.detectable_ratio(middle, pairs, alpha)
    could = "" if found is None else f"; {pairs} seeds find {found:.2f}"
    return [
        f"the standard deviation of the log ratios over seeds was {span}. With that it takes {' and '.join(seeds)} in"
        f" four of five experiments{several}{could}."
    ]


def uncompared(analysis: Analysis) -> list[str]:
    """Return a sentence on each arm that has no baseline to be compared with.

    Args:
        analysis: All comparisons.
    """
    known = {(item.dataset, item.arm.arm) for item in analysis.comparisons}
    return [
        f"{item.arm} on {item.dataset} is compared with nothing: these records hold no baseline with its settings."
        for item in analysis.summaries
        if item.role == "arm" and (item.dataset, item.arm) not in known
    ]


def sentences(analysis: Analysis) -> list[str]:
    """Return the verdicts on all arms, followed by the results of the controls."""
    verdicts = [sentence(item) for item in analysis.comparisons if item.arm.role == "arm"]
    return verdicts + [_control_sentence(item) for item in analysis.comparisons if item.arm.role == "control"]


def format_ratio(ratio: Estimate, bound: bool = False) -> str:
    """Format a ratio with its interval.

    Args:
        ratio: The ratio.
        bound: True if it is only a bound: its value is an end of its interval.

    Example:
        >>> format_ratio(Estimate(0.714, 0.64, 0.789)), format_ratio(Estimate(0.5))
        ('0.71 [0.64, 0.79]', '0.50')
        >>> format_ratio(Estimate(0.7, 0.0, 0.7), bound=True), format_ratio(Estimate(0.9, 0.6, math.inf))
        ('at most 0.70', '0.90 [0.60, ∞]')
    """
    if bound:
        return f"{'at most' if ratio.low == 0 else 'at least'} {ratio.value:.2f}"
    if ratio.low is None or ratio.high is None:
        return f"{ratio.value:.2f}"
    high = "∞" if math.isinf(ratio.high) else f"{ratio.high:.2f}"
    return f"{ratio.value:.2f} [{ratio.low:.2f}, {high}]"


def baseline_drifted(item: Comparison) -> bool:
    """Return True if the baseline took another time when it was run again: the interval of the ratio excludes 1.

    Args:
        item: A comparison; False unless its arm is a second run of the baseline.
    """
    if item.arm.role != "control" or item.arm.control_of or item.time is None:
        return False
    low, high = item.time.low, item.time.high
    return low is not None and high is not None and not low <= 1 <= high


def _control_sentence(item: Comparison) -> str:
    name, seeds, where = item.arm.arm, item.pairs, f"control on {item.dataset}"
    if not item.arm.control_of:
        front = f"{where}: {name} against {item.baseline.arm}:"
        ratio = item.decisive
        if ratio is None or ratio.low is None:
            text = "not comparable" if ratio is None else format_ratio(ratio, item.bound)
            few = "too few seeds" if seeds < FEWEST else "seeds that allow no interval"
            return f"{front} {text}, from {few}, which say nothing about the clock."
        if baseline_drifted(item):
            return f"{front} {format_ratio(ratio)}, unlike expected: do not trust the times of this session."
        found = None if item.spread is None else power.detectable_ratio(item.spread, seeds)
        could = "" if found is None else f"; a clock {1 / found:.2f} times off would mostly have been noticed"
        return f"{front} {format_ratio(ratio)}, as expected{could if item.timed else ''}."
    needed = (
        ""
        if item.samples is None
        else f", with {format_ratio(item.samples, item.bound)} of {item.baseline.arm}'s samples"
    )
    return (
        f"{where}: {name} reached {item.target} on {item.reached[0]} of {seeds} seeds{needed}. Only the gain of"
        f" {item.arm.control_of} over this control can be due to its choice of samples."
    )
