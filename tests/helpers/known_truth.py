"""Comparisons with known truth, made up: how often verdicts are wrong, and intervals miss.

A cell is a situation, such as "the arm misses its target in 30 % of runs". `measure` makes experiments of it up and
judges them by the functions that reports use. `make simulate` prints all cells.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy import stats

from batchsel.analysis.comparison import decide, lopsided
from batchsel.analysis.sequential import is_decided, look_confidence, look_sizes
from batchsel.analysis.stats import paired_ratio, significance
from batchsel.analysis.stats.paired_ratio import LogTimes

FALSE = 3.5
"""Largest percentage of experiments that may call an arm falsely faster, and as many falsely slower."""
COVERED = (93.0, 98.0)
"""Percentages of intervals that may cover the truth where 95 are nominal."""


@dataclass(frozen=True)
class Sample:
    """Experiments of a cell: one row each, one column for each seed."""

    arms: list[LogTimes]
    baseline: LogTimes
    truth: float = 0.0
    """The log ratio of every arm."""
    failed: np.ndarray | None = None
    """True where the run of the first arm failed."""


@dataclass(frozen=True)
class Cell:
    """A situation, and what must hold in it, in percent; None for what is only reported."""

    group: str
    name: str
    make: Callable[[np.random.Generator, int], Sample] = field(repr=False)
    covered: tuple[float, float] | None = COVERED
    faster: tuple[float, float] | None = None
    slower: tuple[float, float] | None = None
    looks: tuple[int, int] | None = None
    """Seeds that are added at a time, and their largest number, where they are added until the verdict is clear."""


@dataclass(frozen=True)
class Rates:
    """What was measured, in percent of the experiments."""

    covered: float
    """Of the intervals."""
    faster: float
    """An arm was called faster."""
    slower: float
    intervals: float
    """Experiments with an interval (of the first arm)."""
    ratio: float
    """Median of the estimates."""
    only: float
    """Only one of the two was said to reach the target."""


def measure(cell: Cell, experiments: int, seed: int = 0) -> Rates:
    """Return how experiments of a cell come out."""
    if cell.looks:
        return _measure_looks(cell, experiments, seed)
    sample = cell.make(np.random.default_rng([seed, *cell.name.encode()]), experiments)
    found, p, reached = [], [], []
    for place, arm in enumerate(sample.arms):
        failed = sample.failed if place == 0 else None
        result = paired_ratio.compare(arm, sample.baseline, failed)
        limit = np.minimum(arm.limit, sample.baseline.limit)
        sides = [(t.value < limit) & (t.value < t.limit) for t in (arm, sample.baseline)]
        raw = [(t.value < t.limit).sum(1) for t in (arm, sample.baseline)]
        found.append(result)
        reached.append((raw, sides))
        p.append(result.p)
    n = sample.baseline.value.shape[1]
    verdicts = [_verdicts(n, found, p, reached, row) for row in range(experiments)]
    low, high = (np.array([getattr(item, end) for item in found]) for end in ("low", "high"))
    known = ~np.isnan(low)
    inside = (low <= sample.truth + 1e-12) & (sample.truth - 1e-12 <= high)
    return Rates(
        covered=100 * float(inside[known].mean()) if known.any() else float("nan"),
        faster=100 * float(np.mean(["faster" in found for found in verdicts])),
        slower=100 * float(np.mean(["slower" in found for found in verdicts])),
        intervals=100 * float(known[0].mean()),
        ratio=float(np.exp(np.nanmedian(found[0].center))),
        only=100 * float(np.mean([any(text.startswith("only") for text in found) for found in verdicts])),
    )


def _measure_looks(cell: Cell, experiments: int, seed: int) -> Rates:
    """Return how experiments come out to which seeds are added until the verdict on their only arm is clear."""
    sample = cell.make(np.random.default_rng([seed, *cell.name.encode()]), experiments)
    block, most = cell.looks
    verdicts, inside = np.full(experiments, "tie", object), np.zeros(experiments)
    ratio, open_ = np.zeros(experiments), np.ones(experiments, bool)
    for n in look_sizes(block, most):
        confidence = look_confidence(n, block, most)
        arm, base = (LogTimes(*(part[open_, :n] for part in times)) for times in (sample.arms[0], sample.baseline))
        found = paired_ratio.compare(arm, base, confidence=confidence)
        raw = [(times.value < times.limit).sum(1) for times in (arm, base)]
        now = []
        for row in range(len(found.p)):
            reached = int(raw[0][row]), int(raw[1][row])
            ends = None if np.isnan(found.low[row]) else (np.exp(found.low[row]), np.exp(min(found.high[row], 700.0)))
            now.append(decide(n, reached, reached, ends, float(found.p[row]), 1 - confidence))
        places = np.flatnonzero(open_)
        verdicts[places], ratio[places] = now, np.exp(found.center)
        inside[places] = (found.low <= sample.truth) & (sample.truth <= found.high)
        open_[places] = [not is_decided(verdict) for verdict in now]
        if not open_.any():
            break
    shares = [100 * float(np.mean(verdicts == word)) for word in ("faster", "slower")]
    return Rates(100 * float(inside.mean()), *shares, 100.0, float(np.median(ratio)), 0.0)


def _verdicts(n, found, p, reached, row):
    """Return the verdict on each arm of an experiment, as `comparison` states it."""
    values, counts = [], []
    for place, (raw, sides) in enumerate(reached):
        own = int(raw[0][row]), int(raw[1][row])
        left, right = sides[0][row], sides[1][row]
        together = int(left.sum()), int(right.sum())
        counts.append((own, together))
        if max(own) * 2 < n:
            values.append(None)
        elif lopsided(n, together) or own[0] * 2 < n:
            values.append(significance.reached_more_often(int((left & ~right).sum()), int((right & ~left).sum())))
        else:
            values.append(float(p[place][row]) if not np.isnan(p[place][row]) else None)
    corrected = dict(enumerate(significance.holm([1.0 if value is None else value for value in values])))
    verdicts = []
    for place, (own, together) in enumerate(counts):
        low, high = float(found[place].low[row]), float(found[place].high[row])
        ends = None if np.isnan(low) or own[0] * 2 < n or not own[1] else (np.exp(low), np.exp(min(high, 700.0)))
        verdicts.append(decide(n, own, together, ends, corrected.get(place, 1.0)))
    return verdicts


def times(log_time: np.ndarray, budget: float | np.ndarray = np.inf, every: float = 0.05) -> LogTimes:
    """Return times as they are seen on a grid of evaluations, `every` apart, up to a budget."""
    last = np.broadcast_to(np.maximum(np.floor(np.asarray(budget) / every + 1e-9) * every, every), log_time.shape)
    at = np.maximum(np.ceil(np.exp(log_time) / every - 1e-9), 1.0) * every
    value = paired_ratio.within_interval(np.maximum(at - every, 1e-9), at)
    first, limit = np.full(log_time.shape, np.log(every)), np.log(last)
    value = np.where(at <= every * (1 + 1e-9), first, value)
    return LogTimes(np.where(at > last * (1 + 1e-9), limit, value), first, limit)


def exact(log_time: np.ndarray) -> LogTimes:
    """Return times without a grid and without a budget."""
    return LogTimes(log_time, np.full(log_time.shape, -np.inf), np.full(log_time.shape, np.inf))


def pairs(rng, shape, ratio=1.0, spread=0.3, alike=0.5, arms=1):
    """Return log times of arms and of a baseline whose median is 1; `spread` is that of the log ratio."""
    each = spread / np.sqrt(2 * (1 - alike))
    shared = rng.normal(size=shape) * np.sqrt(alike) * each
    own = [shared + rng.normal(size=shape) * np.sqrt(1 - alike) * each for _ in range(arms + 1)]
    return [np.log(ratio) + one for one in own[1:]], own[0], each


def budget_of(share, each):
    """Return the budget that this share of the baseline's runs misses."""
    return float(np.exp(each * stats.norm.ppf(1 - share)))


