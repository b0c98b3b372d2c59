"""Compare each arm with its baseline on paired seeds: ratios, intervals, verdicts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from batchsel.analysis.outcomes import Outcome, group_by_arm, outcome
from batchsel.analysis.stats import estimates, significance, survival
from batchsel.analysis.stats.estimates import Estimate
from batchsel.core.target import Target
from batchsel.experiments.run.run_record import RunRecord

_ORDER = ("baseline", "arm", "control", "single")
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
        n: Number of runs.
        reach: Share of the runs that reached the target.
        median_seconds: Kaplan-Meier median; infinite if less than half of the runs reached the target. This and the
            other seconds are None unless all runs are timed.
        mean_seconds: Restricted mean of the times until the target or `limit`, whichever comes first.
        limit: Seconds at which the first run of the data set that missed the target was ended, the same for all arms
            except controls of an arm; infinite if no run missed it.
        middle_seconds: Interquartile mean; a run that missed the target counts with its whole budget.
        median_samples: Kaplan-Meier median of samples trained on.
        test: Mean of the target's metric on the test part, where it was measured.
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
    """Comparison of an arm with its baseline on one data set.

    Ratios are arm over baseline: below 1 the arm needs less. A run that missed the target counts with its budget.

    Args:
        dataset: Name of the data set.
        arm: Summary of the arm.
        baseline: Summary of the arm it is compared with.
        target: Text form of the target.
        pairs: Number of seeds that both have.
        reached: Number of these seeds on which the arm, and on which the baseline reached the target.
        time: Ratio of seconds; None if runs shared the device.
        samples: Ratio of samples trained on.
        cost: Ratio of samples trained on plus a third of those only scored.
        bound: True if the ratios are lower bounds: some runs of the arm were ended sooner than the baseline's
            would have been, and had not reached the target.
        p: Sign-flip p-value of the log ratio of time (of samples where there are no times).
        p_holm: The same, corrected by Holm for all comparisons.
        stalled: Seconds on the clock in which the processes of these runs stood still.
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
    stalled: float = 0.0

    @property
    def decisive(self) -> Estimate:
        """Ratio that decides the verdict: of time, or of samples where there are no times."""
        return self.samples if self.time is None else self.time

    @property
    def verdict(self) -> str:
        """Verdict: "faster", "slower", "tie", "not reached" or "too few"."""
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
        """True if the ratios of time and of cost disagree."""
        return self.time is not None and abs(math.log(self.time.value / self.cost.value)) > math.log1p(DISTURBED)


@dataclass(frozen=True)
class Analysis:
    """Summaries and comparisons of all arms, at one target for each data set.

    Args:
        summaries: One for each data set and arm.
        comparisons: One for each data set and arm that has a baseline.
    """

    summaries: list[Summary]
    comparisons: list[Comparison]


def analyze(records: Sequence[RunRecord], targets: Mapping[str, str] | None = None) -> Analysis:
    """Compare every arm with its baseline.

    Args:
        records: Records of any number of data sets and arms.
        targets: Target of each data set, or None for those that the runs were made for.
    """
    summaries: list[Summary] = []
    comparisons: list[Comparison] = []
    for dataset in dict.fromkeys(record.spec.dataset for record in records):
        target = (targets or {}).get(dataset)
        outcomes = [outcome(record, target) for record in records if record.spec.dataset == dataset]
        text = target or outcomes[0].record.spec.target
        arms = group_by_arm(outcomes)
        limit = _limit([item for item in outcomes if item.timed])
        by_name = {name: summarize(list(runs.values()), text, limit) for name, runs in arms.items()}
        by_name = dict(sorted(by_name.items(), key=lambda item: (_ORDER.index(item[1].role), item[0])))
        summaries += by_name.values()
        for name, summary in by_name.items():
            against = next(iter(arms[name].values())).against
            if against in arms:
                comparisons.append(_compare(summary, by_name[against], text, arms[name], arms[against]))
    corrected = significance.holm([item.p for item in comparisons])
    comparisons = [replace(item, p_holm=p) for item, p in zip(comparisons, corrected, strict=True)]
    return Analysis(summaries, comparisons)


def summarize(runs: Sequence[Outcome], target: str, limit: float = math.inf) -> Summary:
    """Summarize one arm on one data set.

    Args:
        runs: Outcomes of its runs, one for each seed.
        target: Text form of the target.
        limit: Upper end of the restricted mean, in seconds.
    """
    limit = min(limit, _limit(runs))
    reached = [run.reached for run in runs]
    seconds, first, timed = [run.seconds for run in runs], runs[0], all(run.timed for run in runs)
    metric = Target.parse(target).metric
    test = [run.record.test[metric] for run in runs if metric in run.record.test]
    known = [math.nan if value is None else value for value in test]  # a run that diverged has no value
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
        test=estimates.mean(known),
        kept=sum(run.record.kept for run in runs) / len(runs),
    )


def _limit(runs: Sequence[Outcome]) -> float:
    """Return the end of a restricted mean: beyond it the times of some runs are not known."""
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
        bound=any(not a.reached and a.samples < b.record.counts.samples * 0.999 for a, b in pairs),
        p=significance.sign_flip(logs("seconds" if timed else "samples")),
        stalled=sum(run.record.stalled_seconds for pair in pairs for run in pair),
    )
