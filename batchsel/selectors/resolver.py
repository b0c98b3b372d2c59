"""Conversion of the argument ``selector=`` to a `Selector`."""

from __future__ import annotations

import inspect
from typing import Any

from batchsel.core.call_syntax import describe_failure
from batchsel.errors import UsageError, UserError, show
from batchsel.selectors.base import Selector
from batchsel.selectors.function import Function
from batchsel.selectors.pipe import Draw, Modifier, Pipe, Score
from batchsel.selectors.text import check_base, parse


def resolve(selector: Any) -> Selector:
    """Return the selector for a name, a pipe in text form, an object or a function.

    Args:
        selector: ``"loss_ema(0.9) | warmup(1)"``, ``"./mine.py:Mine"``, a selector object, or a
            function ``(losses, batch_size, rng) -> indices``.

    Raises:
        UsageError: If it is none of these.

    Example:
        >>> resolve("loss_ema | mix(0.2)")
        loss_ema(decay=0.9) | mix(uniform=0.2)
    """
    if isinstance(selector, str):
        selector = parse(selector)
    if isinstance(selector, type) and issubclass(selector, Selector | Score | Modifier | Draw):
        selector = _build(selector)
    if isinstance(selector, Selector):
        return selector
    if isinstance(selector, Score):
        return Pipe(selector)
    if isinstance(selector, Modifier | Draw):
        raise UsageError(
            f"{selector!r} alone is not a selector: a pipe starts with a score, as in 'loss_ema | {selector!r}'."
        )
    if getattr(selector, "follows_selectors", False):
        raise UsageError(
            f"{selector!r} alone is not a selector: it follows one with pools, as in 'candidates | {selector!r}'."
        )
    if callable(selector) and not isinstance(selector, type):
        return Function(selector)
    check_base(selector)
    raise UsageError(
        f"selector must be a name, a pipe in text, a selector object or a function"
        f" (losses, batch_size, rng) -> indices; got {type(selector).__name__} {show(selector)}."
    )


def _build(kind: type) -> Any:
    """Return an object of a class, which may have no parameters without a default."""
    parameters = inspect.signature(kind).parameters.values()
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    missing = [each.name for each in parameters if each.default is each.empty and each.kind not in variable]
    if missing:
        raise UsageError(
            f"{kind.__name__} needs {', '.join(missing)}. Pass an object, as in selector={kind.__name__}(...)."
        )
    try:
        return kind()
    except UserError:
        raise
    except Exception as error:  # whatever the user's own constructor raises
        raise UsageError(f"cannot build {kind.__name__}: {describe_failure(error)}") from error
