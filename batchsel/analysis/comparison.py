"""An arm against its baseline on paired seeds: ratios, intervals, and what they allow to be said."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from batchsel.analysis.outcomes import Outcome, by_arm, outcome
from batchsel.analysis.stats import estimates, significance, survival
from batchsel.analysis.stats.estimates import Estimate
from batchsel.core.target import Target

_ORDER = ("baseline", "arm", "control", "single")
DISTURBED = 0.15
"""Time and cost ratios further apart than this say that the clock was disturbed, or that steps differ in cost."""


@dataclass(frozen=True)
class Summary:
    """One arm on one data set.

    Args:
        dataset: Name of the data set.
        arm: Name of the arm.
        role: Its role.
        control_of: Name of the arm that a control belongs to.
        n: Runs.
        reach: Share that reached the target.
        median_seconds: Kaplan-Meier median; infinite if less than half reached it. It and the other seconds are None
            unless all runs are timed.
        mean_seconds: Restricted mean: of the times until the target or `limit`, whichever comes first.
        limit: Seconds at which the first run of the data set that missed was ended, the same for all arms but
            controls of an arm; infinite if none missed.
        middle_seconds: Interquartile mean; runs that missed count with all that they used.
        median_samples: Kaplan-Meier median of samples trained on.
        test: Mean of the target's metric on the test part, where it was read.
        kept: Mean share of the data that plans made use of.
    """

    dataset: str
    arm: str
    role: str
    control_of: str
    n: int
    reach: Estimate
    median_seconds: float | None
    mean_seconds: float | None
    limit: float
    middle_seconds: float | None
    median_samples: float
    test: Estimate
    kept: float


@dataclass(frozen=True)
class Comparison:
    """An arm against its baseline on one data set.

    Ratios are arm over baseline: below 1 the arm needs less. Runs that missed count with what they used up.

    Args:
        dataset: Name of the data set.
        arm: The arm.
        baseline: The arm it is compared with.
        target: The target.
        pairs: Seeds that both have.
        reached: Of them, how many the arm, and how many the baseline reached it on.
        time: Ratio of seconds; None if the runs did not have the device alone.
        samples: Ratio of samples trained on.
        cost: Ratio of samples trained on plus a third of those scored.
        bound: Whether the arm needs at least that much: some of its runs were ended sooner than the baseline's
            would have been, and had not reached the target.
        p: Sign-flip p-value of the log ratio of time (of samples where there are no times).
        p_holm: The same, corrected for all comparisons of the table.
    """

    dataset: str
    arm: Summary
    baseline: Summary
    target: str
    pairs: int
    reached: tuple[int, int]
    time: Estimate | None
    samples: Estimate
    cost: Estimate
    bound: bool
    p: float
    p_holm: float = 1.0

    @property
    def decisive(self) -> Estimate:
        """The ratio that the verdict is about: of time, or of samples where there are no times."""
        return self.samples if self.time is None else self.time

    @property
    def verdict(self) -> str:
        """One of "faster", "slower", "tie", "not reached" and "too few"."""
        ratio = self.decisive
        if self.reached[0] * 2 < self.pairs and self.reached[1] * 2 >= self.pairs:
            return "not reached"
        if max(self.reached) * 2 < self.pairs:
            return "not reached"
        if ratio.low is None or ratio.high is None:
            return "too few"
        return "faster" if ratio.high < 1 else "slower" if ratio.low > 1 else "tie"

    @property
    def disturbed(self) -> bool:
        """Whether time says something else than cost."""
        return self.time is not None and abs(math.log(self.time.value / self.cost.value)) > math.log1p(DISTURBED)


@dataclass(frozen=True)
class Analysis:
    """All comparisons of some records at one level of target.

    Args:
        summaries: One of each data set and arm.
        comparisons: One of each arm that has a baseline.
    """

    summaries: list[Summary]
    comparisons: list[Comparison]


def analyze(records: Sequence[Mapping[str, Any]], targets: Mapping[str, str] | None = None) -> Analysis:
    """Compares every arm with its baseline.

    Args:
        records: Of any number of data sets and arms.
        targets: The target of each data set, or None for those that the runs were made for.
    """
    summaries, comparisons = [], []
    for dataset in dict.fromkeys(record["spec"]["dataset"] for record in records):
        target = (targets or {}).get(dataset)
        mine = [outcome(record, target) for record in records if record["spec"]["dataset"] == dataset]
        text = target or mine[0].record["spec"]["target"]
        arms = by_arm(mine)
        limit = _limit([item for item in mine if item.timed])
        own = {name: summarize(list(runs.values()), text, limit) for name, runs in arms.items()}
        own = dict(sorted(own.items(), key=lambda item: (_ORDER.index(item[1].role), item[0])))
        summaries += own.values()
        for name in own:
            runs = arms[name]
            against = next(iter(runs.values())).against
            if against in arms:
                comparisons.append(_compare(own[name], own[against], text, runs, arms[against]))
    corrected = significance.holm([item.p for item in comparisons])
    comparisons = [replace(item, p_holm=p) for item, p in zip(comparisons, corrected, strict=True)]
    return Analysis(summaries, comparisons)


def summarize(runs: Sequence[Outcome], target: str, limit: float = math.inf) -> Summary:
    """One arm on one data set.

    Args:
        runs: Its runs, one a seed.
        target: The target.
        limit: Seconds up to which the restricted mean goes at most.
    """
    limit = min(limit, _limit(runs))
    reached = [run.reached for run in runs]
    seconds, first, timed = [run.seconds for run in runs], runs[0], all(run.timed for run in runs)
    metric = Target.parse(target).metric
    test = [run.record["test"][metric] for run in runs if metric in run.record["test"]]
    return Summary(
        dataset=first.dataset,
        arm=first.arm,
        role=first.role,
        control_of=first.control_of,
        n=len(runs),
        reach=estimates.wilson(sum(reached), len(runs)) if len(runs) > 1 else Estimate(float(sum(reached))),
        median_seconds=survival.median(seconds, reached) if timed else None,
        mean_seconds=survival.restricted_mean(seconds, limit) if timed else None,
        limit=limit,
        middle_seconds=estimates.interquartile_mean(seconds) if timed else None,
        median_samples=survival.median([run.samples for run in runs], reached),
        test=estimates.mean(test),
        kept=sum(run.record["kept"] for run in runs) / len(runs),
    )


def _limit(runs: Sequence[Outcome]) -> float:
    """Where a restricted mean must end: beyond it some runs are not known."""
    return min((run.seconds for run in runs if not run.reached), default=math.inf)


def _compare(
    arm: Summary, baseline: Summary, target: str, runs: Mapping[int, Outcome], others: Mapping[int, Outcome]
) -> Comparison:
    pairs = [(runs[seed], others[seed]) for seed in sorted(set(runs) & set(others))]

    def logs(name: str) -> list[float]:
        return [math.log(max(getattr(a, name), 1e-9) / max(getattr(b, name), 1e-9)) for a, b in pairs]

    timed = bool(pairs) and all(a.timed and b.timed for a, b in pairs)
    return Comparison(
        dataset=arm.dataset,
        arm=arm,
        baseline=baseline,
        target=target,
        pairs=len(pairs),
        reached=(sum(a.reached for a, _ in pairs), sum(b.reached for _, b in pairs)),
        time=estimates.ratio(logs("seconds")) if timed else None,
        samples=estimates.ratio(logs("samples")),
        cost=estimates.ratio(logs("cost")),
        bound=any(not a.reached and a.samples < b.record["counts"]["samples"] * 0.999 for a, b in pairs),
        p=significance.sign_flip(logs("seconds" if timed else "samples")),
    )
