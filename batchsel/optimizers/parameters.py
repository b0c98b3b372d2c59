"""Types and bounds of the parameters of all optimizers, those of Keras included."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Annotated, Any

from batchsel.core.parameters import (
    INT32,
    LARGEST,
    Amount,
    Between,
    PositiveAmount,
    Share,
    ShareBelowOne,
)


def _optional(hint: Any) -> Any:
    return hint | None


HINTS: dict[str, Any] = {
    "amsgrad": bool,
    "beta_1": ShareBelowOne,
    "beta_2": ShareBelowOne,
    "centered": bool,
    "clipnorm": _optional(PositiveAmount),
    "clipvalue": _optional(PositiveAmount),
    "ema_momentum": Share,
    "ema_overwrite_frequency": _optional(Annotated[int, Between(1, INT32)]),
    "epsilon": Amount,
    "global_clipnorm": _optional(PositiveAmount),
    "gradient_accumulation_steps": _optional(Annotated[int, Between(2, 2**20)]),
    "initial_accumulator_value": Amount,
    "loss_scale_factor": _optional(PositiveAmount),
    "min_rank": Annotated[int, Between(0, 1024)],
    "momentum": Share,
    "nesterov": bool,
    "rho": Share,
    "trust_coefficient": Annotated[float, Between(0, LARGEST, lower_open=True)],
    "use_ema": bool,
    "weight_decay": _optional(Amount),
}
"""Annotations by name; a parameter means the same in every optimizer."""
_COMMON = (
    "clipnorm", "clipvalue", "ema_momentum", "ema_overwrite_frequency", "global_clipnorm",
    "gradient_accumulation_steps", "loss_scale_factor", "use_ema", "weight_decay",
)  # fmt: skip
_OWN = {
    "adadelta": ("rho", "epsilon"),
    "adagrad": ("initial_accumulator_value", "epsilon"),
    "adam": ("beta_1", "beta_2", "epsilon", "amsgrad"),
    "adamax": ("beta_1", "beta_2", "epsilon"),
    "adamw": ("beta_1", "beta_2", "epsilon", "amsgrad"),
    "lamb": ("beta_1", "beta_2", "epsilon", "min_rank"),
    "lars": ("momentum", "nesterov", "trust_coefficient", "epsilon", "min_rank"),
    "lion": ("beta_1", "beta_2"),
    "nadam": ("beta_1", "beta_2", "epsilon"),
    "rmsprop": ("rho", "momentum", "epsilon", "centered"),
    "sgd": ("momentum", "nesterov"),
}


def signature(name: str) -> inspect.Signature:
    """Return the parameters of an optimizer that a text may give, without importing Keras.

    Args:
        name: Name of the optimizer.

    Example:
        >>> "nesterov" in signature("sgd").parameters
        True
    """
    return _signature((*_OWN[name], *_COMMON))


def _signature(names: Iterable[str]) -> inspect.Signature:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Signature([inspect.Parameter(each, kind, default=None, annotation=HINTS[each]) for each in names])
