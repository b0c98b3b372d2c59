"""Typed records: one line of ``records.jsonl`` as a frozen dataclass.

Records are written from plain dictionaries (`build_record`), and parsed by `parse_record`. Keys that this version does
not know are kept in `RunRecord.extra`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from batchsel.core.html_table import html_table
from batchsel.experiments.run.record_parts import (
    About,
    ClockSeconds,
    Counts,
    EndResults,
    Evaluation,
    FeatureSNR,
    Json,
    LoggedSchedules,
    NoiseMeasurement,
    Plane,
    RecordedArm,
    RecordedSpec,
    SelectedImages,
    SelectionSeconds,
    Sizes,
    Stalls,
    WrongLabelShares,
)


@dataclass(frozen=True)
class _Described:
    """Fields that records of completed and of failed runs share."""

    spec: RecordedSpec
    digest: str
    arm: RecordedArm
    about: About | None

    @property
    def analysis(self) -> Json:
        """The [analysis] table that the run was made for; empty for a plain comparison."""
        return self.about.analysis if self.about else {}

    @property
    def experiment(self) -> str:
        """Name of the experiment's card, or empty."""
        return self.about.experiment if self.about else ""

    @property
    def form(self) -> str:
        """Form of the study that the run belongs to: "scaled", "full" or empty."""
        return self.about.form if self.about else ""


@dataclass(frozen=True)
class FailureRecord(_Described):
    """Record of a run that failed.

    Args:
        failed: The error message.
    """

    failed: str


@dataclass(frozen=True)
class RunRecord(_Described):
    """Record of a run that ended.

    Args:
        targets: Targets of the data set by level.
        reached: True if the target was met twice in a row.
        crossing: First of those two evaluations.
        first_crossing: First evaluation that met the target.
        test: Results on the test part: at the crossing, else at the end.
        kept: Mean share of the data that plans made use of.
        visits: Number of samples that were trained on 0, 1, 2, ... times.
        contended: True if the run shared the device.
        started: Time in ISO 8601.
        updates: Updates of the weights, fewer than steps where gradients are accumulated.
        schedule_log: Values that varied over the run ("course" in the file).
        name: Name that the user gave the run, or empty.
        pass_samples: Samples trained on in each pass, for runs that prune.
        stalls: Times at which the process stood still on the clock, if it did.
        devices: Devices that trained together.
        scoring: Price and rank correlation of cheaper scores, by name, if there were any.
        wrong_labels: Shares of wrong labels, where some were made wrong.
        extra: Everything else, by key: what other versions write.
    """

    versions: Json
    machine: Json
    sizes: Sizes
    targets: Mapping[str, str]
    reached: bool
    crossing: Evaluation | None
    first_crossing: Evaluation | None
    test: Mapping[str, float | None]
    counts: Counts
    kept: float
    visits: Sequence[int]
    seconds: ClockSeconds
    selection: SelectionSeconds
    evaluations: Sequence[Evaluation]
    history: Mapping[str, Sequence[float]]
    contended: bool
    started: str
    xla: bool | None = None
    parameters: int | None = None
    updates: int | None = None
    end: EndResults | None = None
    noise_scale: Sequence[NoiseMeasurement] = ()
    snr: FeatureSNR | None = None
    schedule_log: LoggedSchedules | None = None
    images: SelectedImages | None = None
    plane: Plane | None = None
    name: str = ""
    pass_samples: Sequence[int] = ()
    stalls: Stalls | None = None
    devices: int = 1
    scoring: Mapping[str, float | None] = field(default_factory=dict)
    wrong_labels: WrongLabelShares | None = None
    extra: Json = field(default_factory=dict)

    @functools.cached_property
    def derived(self) -> dict[Any, Any]:
        """Results of analyses of this record, so that none is computed twice; not a part of the record."""
        return {}

    def _repr_html_(self) -> str:
        """Return the table that a notebook shows: settings, outcome and results of the run."""
        spec, point = self.spec, self.crossing
        rows = {
            "selector": spec.selector,
            "model": spec.model,
            "seed": str(spec.seed),
            spec.target: f"after {point.samples:,} samples, {point.seconds:.3g} s" if point else "not reached",
            **{f"test {name}": f"{value:.4f}" for name, value in self.test.items() if value is not None},
        }
        return html_table({spec.dataset: list(rows), self.arm.name: list(rows.values())})

    @property
    def stalled_seconds(self) -> float:
        """Seconds on the clock in which the process stood still; 0 in records of versions that did not look."""
        return self.stalls.seconds if self.stalls else 0.0
