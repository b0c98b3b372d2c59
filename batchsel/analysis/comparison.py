"""Compare each arm with its baseline on paired seeds: ratios, intervals, verdicts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import NamedTuple

from batchsel.analysis.outcomes import Outcome, arm_order, group_by_arm, on_unlike_devices, outcome
from batchsel.analysis.paired_times import compare_times, pair_runs
from batchsel.analysis.sequential import looked_confidence
from batchsel.analysis.stats import estimates, significance, survival
from batchsel.analysis.stats.estimates import Estimate
from batchsel.core.target import Target
from batchsel.experiments.run.record_parts import ROLES, RecordedArm
from batchsel.experiments.run.run_record import FailureRecord, RunRecord

_MOST, _FEW = 0.8, 0.2
"""Shares of seeds: if one side reaches the target on at least the first and the other on at most the second, then
only one of them reaches it, and their times cannot be compared."""
EARLY = 3
"""Number of an evaluation: if the median crossing is no later, a gain is lost between two evaluations."""
DISTURBED = 0.15
"""Time and cost ratios that differ by more than this share: the clock was disturbed, or steps differ in cost."""


@dataclass(frozen=True)
class Summary:
    """Summary of one arm on one data set.

    Args:
        dataset: Name of the data set.
        arm: Name of the arm.
        role: Role of the arm.
        control_of: Name of the arm that a control belongs to.
        n: Number of runs, those that failed included.
        failed: Number of runs that failed.
        reach: Share of the runs that reached the target.
        median_seconds: Kaplan-Meier median; infinite if less than half of the runs reached the target. This and the
            other seconds are None unless all runs are timed.
        mean_seconds: Restricted mean of the times until the target or `limit`, whichever comes first.
        limit: Seconds at which the first run of the data set that missed the target was ended, the same for all arms
            except controls of an arm; infinite if no run missed it.
        middle_seconds: Interquartile mean; a run that missed the target counts with its whole budget, and failed ones
            are left out.
        median_samples: Kaplan-Meier median of samples trained on.
        test: Mean of the target's metric on the test part, where it was measured.
        kept: Mean share of the data that plans made use of.
    """

    dataset: str
    arm: str
    role: str
    control_of: str
    n: int
    failed: int
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
    """Comparison of an arm with its baseline on one data set.

    Ratios are arm over baseline: below 1 the arm needs less. They are those of `paired_times.compare_times`, and None
    where the arm reached the target on fewer than half of the seeds, or one of the two on none.

    Args:
        dataset: Name of the data set.
        arm: Summary of the arm.
        baseline: Summary of the arm it is compared with.
        target: Text form of the target.
        pairs: Number of seeds that both have.
        reached: Number of these seeds on which the arm, and on which the baseline reached the target.
        together: The same within the samples that both were given: the arm's budget may be smaller.
        failed: Number of these seeds on which the run of the arm, and on which that of the baseline failed.
        timed: True if seconds can be compared.
        time: Ratio of seconds; None if runs shared the device.
        samples: Ratio of samples trained on.
        cost: Ratio of samples trained on plus a third of those only scored.
        bound: True if misses leave only a bound of the ratios.
        p: p-value of the log ratio of time (of samples where there are no times): sign flips. Where only one of the
            two reached the target, or the arm on fewer than half of the seeds, that of an exact test of how often
            they did. None where neither reached it on half of the seeds.
        first: Number of runs that reached the target at their first evaluation: they may have done so long before.
        crossings: Median number of the evaluation at which the arm, and at which the baseline reached the target.
        spread: Standard deviation of the log ratios; None where it is unknown.
        confidence: Level of the intervals: 0.95, more where seeds were added until the verdict was clear.
        p_holm: p corrected by Holm for all arms of the report; None for controls, which are no claims.
        family: Number of arms that it was corrected for.
        stalled: Seconds on the clock in which the processes of these runs stood still.
        spacing: Median number of samples from one evaluation to the next of the arm, and of the baseline.
        unlike: True if the runs of a pair took place on devices of several kinds, so that seconds cannot be compared.
    """

    dataset: str
    arm: Summary
    baseline: Summary
    target: str
    pairs: int
    reached: tuple[int, int]
    together: tuple[int, int]
    failed: tuple[int, int]
    timed: bool
    time: Estimate | None
    samples: Estimate | None
    cost: Estimate | None
    bound: bool
    p: float | None
    first: int = 0
    crossings: tuple[float | None, float | None] = (None, None)
    spread: float | None = None
    confidence: float = estimates.CONFIDENCE
    p_holm: float | None = None
    family: int = 1
    stalled: float = 0.0
    spacing: tuple[float | None, float | None] = (None, None)
    unlike: bool = False

    @property
    def decisive(self) -> Estimate | None:
        """Ratio that decides the verdict: of time, or of samples where there are no times."""
        return self.time if self.timed else self.samples

    @property
    def verdict(self) -> str:
        """Verdict, one of `VERDICTS`."""
        ends = None if self.decisive is None else (self.decisive.low, self.decisive.high)
        p = self.p if self.p_holm is None else self.p_holm
        return decide(self.pairs, self.reached, self.together, ends, 1.0 if p is None else p, 1 - self.confidence)

    @property
    def weak(self) -> bool:
        """True if the interval excludes 1 and the corrected p-value does not."""
        if self.verdict != "tie" or self.decisive is None or self.decisive.low is None or self.decisive.high is None:
            return False
        return not self.decisive.low <= 1 <= self.decisive.high

    @property
    def disturbed(self) -> bool:
        """True if the ratios of time and of cost disagree."""
        if self.time is None or self.cost is None or self.bound:
            return False
        return abs(math.log(self.time.value / self.cost.value)) > math.log1p(DISTURBED)


VERDICTS = (
    "faster", "slower", "tie", "only arm reached", "only baseline reached", "not reached", "too few", "unresolved",
    "no pairs",
)  # fmt: skip


def decide(
    pairs: int,
    reached: tuple[int, int],
    together: tuple[int, int],
    interval: tuple[float | None, float | None] | None,
    p: float,
    alpha: float = 1 - estimates.CONFIDENCE,
) -> str:
    """Return the verdict of a comparison.

    Args:
        pairs: Number of seeds that both have.
        reached: Number of these on which the arm, and on which the baseline reached the target.
        together: The same within the samples that both were given.
        interval: Interval of the ratio, or None where there is none.
        p: p-value, corrected for the number of arms.
        alpha: Largest p-value of a difference.

    Example:
        >>> [decide(10, (10, 10), (10, 10), (0.7, 0.9), p) for p in (0.01, 0.2)]
        ['faster', 'tie']
        >>> [decide(n, at, at, None, 0.02) for n, at in ((10, (10, 0)), (10, (4, 10)), (1, (1, 1)))]
        ['only arm reached', 'not reached', 'too few']
    """
    if not pairs:
        return "no pairs"
    significant = p <= alpha + 1e-9
    if lopsided(pairs, together) and significant:
        return "only arm reached" if together[0] > together[1] else "only baseline reached"
    if reached[0] * 2 < pairs or not reached[1]:
        return "not reached"
    if interval is None or interval[0] is None or interval[1] is None:
        return "too few" if pairs < estimates.FEWEST else "unresolved"
    if not significant:
        return "tie"
    return "faster" if interval[1] < 1 else "slower" if interval[0] > 1 else "tie"


def lopsided(pairs: int, reached: tuple[int, int]) -> bool:
    """Return True if one side reached the target on nearly all seeds and the other on hardly any.

    Args:
        pairs: Number of seeds.
        reached: Number of these on which each side did.
    """
    return max(reached) >= _MOST * pairs and min(reached) <= _FEW * pairs


@dataclass(frozen=True)
class Analysis:
    """Summaries and comparisons of all arms, at one target for each data set.

    Args:
        summaries: One for each data set and arm.
        comparisons: One for each data set and arm that has a baseline.
    """

    summaries: list[Summary]
    comparisons: list[Comparison]


class _ArmRuns(NamedTuple):
    """Runs of one arm on one data set: those that ended by seed, and the seeds of those that failed."""

    arm: RecordedArm
    ended: dict[int, Outcome]
    failed: set[int]


def analyze(
    records: Sequence[RunRecord],
    targets: Mapping[str, str] | None = None,
    failures: Sequence[FailureRecord] = (),
) -> Analysis:
    """Compare every arm with its baseline.

    Args:
        records: Records of any number of data sets and arms.
        targets: Target of each data set, or None for those that the runs were made for.
        failures: Records of runs that failed, which count as misses unless a record replaces them.
    """
    summaries: list[Summary] = []
    comparisons: list[Comparison] = []
    for dataset in dict.fromkeys(record.spec.dataset for record in records):
        target = (targets or {}).get(dataset)
        outcomes = [outcome(record, target) for record in records if record.spec.dataset == dataset]
        text = target or outcomes[0].record.spec.target
        arms = _arms(outcomes, [item for item in failures if item.spec.dataset == dataset])
        limit = _limit([item for item in outcomes if item.timed])
        by_name = {name: _summarize(dataset, runs, text, limit) for name, runs in arms.items()}
        by_name = dict(sorted(by_name.items(), key=lambda item: arm_order(item[1].role, item[0])))
        summaries += by_name.values()
        confidence = looked_confidence([item.record for item in outcomes])
        for name, summary in by_name.items():
            against = arms[name].arm.against
            if against in arms:
                pair = summary, by_name[against]
                comparisons.append(_compare(*pair, text, arms[name], arms[against], confidence))
    return Analysis(summaries, _correct(comparisons))


def _arms(outcomes: Sequence[Outcome], failures: Sequence[FailureRecord]) -> dict[str, _ArmRuns]:
    ended = group_by_arm(outcomes)
    arms = {name: _ArmRuns(next(iter(runs.values())).record.arm, runs, set()) for name, runs in ended.items()}
    for failure in failures:
        arm = arms.setdefault(failure.arm.name, _ArmRuns(failure.arm, {}, set()))
        seed = failure.spec.values.get("seed")
        if isinstance(seed, int) and seed not in arm.ended and failure.arm.role in ROLES:
            arm.failed.add(seed)
    return {name: runs for name, runs in arms.items() if runs.ended or runs.failed}


def _correct(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Correct the p-values of the arms for their number; controls are no claims.

    An arm without a p-value counts too: the family is what was asked, not what could be answered.
    """
    places = [i for i, item in enumerate(comparisons) if item.arm.role == "arm"]
    p_values = [1.0 if comparisons[i].p is None else comparisons[i].p for i in places]
    corrected = dict(zip(places, significance.holm([float(p or 0.0) for p in p_values]), strict=True))
    return [
        replace(item, p_holm=None if item.p is None else corrected.get(place), family=max(len(places), 1))
        for place, item in enumerate(comparisons)
    ]


