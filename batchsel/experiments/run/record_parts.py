"""Parts of typed records: settings, arm, purpose, evaluations, times and diagnostics of a run."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from batchsel.experiments.run.validation.typed_json import FieldError, are_plain, convert, converter

Json = Mapping[str, Any]


_SETTINGS: Mapping[str, type] = {
    "dataset": str, "model": str, "selector": str, "batch_size": int, "target": str, "seed": int, "run_on": bool,
}  # fmt: skip


@dataclass(frozen=True)
class RecordedSpec:
    """Settings of a run; those of failed runs may be incomplete.

    Args:
        values: Every setting by name, those of other versions included.
    """

    values: dict[str, Any]

    @classmethod
    def from_json(cls, values: Any) -> RecordedSpec:
        """Return the settings of a "spec".

        Raises:
            FieldError: If a setting that reports read has another type.
        """
        known = convert(Mapping[str, Any], values)
        for name in _SETTINGS.keys() & known.keys():
            try:
                convert(_SETTINGS[name], known[name])
            except FieldError as error:
                raise error.inside(name) from None
        return cls(known)

    def check_complete(self) -> None:
        """Check that no setting is missing that reports read.

        Raises:
            FieldError: If one is missing.
        """
        for name in _SETTINGS:
            if name not in self.values:
                raise FieldError("is missing", "spec", name)

    @property
    def dataset(self) -> str:
        """Name of the data set."""
        return self.values["dataset"]

    @property
    def model(self) -> str:
        """Name of the model."""
        return self.values["model"]

    @property
    def selector(self) -> str:
        """Text form of the selector."""
        return self.values["selector"]

    @property
    def batch_size(self) -> int:
        """Batch size."""
        return self.values["batch_size"]

    @property
    def target(self) -> str:
        """Text form of the target that the run was made for."""
        return self.values["target"]

    @property
    def seed(self) -> int:
        """Seed."""
        return self.values["seed"]

    @property
    def stop_at_target(self) -> bool:
        """True if the run was to end at its target rather than at the end of its budget."""
        return not self.values["run_on"]


ROLES = ("baseline", "arm", "control", "single")


@dataclass(frozen=True)
class RecordedArm:
    """Place of a run in its experiment.

    Args:
        name: Name of the arm.
        role: "baseline", "arm", "control" or "single".
        against: Name of the arm that its pairs are formed with.
        control_of: Name of the arm that a control belongs to.
        levels: Level of each factor.
    """

    name: str
    role: str = "single"
    against: str = ""
    control_of: str = ""
    levels: Mapping[str, str] = field(default_factory=dict)

    def level(self, factor: str) -> str | None:
        """Return the level of a factor, or None if the arm has none.

        Args:
            factor: Name of the factor; for "arm" the arm's name is the level where none is stated.

        Example:
            >>> RecordedArm("a", levels={"blur": "on"}).level("blur"), RecordedArm("a").level("arm")
            ('on', 'a')
        """
        if factor in self.levels:
            return str(self.levels[factor])
        return self.name if factor == "arm" else None


@dataclass(frozen=True)
class About:
    """Purpose of a run: the experiment that it belongs to.

    Args:
        question: Question of the experiment.
        command: Command that makes the runs again.
        experiment: Name of the experiment's card.
        story: Reason for the experiment.
        form: "scaled", "full" or empty.
        analysis: The [analysis] table of the card; empty for a plain comparison.
        looks: Seeds that were added at a time as "block" and their largest number as "most", where seeds were added
            until the verdict was clear.
    """

    question: str = ""
    command: str | None = None
    experiment: str = ""
    story: str = ""
    form: str = ""
    analysis: Json = field(default_factory=dict)
    looks: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Counts:
    """Steps, samples trained on, samples only scored, and plans of a run."""

    steps: int
    samples: int
    scored: int
    plans: int = 0


_to_numbers = converter(Mapping[str, float | None])


class Evaluation(NamedTuple):
    """Results on the validation part at one point of a run.

    Args:
        steps: Steps until then.
        samples: Samples trained on until then.
        scored: Samples only scored until then.
        seconds: Seconds on the clock until then.
        values: Everything that was recorded at this point, metrics by name included.
    """

    steps: int
    samples: int
    scored: int
    seconds: float
    values: dict[str, Any]

    @classmethod
    def from_json(cls, values: Any) -> Evaluation:
        """Return the evaluation of one entry of "evaluations".

        Raises:
            FieldError: If a value is not a number or null, or a count is missing.
        """
        if type(values) is not dict or not are_plain(values.values()):
            _to_numbers(values)
        try:
            return cls(values["steps"] + 0, values["samples"] + 0, values["scored"] + 0, values["seconds"] + 0, values)
        except (KeyError, TypeError):
            name = next(name for name in cls._fields if values.get(name) is None)
            raise FieldError("is missing" if name not in values else "is null", name) from None

    @classmethod
    def list_from_json(cls, points: list[Any]) -> list[Evaluation] | None:
        """Return all "evaluations", or None if anything is unusual.

        Records hold many of them, and to look at each number on its own takes longer than to read it.
        """
        if set(map(type, points)) != {dict}:
            return None
        if not are_plain(list(itertools.chain.from_iterable(map(dict.values, points)))):
            return None
        try:
            return [cls(one["steps"], one["samples"], one["scored"], one["seconds"], one) for one in points]
        except KeyError:
            return None


@dataclass(frozen=True)
class Sizes:
    """Samples in each part of the data set."""

    train: int
    validation: int = 0
    test: int = 0


@dataclass(frozen=True)
class ClockSeconds:
    """Seconds of a run: `training` is on the clock, the others are off it."""

    training: float
    tracing: float = 0.0
    evaluation: float = 0.0
    checkpoint: float = 0.0
    callbacks: float = 0.0
    data: float = 0.0


@dataclass(frozen=True)
class SelectionSeconds:
    """Seconds of the selector's work, timed apart; records of earlier versions have planning and updating alone."""

    planning: float = 0.0
    scoring: float = 0.0
    choosing: float = 0.0
    updating: float = 0.0


