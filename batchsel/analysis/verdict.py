"""What a comparison allows to be said, in a sentence."""

from __future__ import annotations

from batchsel.analysis.comparison import Analysis, Comparison
from batchsel.analysis.stats.estimates import Estimate

_SPEEDUPS = (10, 5, 3, 2, 1.5, 1.3, 1.2, 1.1)


def sentence(item: Comparison) -> str:
    """The verdict.

    "Faster" is said only if the whole interval lies on that side, a factor only if its nearer end reaches it.

    Args:
        item: The comparison.
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
            f"{where}: {arm} needed {number(item.decisive)} of {base}'s {quantity} on the one seed that both have;"
            " one seed proves nothing."
        )
    told = f"{arm} needs {number(item.decisive)} of {base}'s {quantity}"
    if item.time is not None:
        told += f" and {number(item.samples)} of its samples"
    told += f" (95 % intervals, {item.pairs} seeds, {item.reached[0]} and {item.reached[1]} reached it)"
    if item.verdict == "tie":
        return f"{where}: no evidence of a difference: {told}."
    return f"{where}: {arm} is {_how(item)}: {told}."


def warnings(item: Comparison) -> list[str]:
    """What a reader must know before believing the sentence.

    Args:
        item: The comparison.
    """
    found = []
    if item.time is None:
        found.append("runs shared the device, so their seconds are left out; samples decide.")
    if item.disturbed and item.verdict not in ("not reached", "too few"):
        found.append(
            f"time ratio {item.time.value:.2f} and cost ratio {item.cost.value:.2f} differ by more than"
            " 15 %: the clock was disturbed, or a sample costs another time in this arm (batch size, planning);"
            " see where the time went and what the arms set."
        )
    runs = 2 * item.pairs
    missed = runs - sum(item.reached)
    if missed and item.verdict in ("faster", "slower", "tie"):
        found.append(f"{missed} of {runs} runs missed the target; they count with their budget.")
    if item.verdict in ("faster", "slower") and item.p_holm > 0.05:
        found.append(f"after Holm's correction for all comparisons p = {item.p_holm:.2g}: weak evidence.")
    return found


def sentences(analysis: Analysis) -> list[str]:
    """Verdicts of all arms, then what their controls say.

    Args:
        analysis: All comparisons.
    """
    told = [sentence(item) for item in analysis.comparisons if item.arm.role == "arm"]
    return told + [_control(item) for item in analysis.comparisons if item.arm.role == "control"]


def number(ratio: Estimate, bound: bool = False) -> str:
    """A ratio with its interval.

    Args:
        ratio: The ratio.
        bound: Whether it is at least that.

    Example:
        >>> number(Estimate(0.714, 0.64, 0.789)), number(Estimate(0.5))
        ('0.71 [0.64, 0.79]', '0.50')
    """
    least = "≥ " if bound else ""
    if ratio.low is None:
        return f"{least}{ratio.value:.2f}"
    return f"{least}{ratio.value:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"


def baseline_drifted(item: Comparison) -> bool:
    """Whether the baseline, run once more, took another time: the interval of their ratio leaves 1 out.

    Args:
        item: A comparison; only that with such a control can be so.
    """
    if item.arm.role != "control" or item.arm.control_of or item.time is None or item.time.low is None:
        return False
    return not item.time.low <= 1 <= item.time.high


def _how(item: Comparison) -> str:
    ratio = item.decisive
    least = 1 / ratio.high if item.verdict == "faster" else ratio.low
    word = "faster" if item.verdict == "faster" else "slower"
    for factor in _SPEEDUPS:
        if least >= factor:
            return f"{word}, at least {factor:g} times"
    return word


def _control(item: Comparison) -> str:
    name, seeds = item.arm.arm, item.pairs
    if not item.arm.control_of:
        means = "as it must be"
        if baseline_drifted(item):
            means = "which it must not be: times of this session are not to be trusted"
        return f"control on {item.dataset}: {name} against {item.baseline.arm}: {number(item.decisive)}, {means}."
    return (
        f"control on {item.dataset}: {name} reached {item.target} on {item.reached[0]} of {seeds} seeds, with"
        f" {number(item.samples, item.bound)} of {item.baseline.arm}'s samples. Only what {item.arm.control_of} gains"
        " over this control can be owed to its choice of samples."
    )