def _summarize(dataset: str, arm: _ArmRuns, target: str, limit: float = math.inf) -> Summary:
    """Summarize one arm on one data set; `limit` is the upper end of the restricted mean, in seconds."""
    runs, missing = list(arm.ended.values()), len(arm.failed)
    limit = min(limit, _limit(runs))
    n = len(runs) + missing
    # A run that failed would never have arrived: it counts as one that missed, watched as long as the others.
    reached = [run.reached for run in runs] + [False] * missing
    seconds, samples = ([getattr(run, axis) for run in runs] for axis in ("seconds", "samples"))
    longest = [max(values, default=0.0) for values in (seconds, samples)]
    timed = bool(runs) and all(run.timed for run in runs) and not on_unlike_devices(run.record for run in runs)
    metric = Target.parse(target).metric
    test = [run.record.test[metric] for run in runs if metric in run.record.test]
    known = [math.nan if value is None else value for value in test]  # a run that diverged has no value
    return Summary(
        dataset=dataset,
        arm=arm.arm.name,
        role=arm.arm.role,
        control_of=arm.arm.control_of,
        n=n,
        failed=missing,
        reach=estimates.wilson(sum(reached), n) if n > 1 else Estimate(float(sum(reached))),
        median_seconds=survival.median(seconds + longest[:1] * missing, reached) if timed else None,
        mean_seconds=survival.restricted_mean(seconds + longest[:1] * missing, limit) if timed else None,
        limit=limit,
        middle_seconds=estimates.interquartile_mean(seconds) if timed else None,
        median_samples=survival.median(samples + longest[1:] * missing, reached) if runs else math.inf,
        test=estimates.mean(known, *estimates.share_bounds(metric)),
        kept=sum(run.record.kept for run in runs) / len(runs) if runs else math.nan,
    )


