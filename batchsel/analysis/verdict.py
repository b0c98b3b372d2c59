"""State the verdict of a comparison in a sentence, with warnings."""

from __future__ import annotations

from batchsel.analysis.comparison import Analysis, Comparison
from batchsel.analysis.stats.estimates import Estimate

_SPEEDUPS = (10, 5, 3, 2, 1.5, 1.3, 1.2, 1.1)


def sentence(item: Comparison) -> str:
    """Return the verdict as a sentence.

    It says "faster" only if the whole interval lies on that side, and names a factor only if the nearer end of the
    interval reaches it.
    """
    arm, base = item.arm.arm, item.baseline.arm
    quantity = "samples" if item.time is None else "time"
    where = f"on {item.dataset}, {item.target}"
    if item.verdict == "not reached":
        return (
            f"{where}: {arm} reached it on {item.reached[0]} and {base} on {item.reached[1]} of {item.pairs} seeds,"
            " too few to compare times."
        )
    if item.verdict == "too few":
        return (
            f"{where}: {arm} needed {format_ratio(item.decisive)} of {base}'s {quantity} on the one seed that both"
            " have; one seed proves nothing."
        )
    needs = f"{arm} needs {format_ratio(item.decisive)} of {base}'s {quantity}"
    if item.time is not None:
        needs += f" and {format_ratio(item.samples)} of its samples"
    needs += f" (95 % intervals, {item.pairs} seeds, {item.reached[0]} and {item.reached[1]} reached it)"
    if item.verdict == "tie":
        return f"{where}: no evidence of a difference: {needs}."
    return f"{where}: {arm} is {_speed_words(item)}: {needs}."


def warnings(item: Comparison) -> list[str]:
    """Return caveats that a reader must know before believing the sentence."""
    texts = []
    if item.time is None:
        texts.append("runs shared the device, so their seconds are left out; samples decide.")
    if item.time is not None and item.disturbed and item.verdict not in ("not reached", "too few"):
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
    if missed and item.verdict in ("faster", "slower", "tie"):
        texts.append(f"{missed} of {runs} runs missed the target; they count with their budget.")
    if item.verdict in ("faster", "slower") and item.p_holm > 0.05:
        texts.append(f"after Holm's correction for all comparisons p = {item.p_holm:.2g}: weak evidence.")
    return texts


def sentences(analysis: Analysis) -> list[str]:
    """Return the verdicts on all arms, followed by the results of the controls."""
    verdicts = [sentence(item) for item in analysis.comparisons if item.arm.role == "arm"]
    return verdicts + [_control_sentence(item) for item in analysis.comparisons if item.arm.role == "control"]


def format_ratio(ratio: Estimate, bound: bool = False) -> str:
    """Format a ratio with its interval.

    Args:
        ratio: The ratio.
        bound: True if it is a lower bound.

    Example:
        >>> format_ratio(Estimate(0.714, 0.64, 0.789)), format_ratio(Estimate(0.5))
        ('0.71 [0.64, 0.79]', '0.50')
    """
    least = "≥ " if bound else ""
    if ratio.low is None:
        return f"{least}{ratio.value:.2f}"
    return f"{least}{ratio.value:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"


def baseline_drifted(item: Comparison) -> bool:
    """Return True if the baseline took another time when it was run again: the interval of the ratio excludes 1.

    Args:
        item: A comparison; False unless its arm is a second run of the baseline.
    """
    if item.arm.role != "control" or item.arm.control_of or item.time is None:
        return False
    low, high = item.time.low, item.time.high
    return low is not None and high is not None and not low <= 1 <= high


def _speed_words(item: Comparison) -> str:
    """Return "faster" or "slower", with the largest factor that the whole interval supports."""
    ratio, word = item.decisive, item.verdict
    assert ratio.low is not None  # there is no such verdict without an interval
    assert ratio.high is not None
    least = 1 / ratio.high if word == "faster" else ratio.low
    for factor in _SPEEDUPS:
        if least >= factor:
            return f"{word}, at least {factor:g} times"
    return word


def _control_sentence(item: Comparison) -> str:
    name, seeds = item.arm.arm, item.pairs
    if not item.arm.control_of:
        means = "as expected"
        if baseline_drifted(item):
            means = "unlike expected: do not trust the times of this session"
        return f"control on {item.dataset}: {name} against {item.baseline.arm}: {format_ratio(item.decisive)}, {means}."
    return (
        f"control on {item.dataset}: {name} reached {item.target} on {item.reached[0]} of {seeds} seeds, with"
        f" {format_ratio(item.samples, item.bound)} of {item.baseline.arm}'s samples. Only the gain of"
        f" {item.arm.control_of} over this control can be due to its choice of samples."
    )