def _cost(factor, side, share, n=20, alike=0.5):
    def make(rng, experiments):
        (arm,), base, each = pairs(rng, (experiments, n), alike=alike)
        # Both have as many samples; a step of the arm takes `factor` times as long, so that it needs fewer of them.
        limit = budget_of(share, each)
        own, others = (limit * factor, limit) if side == "baseline" else (limit, limit / factor)
        return Sample([times(arm, own, 0.05 * factor)], times(base, others))

    return make


def _smaller(share, n=20, alike=0.5):
    def make(rng, experiments):
        (arm,), base, each = pairs(rng, (experiments, n), alike=alike)
        return Sample([times(arm, budget_of(share, each))], times(base, 3.0))

    return make


def _diverges(share, n=20):
    def make(rng, experiments):
        (arm,), base, _ = pairs(rng, (experiments, n))
        failed = arm.argsort(1).argsort(1) >= n - round(share * n)
        seen = times(arm, 3.0)
        return Sample([seen._replace(value=np.where(failed, seen.limit, seen.value))], times(base, 3.0), 0.0, failed)

    return make


def _never(budget, n=20):
    def make(rng, experiments):
        (arm,), base, _ = pairs(rng, (experiments, n), 0.6)
        arm = np.where(rng.random(arm.shape) < 0.2, 20.0, arm)
        return Sample([times(arm, budget)], times(base, budget), np.log(0.6))

    return make