def _limit(runs: Sequence[Outcome]) -> float:
    """Return the end of a restricted mean: beyond it the times of some runs are not known."""
    return min((run.seconds for run in runs if not run.reached), default=math.inf)


def _compare(
    arm: Summary, baseline: Summary, target: str, runs: _ArmRuns, others: _ArmRuns, confidence: float
) -> Comparison:
    paired = pair_runs(runs.ended, others.ended, runs.failed, others.failed)
    pairs, reached = paired.pairs, paired.reached
    ended = [item for side in paired for item in side if item is not None]
    unlike = any(
        on_unlike_devices(item.record for item in pair if item is not None)
        for pair in zip(paired.arm, paired.baseline, strict=True)
    )
    timed = bool(ended) and all(item.timed for item in ended) and not unlike
    found = {
        name: compare_times(paired, axis, confidence)
        for name, axis in (("time", "seconds"), ("samples", "samples"), ("cost", "cost"))
        if ended and (timed or name != "time")
    }
    decisive = found.get("time" if timed else "samples")
    watched = found.get("samples")  # budgets are stated in samples
    together = reached if watched is None else watched.reached_together
    odd = lopsided(pairs, together) or reached[0] * 2 < pairs
    if not pairs or max(reached) * 2 < pairs:
        p = None
    elif odd:
        p = significance.reached_more_often(*((0, 0) if watched is None else watched.only))
    else:
        p = None if decisive is None or decisive.ratio is None else decisive.p
    withheld = not pairs or reached[0] * 2 < pairs or not reached[1]
    ratios = {name: None if withheld or test is None else test.ratio for name, test in found.items()}
    return Comparison(
        dataset=arm.dataset,
        arm=arm,
        baseline=baseline,
        target=target,
        pairs=pairs,
        reached=reached,
        together=together,
        failed=paired.failed,
        timed=timed,
        time=ratios.get("time"),
        samples=ratios.get("samples"),
        cost=ratios.get("cost"),
        bound=decisive is not None and decisive.bound and not withheld,
        p=p,
        first=sum(item.position == 0 for item in ended),
        crossings=(_median_crossing(paired.arm), _median_crossing(paired.baseline)),
        spread=None if decisive is None else decisive.spread,
        confidence=confidence,
        stalled=sum(item.record.stalled_seconds for item in ended),
        spacing=(_median_spacing(paired.arm), _median_spacing(paired.baseline)),
        unlike=unlike,
    )


def _median_crossing(runs: Sequence[Outcome | None]) -> float | None:
    places = [item.position + 1 for item in runs if item is not None and item.position is not None]
    return median(places) if places else None


def _median_spacing(runs: Sequence[Outcome | None]) -> float | None:
    spacings = [
        item.record.evaluations[-1].samples / len(item.record.evaluations)
        for item in runs
        if item is not None and item.record.evaluations
    ]
    return median(spacings) if spacings else None