@dataclass(frozen=True)
class Stalls:
    """Number of times that the process stood still, and the seconds of it on the clock."""

    count: int
    seconds: float


@dataclass(frozen=True)
class WrongLabelShares:
    """Share of wrong labels in the data, and among the samples trained on."""

    data: float
    trained: float


@dataclass(frozen=True)
class EndResults:
    """Results with the weights at the end of the budget, by part of the data set."""

    test: Mapping[str, float | None] | None = None
    train: Mapping[str, float | None] | None = None
    train_samples: int | None = None


@dataclass(frozen=True)
class NoiseMeasurement:
    """Gradient noise at one point of a run.

    Args:
        samples: Samples trained on until then.
        passes: Passes until then.
        scale: Simple noise scale; None where noise hid the gradient.
        gradient: Estimate of the squared norm of the gradient.
        trace: Estimate of the trace of the covariance of single gradients.
    """

    samples: float = 0.0
    passes: float = 0.0
    scale: float | None = None
    gradient: float | None = None
    trace: float | None = None


@dataclass(frozen=True)
class SNRStage:
    """Signal-to-noise ratio of each layer's features at one point of a run, in decibels."""

    samples: int
    db: Sequence[float | None]


@dataclass(frozen=True)
class FeatureSNR:
    """Signal-to-noise ratios of features, layer by layer, over a run."""

    layers: Sequence[str]
    stages: Sequence[SNRStage]


@dataclass(frozen=True)
class LoggedSchedules:
    """Values that varied over a run: one row of `values` for each entry of `samples`, one column for each name."""

    names: Sequence[str]
    samples: Sequence[float]
    values: Sequence[Sequence[float]]


@dataclass(frozen=True)
class PackedArray:
    """An array as JSON: type, shape and bytes in base64."""

    dtype: str
    shape: Sequence[int]
    base64: str

    def unpack(self) -> np.ndarray:
        """Return the array.

        Example:
            >>> PackedArray("uint8", [2], "AQI=").unpack().tolist()
            [1, 2]
        """
        data = base64.b64decode(self.base64, validate=True)
        return np.frombuffer(data, np.dtype(self.dtype)).reshape(self.shape)


@dataclass(frozen=True)
class ImageSamples:
    """Some images of the training part, with their labels and how often each was trained on."""

    pixels: PackedArray
    labels: Sequence[str]
    visits: Sequence[int]


@dataclass(frozen=True)
class SelectedImages:
    """The images that were trained on most and least often."""

    most: ImageSamples
    least: ImageSamples


@dataclass(frozen=True)
class PlaneStage:
    """One stage of a run on points of a plane: visits of each point since the last, and predicted classes on a grid."""

    samples: int
    visits: PackedArray
    classes: PackedArray


@dataclass(frozen=True)
class Plane:
    """Points of a plane with their labels, and the stages of a run on them."""

    points: PackedArray
    labels: PackedArray
    extent: Sequence[float]
    stages: Sequence[PlaneStage]
