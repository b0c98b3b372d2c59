"""Find methods that read a clock of Python: once, when they are traced, or at every plan, and then no run repeats."""

from __future__ import annotations

import datetime
import time
from typing import Any

from batchsel.errors import UsageError
from batchsel.selectors.base import Part
from batchsel.selectors.function import Function
from batchsel.selectors.validation.code_names import names_in, plain_function
from batchsel.selectors.validation.explanation import title

_CLOCKS = (time, datetime, datetime.datetime, datetime.date)


def check_clock(part: Part, method: str) -> None:
    """Check that the code of a method reads no clock. Two traces within a second may agree, so the names are compared.

    Args:
        part: The selector or part.
        method: The method.

    Raises:
        UsageError: Naming the clock.
    """
    target = part.function if isinstance(part, Function) else getattr(type(part), method, None)
    known = getattr(plain_function(target), "__globals__", {})
    for name in names_in([target]):
        if _is_clock(known.get(name)):
            raise UsageError(
                f"{title(part, method)} reads a clock ({name}), once, when it is traced, or so that no two runs are the"
                " same. Use context.progress, or the parameter progress of a function."
            )


def _is_clock(value: Any) -> bool:
    of_time = callable(value) and getattr(value, "__module__", None) == time.__name__
    return of_time or any(value is clock for clock in _CLOCKS)
