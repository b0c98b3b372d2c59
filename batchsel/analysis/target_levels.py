"""Compare arms at every target, so that no result hangs on one threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from batchsel.analysis.comparison import Comparison, analyze
from batchsel.core.target import Target
from batchsel.experiments.run.run_record import FailureRecord, RunRecord


class TargetLevel(NamedTuple):
    """Comparisons of the arms of a data set at one of its targets."""

    name: str
    """Name of the target on the data set's card, or the target itself."""
    target: str
    comparisons: list[Comparison]
    """One for each arm that has a baseline and is not a control of another arm."""


def target_levels(records: Sequence[RunRecord], failures: Sequence[FailureRecord] = ()) -> dict[str, list[TargetLevel]]:
    """Compare the arms at every target of their data set, the easiest first.

    These comparisons are secondary: the question is asked at the target that the runs were made for.

    Args:
        records: Records of any number of data sets and arms.
        failures: Records of runs that failed.

    Returns:
        The levels of each data set that has several. Runs that were ended at their target say nothing about
        harder ones; a data set with such runs is left out.
    """
    found = {}
    for dataset in dict.fromkeys(record.spec.dataset for record in records):
        own = [record for record in records if record.spec.dataset == dataset]
        targets = _targets(own)
        if len(targets) > 1 and not any(record.spec.stop_at_target for record in own):
            found[dataset] = [
                TargetLevel(name, text, _comparisons(own, dataset, text, failures)) for text, name in targets.items()
            ]
    return found


def _targets(records: Sequence[RunRecord]) -> dict[str, str]:
    """Return names of the targets by their text, without those whose metric a run did not measure."""
    named = {text: name for record in records for name, text in record.targets.items()}
    requested = {record.spec.target: record.spec.target for record in records}
    names = {**requested, **named}
    measured = set.intersection(*(set(record.test) for record in records))
    known = [target for target in map(Target.parse, names) if target.metric in measured]
    known = sorted(known, key=lambda target: target.threshold * (1 if target.rising else -1))
    by_target = {str(Target.parse(text)): name for text, name in names.items()}
    return {str(target): by_target[str(target)] for target in known}


def _comparisons(
    records: Sequence[RunRecord], dataset: str, target: str, failures: Sequence[FailureRecord]
) -> list[Comparison]:
    return [item for item in analyze(records, {dataset: target}, failures).comparisons if not item.arm.control_of]