def _censored(ratio, share, n=20, spread=0.3, alike=0.5, arm_spread=1.0):
    def make(rng, experiments):
        (arm,), base, each = pairs(rng, (experiments, n), ratio, spread, alike)
        arm = np.log(ratio) + arm_spread * (arm - np.log(ratio))
        limit = budget_of(share, each) if share else np.inf
        return Sample([times(arm, limit)], times(base, limit), np.log(ratio))

    return make


def _exact(ratio, spread, n):
    def make(rng, experiments):
        (arm,), base, _ = pairs(rng, (experiments, n), ratio, spread)
        return Sample([exact(arm)], exact(base), np.log(ratio))

    return make


def _arms(number, share=0.0, n=20):
    def make(rng, experiments):
        arms, base, each = pairs(rng, (experiments, n), arms=number)
        limit = budget_of(share, each) if share else np.inf
        return Sample([times(arm, limit) for arm in arms], times(base, limit))

    return make


def _grid(n, ratio=1.0):
    def make(rng, experiments):
        # The baseline needs 1.6 to 3.4 evaluations, so it arrives at the second to fourth.
        (arm,), base, _ = pairs(rng, (experiments, n), ratio, 0.25)
        return Sample([times(arm, np.inf, 0.4)], times(base, np.inf, 0.4), np.log(ratio))

    return make


def _shape(draw, mean, n):
    def make(rng, experiments):
        return Sample([exact(draw(rng, (experiments, n)))], exact(np.zeros((experiments, n))), mean)

    return make


def _slow_runs(rng, shape):
    return 0.3 * rng.normal(size=shape) + np.log(3) * (rng.random(shape) < 0.1)


SHAPES = {
    "normal": (lambda rng, shape: 0.3 * rng.normal(size=shape), 0.0),
    "heavy tails (t, 3 degrees)": (lambda rng, shape: 0.3 * rng.standard_t(3, shape), 0.0),
    "10 % of all runs 3 times as slow": (lambda rng, shape: _slow_runs(rng, shape) - _slow_runs(rng, shape), 0.0),
    "10 % of the arm's runs 3 times as slow": (_slow_runs, 0.1 * np.log(3)),
    "skewed (exponential)": (lambda rng, shape: 0.3 * rng.exponential(size=shape), 0.3),
    "skewed to the left": (lambda rng, shape: -0.3 * rng.exponential(size=shape), -0.3),
    "mildly skewed (gamma, 4)": (lambda rng, shape: 0.3 * rng.gamma(4, 0.5, shape), 0.6),
    "on a grid": (lambda rng, shape: np.round(3 * rng.normal(size=shape)) / 10, 0.0),
}


