"""What a run is in an experiment. Needs no TensorFlow."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from batchsel.errors import UsageError
from batchsel.experiments.spec.spec import RunSpec

BASELINE, ARM, CONTROL, SINGLE = "baseline", "arm", "control", "single"
ROLES = (BASELINE, ARM, CONTROL, SINGLE)


@dataclass(frozen=True)
class Arm:
    """A way to train that is compared with others: all of its settings but the seed.

    Args:
        name: Its name in tables.
        role: "baseline", "arm", "control", or "single" for a run by itself.
        control_of: Name of the arm that a control belongs to; empty for others and for those of all arms.
        against: Name of the arm that this one's pairs are formed with; empty for the baseline.
        levels: Of an arm made by factors, the level of each; empty for others.

    Example:
        >>> Arm("loss_ema", "arm", against="random").role
        'arm'
    """

    name: str
    role: str = ARM
    control_of: str = ""
    against: str = ""
    levels: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise UsageError(f"an arm is one of {', '.join(ROLES)}, got {self.role!r}.")

    @classmethod
    def of(cls, spec: RunSpec) -> Arm:
        """A run by itself.

        Args:
            spec: Its settings.
        """
        return cls(spec.selector, SINGLE)

    def values(self) -> dict[str, Any]:
        """Plain values, as records hold them."""
        return dataclasses.asdict(self)
