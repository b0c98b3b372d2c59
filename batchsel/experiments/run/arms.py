"""Arms of an experiment and their runs. Needs no TensorFlow."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from batchsel.errors import UsageError
from batchsel.experiments.spec.run_spec import RunSpec

PRUNING_SHARE = 0.95
"""An arm that keeps less than this share of the data is compared with random parts of that size."""


class Role(StrEnum):
    """Part that an arm plays in an experiment; a single run is not part of one."""

    BASELINE = "baseline"
    ARM = "arm"
    CONTROL = "control"
    SINGLE = "single"


@dataclass(frozen=True)
class Arm:
    """Way to train that is compared with others: all settings but the seed.

    Args:
        name: Name in tables.
        role: "baseline", "arm", "control" or "single".
        control_of: Name of the arm that a control belongs to; empty for other roles and for controls of all arms.
        against: Name of the arm that this one is paired with; empty for the baseline.
        levels: Level of each factor, for an arm built from factors.

    Example:
        >>> Arm("loss_ema", "arm", against="random").role
        'arm'
    """

    name: str
    role: str = Role.ARM.value
    control_of: str = ""
    against: str = ""
    levels: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.role not in list(Role):
            raise UsageError(f"an arm is one of {', '.join(Role)}, got {self.role!r}.")
        object.__setattr__(self, "role", str(self.role))

    @classmethod
    def from_single_run(cls, spec: RunSpec) -> Arm:
        """Return the arm of a run outside any experiment."""
        return cls(spec.selector, Role.SINGLE)

    def values(self) -> dict[str, Any]:
        """Return plain values, as records hold them."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Job:
    """Run to be done.

    Args:
        arm: Its arm in the experiment.
        spec: Its settings.
        detail: Whether its record holds details of the samples chosen.
    """

    arm: Arm
    spec: RunSpec
    detail: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Arm and digest: an experiment may hold the same settings twice, as arm and as control."""
        return self.arm.name, self.spec.digest()


def record_key(record: Mapping[str, Any]) -> tuple[str, str]:
    """Return the `Job.key` that a record belongs to."""
    return record["arm"]["name"], record["digest"]