def _cells():
    none = (0.0, FALSE)
    for alike, share in itertools.product((0.0, 0.5), (0.3, 0.45)):
        for factor, side in ((1.3, "baseline"), (0.7, "arm")):
            name = f"arm's step costs {factor} times, {side} misses {share:.0%}, seeds alike {alike}"
            yield Cell("misses", name, _cost(factor, side, share, alike=alike), None, none, none)
    for share in (0.2, 0.3, 0.45):
        yield Cell("misses", f"arm's budget is smaller, it misses {share:.0%}", _smaller(share), None, none, none)
    for share in (0.1, 0.3, 0.5):
        yield Cell("misses", f"arm fails on its slowest {share:.0%}", _diverges(share), None, none, none)
    for share in (0.3, 0.6):
        yield Cell("misses", f"same budget, {share:.0%} miss", _censored(1.0, share), COVERED, none, none)
    yield Cell("misses", "same budget, 30 % miss, n = 10", _censored(1.0, 0.3, 10), COVERED, none, none)
    yield Cell("misses", "same budget, 30 % miss, arm scatters 1.5 times", _censored(1.0, 0.3, arm_spread=1.5), None)
    for ratio, share in ((0.8, 0.3), (0.8, 0.6), (0.5, 0.3)):
        yield Cell("misses", f"ratio {ratio}, baseline misses {share:.0%}", _censored(ratio, share))
    for budget in (1.3, 2.0, 4.0):
        name = f"ratio 0.6, arm never arrives on a fifth, budget {budget}"
        yield Cell("misses", name, _never(budget), None, (75.0, 100.0), none)
    for number in (1, 3, 5, 10):
        yield Cell("several arms", f"{number} arms", _arms(number), COVERED, none, none)
    yield Cell("several arms", "10 arms, 30 % miss", _arms(10, 0.3), COVERED, none, none)
    for n in (8, 10, 20):
        for name in list(SHAPES)[:3] + list(SHAPES)[6:]:
            yield Cell("intervals", f"{name}, n = {n}", _shape(*SHAPES[name], n), COVERED, *_mean_none(name))
        yield Cell("intervals", f"skewed (exponential), n = {n}", _shape(*SHAPES["skewed (exponential)"], n))
        slow = "10 % of the arm's runs 3 times as slow"
        yield Cell("intervals", f"{slow}, n = {n}", _shape(*SHAPES[slow], n), (89.0, 98.0))
    for n in (3, 4, 5):
        yield Cell("intervals", f"normal, n = {n}", _shape(*SHAPES["normal"], n), COVERED, (0.0, 3.5), (0.0, 3.5))
        yield Cell("intervals", f"skewed (exponential), n = {n}", _shape(*SHAPES["skewed (exponential)"], n), None)
    for n in (3, 4):
        # With so few seeds the grid makes many of them alike, and intervals are wider than they need be.
        yield Cell("intervals", f"target at evaluation 2 to 4, n = {n}", _grid(n), (93.0, 100.0), none, none)
    for n in (10, 20):
        yield Cell("intervals", f"target at evaluation 2 to 4, n = {n}", _grid(n), COVERED, none, none)
    yield Cell("intervals", "target at evaluation 2 to 4, ratio 0.5, n = 20", _grid(20, 0.5), None)
    yield Cell("power", "ratio 0.8, spread 0.3, n = 20", _exact(0.8, 0.3, 20), COVERED, (88.0, 100.0), none)
    yield Cell("power", "the same with 20 evaluations until the target", _censored(0.8, 0.0), COVERED, None, none)
    yield Cell("power", "ratio 0.8, spread 0.2, n = 10", _censored(0.8, 0.0, 10, 0.2), COVERED, None, none)
    yield Cell("power", "ratio 0.8, spread 0.3, n = 20, 30 % miss", _censored(0.8, 0.3), COVERED, (68.0, 100.0), none)

    for ratio in (1.0, 0.8):
        bands = (none, none) if ratio == 1.0 else ((88.0, 100.0), none)
        for share in (0.0, 0.3):
            name = f"ratio {ratio}, 10 seeds at a time up to 40" + (f", {share:.0%} miss" if share else "")
            yield Cell(
                "seeds added until the verdict is clear",
                name,
                _censored(ratio, share, 40),
                (93.0, 100.0),
                *bands,
                (10, 40),
            )
    name = "ratio 1.0, 6 seeds at a time up to 60"
    yield Cell("seeds added until the verdict is clear", name, _censored(1.0, 0.0, 60), COVERED, none, none, (6, 60))


def _mean_none(name):
    return ((0.0, FALSE), (0.0, FALSE)) if SHAPES[name][1] == 0 else (None, None)


CELLS = list(_cells())
