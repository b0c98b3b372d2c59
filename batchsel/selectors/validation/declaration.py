"""Check a user's selector before anything of it is called for data: its name, text form, signals and methods."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import tensorflow as tf

from batchsel.errors import UsageError, UserError, show, unknown_name
from batchsel.selectors.base import Part, Selector, Shapes, State, initial_state, is_user_code
from batchsel.selectors.function import describe
from batchsel.selectors.pipe import Draw, Modifier, Pipe, Score
from batchsel.selectors.types import SampleStats
from batchsel.selectors.validation.explanation import explain, title
from batchsel.selectors.validation.protocol import SIGNATURES
from batchsel.selectors.validation.results import convert_state
from batchsel.selectors.validation.signatures import check_signatures
from batchsel.selectors.validation.spelling import check_indentation, check_spelling

ALWAYS = ("indices", "loss", "valid")
"""Fields of `SampleStats` that no selector need ask for."""
SIGNALS = tuple(name for name in SampleStats._fields if name not in ALWAYS)
_REQUIRED: dict[type, tuple[str, ...]] = {
    Selector: ("steps_per_plan", "plan"),
    Score: ("score",),
    Modifier: ("modify",),
    Draw: ("steps_per_plan", "draw"),
}
_FLAGS = (
    "scores_excluded", "can_skip_scoring", "requires_nonnegative_losses", "needs_inputs", "uses_training_losses",
    "traceable", "plans_passes",
)  # fmt: skip
_COMPARED = 1_000_000
"""States of up to so many numbers are made twice to be compared."""


def check_declaration(selector: Selector) -> None:
    """Check the name, the text form, the signals and the methods of a selector.

    Args:
        selector: The selector; parts that are defined in batchsel are not checked.

    Raises:
        UserError: Naming the class, what came and what was expected.
    """
    for part in selector.list_parts():
        if is_user_code(part):
            _check_part(part)


def _check_part(part: Any) -> None:
    kind = type(part).__name__
    if not isinstance(part.name, str):
        raise UsageError(
            f'{kind} has the name {show(part.name)}; expected a text: name = "{kind.lower()}" in the class.'
        )
    try:
        repr(part)
    except UserError:
        raise
    except Exception as error:  # whatever the user's own __repr__ does
        raise UsageError(
            f"{kind} has no text form ({type(error).__name__}: {error}), which checkpoints and records hold. Make it a"
            " dataclass: @dataclass(frozen=True, repr=False)."
        ) from None
    signals = getattr(part, "signals", ())
    if not isinstance(signals, tuple | list) or not all(isinstance(name, str) for name in signals):
        raise UsageError(
            f"{kind}.signals is {show(signals)}; expected a tuple of names, as in signals = ('probability',)."
        )
    for name in signals:
        if name in ALWAYS:
            raise UsageError(
                f"{kind}.signals names {name!r}, which every selector receives as stats.{name}. Leave it out."
            )
        if name not in SIGNALS:
            raise unknown_name(f"signal of {kind}", name, SIGNALS)
    _check_flags(part)
    check_indentation(part)
    check_spelling(part)
    check_signatures(part)
    for base, methods in _REQUIRED.items():
        for method in methods if isinstance(part, base) else ():
            if getattr(type(part), method) is getattr(base, method):
                raise UsageError(f"{kind} defines no {method}. Define {SIGNATURES[method]}.")


def _check_flags(part: Any) -> None:
    """Check the attributes that are true or false: a method of such a name would always be true."""
    for name in _FLAGS:
        value = getattr(part, name, False)
        allowed = (True, False, None) if name == "plans_passes" else (True, False)
        if not any(value is one for one in allowed):
            came = "a method" if callable(value) else show(value)
            words = "True, False or None" if None in allowed else "True or False"
            raise UsageError(f"{type(part).__name__}.{name} is {came}; expected {words}: {name} = True in the class.")


def check_sizes(selector: Selector, n: int, batch_size: int) -> None:
    """Check the numbers of steps and rows that a selector plans.

    Args:
        selector: The selector.
        n: Samples in the data set.
        batch_size: b.

    Raises:
        UserError: Naming the method, what came and what was expected.
    """
    if not is_user_code(selector):
        return
    pool = _call(selector, "pool_size", batch_size)
    if pool is not None:
        _check_number(selector, "pool_size", pool, batch_size, "None or a whole number of rows, at least")
        if type(selector).choose is Selector.choose:
            raise UsageError(
                f"{type(selector).__name__} has pools and defines no choose. Define {SIGNATURES['choose']}."
            )
    owner = selector.draw if isinstance(selector, Pipe) and selector.draw is not None else selector
    steps = _call(owner, "steps_per_plan", n, batch_size)
    _check_number(owner, "steps_per_plan", steps, 1, "a whole number of steps, at least")
    short = _call(owner, "short_batch", n, batch_size)
    if short is not None:
        _check_number(owner, "short_batch", short, 0, "None or a whole number of rows, at least")
    found = _call(selector, "plan_is_pass", n, batch_size)
    if not isinstance(found, bool):
        remedy = " Is a `return` missing?" if found is None else ""
        place = title(selector, "plan_is_pass")
        raise UsageError(f"{place} returned {describe(found)}, expected True or False.{remedy}")


def _check_number(part: Part, method: str, found: Any, least: int, expected: str) -> None:
    try:
        number = None if isinstance(found, bool) else operator.index(found)
    except TypeError:
        number = None
    if number is None or number < least:
        came = show(found) if isinstance(found, int | float | np.number) else describe(found)
        remedy = " Is a `return` missing?" if found is None else ""
        remedy = " Round it up: -(-n // batch_size) are the steps of a pass." if isinstance(found, float) else remedy
        raise UsageError(f"{title(part, method)} returned {came}, expected {expected} {least}.{remedy}")


def make_state(selector: Selector, n: int, shapes: Shapes | None) -> State:
    """Return the state before the first step, as tensors.

    Args:
        selector: The selector.
        n: Samples in the data set.
        shapes: Shapes of its signals.

    Raises:
        UserError: If `init` of a user's selector raises an exception, or returns no nest of tensors.
    """
    if not is_user_code(selector):
        return initial_state(selector, n, shapes)
    if isinstance(selector, Pipe):
        return tuple(_part_state(part, n, shapes) for part in (selector.score, *selector.modifiers))
    return _part_state(selector, n, shapes)


def check_repeatable_state(selector: Selector, n: int, shapes: Shapes | None) -> None:
    """Check that `init` returns the same state each time, since a run with the same seed starts from the same one.

    Args:
        selector: The selector.
        n: Samples in the data set.
        shapes: Shapes of its signals.

    Raises:
        UsageError: If it does not.
    """
    first = make_state(selector, n, shapes)
    if sum(leaf.shape.num_elements() or 0 for leaf in tf.nest.flatten(first)) > _COMPARED:
        return
    leaves = zip(tf.nest.flatten(first), tf.nest.flatten(make_state(selector, n, shapes)), strict=True)
    if not all(
        np.array_equal(np.asarray(one), np.asarray(other), equal_nan=one.dtype.is_floating) for one, other in leaves
    ):
        raise UsageError(
            f"{title(selector, 'init')} returns another state at each call, so that runs would differ."
            " Draw random numbers with a fixed seed, as in np.random.default_rng(0)."
        )


def _part_state(part: Any, n: int, shapes: Shapes | None) -> State:
    if not is_user_code(part):
        return initial_state(part, n, shapes)
    try:
        return convert_state(part, initial_state(part, n, shapes))
    except Exception as error:  # whatever the user's code raises
        if isinstance(error, KeyError) and shapes is not None and error.args[0] not in shapes:
            known = ", ".join(shapes) or "none"
            raise UsageError(
                f"{title(part, 'init')} reads shapes[{error.args[0]!r}]; known are {known}. Name it in signals."
            ) from None
        raise explain(part, "init", error) from None


def _call(part: Any, method: str, *arguments: Any) -> Any:
    try:
        return getattr(part, method)(*arguments)
    except Exception as error:  # whatever the user's code raises
        raise explain(part, method, error) from None
