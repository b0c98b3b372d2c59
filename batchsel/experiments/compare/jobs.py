"""A run that is wanted, and how its record is found again. Needs no TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from batchsel.experiments.compare.arms import Arm
from batchsel.experiments.spec.spec import RunSpec


@dataclass(frozen=True)
class Job:
    """A run that is wanted.

    Args:
        arm: What it is in the experiment.
        spec: Its settings.
        detail: Whether its record says what was chosen.
    """

    arm: Arm
    spec: RunSpec
    detail: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from others: an experiment may hold the same settings twice, as arm and as control."""
        return self.arm.name, self.spec.digest()


def key_of(record: Mapping[str, Any]) -> tuple[str, str]:
    """The key of the job that a record is of.

    Args:
        record: The record.
    """
    return record["arm"]["name"], record["digest"]
