"""Checks of a selector's configuration, text form and state."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from batchsel.core import call_syntax
from batchsel.selectors import Function, SampleStats, Selector
from batchsel.selectors.base import initial_state
from batchsel.testing.failure import fail
from batchsel.testing.fixtures import (
    example_context,
    example_init,
    example_pool,
    example_shapes,
    example_state,
    example_stats,
    tensors_of,
)
from batchsel.testing.plans import B, N, describe, equal_nests


def _is_dataclass(part: Any) -> bool:
    return hasattr(type(part), "__dataclass_fields__")


def _is_frozen_dataclass(part: Any) -> bool:
    parameters = getattr(type(part), "__dataclass_params__", None)
    return parameters is not None and parameters.frozen


def check_config(selector: Selector) -> None:
    """Check that it has a name, and if it is a dataclass, that it is frozen, equal to its copies and hashable."""
    for part in selector.list_parts():
        kind = type(part).__name__
        if not isinstance(getattr(part, "name", None), str):
            fail(selector, "config", f"{kind} must have a name.", f'Write `name = "..."` in the class {kind}.')
        if not _is_dataclass(part):
            continue  # compared by its text form, and changes nothing, as tracing shows
        if not _is_frozen_dataclass(part):
            fail(
                selector,
                "config",
                f"{kind} must be a frozen dataclass.",
                "Decorate the class with @dataclass(frozen=True, repr=False), and keep what it remembers in the state.",
            )
        try:
            hash(part)
        except TypeError as error:
            fail(selector, "config", f"{kind} must be hashable ({error}).", "Use tuples in place of lists in fields.")
        copy = dataclasses.replace(part)
        if copy != part or hash(copy) != hash(part):
            problem = f"a copy of {kind} must be equal to it and have the same hash."
            fail(selector, "config", problem, "Leave __eq__ and __hash__ to the dataclass.")


def check_text_form(selector: Selector) -> None:
    """Check that the text form of each part, which records and config files hold, builds an equal part."""
    for part in selector.list_parts():
        if isinstance(part, Function):  # shows the name of a function, which no text can build
            continue
        try:
            call = call_syntax.parse_call(repr(part))
            built = call.apply(type(part))
            same = built == part or (not _is_dataclass(part) and repr(built) == repr(part))
            same = same and call.name == part.name
        except ValueError as error:
            fail(selector, "text form", f"{part!r} cannot be read back ({error}).", _TEXT)
        if not same:
            fail(selector, "text form", f"{part!r} read back is not equal to the part.", _TEXT)


_TEXT = "Use @dataclass(frozen=True, repr=False), with fields that are numbers, strings, None or lists of these."


def check_state(selector: Selector) -> None:
    """Check that all methods that return a state keep its structure, types and static shapes."""
    state = initial_state(selector, N, example_shapes(selector))
    for leaf in tf.nest.flatten(state):
        if not isinstance(leaf, tf.Tensor):
            problem = f"init must return a nest of tensors, it holds {type(leaf).__name__} {leaf!r}."
            fail(selector, "state", problem, "Use tf.constant or tf.zeros.")
    batch = example_stats(np.arange(B), np.ones(B), selector.signals)
    calls: dict[str, SampleStats] = {"update": batch}
    if selector.scores_excluded:
        calls["rescore"] = batch
    if selector.pool_size(B) is not None:
        calls["observe"] = example_pool(selector, N, B)
    for method, stats in calls.items():
        _check_same_structure(selector, method, state, stats)


def _check_same_structure(selector: Selector, method: str, state: Any, stats: SampleStats) -> None:
    def call(state: Any, tensors: dict[str, tf.Tensor]) -> Any:
        return getattr(selector, method)(state, stats, example_context(N, B)._replace(**tensors))

    traced = tf.function(call, autograph=False).get_concrete_function(state, tensors_of(example_context(N, B)))
    after = traced.structured_outputs
    try:
        tf.nest.assert_same_structure(state, after)
    except (TypeError, ValueError) as error:
        problem = f"{method} must return a state of the same structure as init ({str(error).splitlines()[0]})."
        fail(selector, "state", problem, "Return all parts of the state in the same order.")
    leaves = [(leaf.dtype, leaf.shape.as_list()) for leaf in tf.nest.flatten(after)]
    if leaves != [(leaf.dtype, leaf.shape.as_list()) for leaf in tf.nest.flatten(state)]:
        problem = f"{method} must keep types and shapes of the state, {', '.join(describe(state))}, got"
        found = ", ".join(f"{dtype.name}{shape}" for dtype, shape in leaves)
        fail(selector, "state", f"{problem} {found}.", "Use tf.cast and static shapes.")


def check_update(selector: Selector) -> None:
    """Check that `update` is pure and that padding rows change nothing."""
    state, context = example_state(selector, N, B)
    real = example_stats(np.array([3, 17, 49, 20, 8]), np.arange(1.0, 6.0), selector.signals, seed=77)
    after = selector.update(state, real, context)
    if not equal_nests(after, selector.update(state, real, context)):
        problem = "two calls of update with the same arguments must return the same state, and do not."
        fail(selector, "update", problem, "Keep everything it remembers in the state.")
    rows = tf.constant([0, 1, 2, 3, 4, 0, 0, 0])
    padded = SampleStats(*(None if field is None else tf.gather(field, rows) for field in real))
    padded = padded._replace(valid=tf.range(B) < 5)
    for one, other in zip(
        tf.nest.flatten(after), tf.nest.flatten(selector.update(state, padded, context)), strict=True
    ):
        if not np.allclose(one, other, rtol=1e-5, equal_nan=True):
            problem = "padding rows, copies of the first row with valid = False, must not change the state, and do."
            fail(selector, "update", problem, "Count with stats.valid, and write rows by ops.sampling.scatter_update.")


def check_prepare(selector: Selector) -> None:
    """Check that `prepare` keeps the structure of the state."""
    if not selector.prepares:
        return
    state = example_init(selector, N)

    def train_auxiliary(
        rows: np.ndarray,
        seed: int,
        passes: float,
        *,
        width: float = 1.0,
        every_pass: bool = False,
        scored: np.ndarray | None = None,
    ) -> np.ndarray:
        count = N if scored is None else len(scored)
        shape = (int(passes), count) if every_pass else (count,)
        return np.random.default_rng(seed).exponential(size=shape).astype(np.float32)

    after = selector.prepare(state, train_auxiliary, 0)
    if describe(after) != describe(state):
        problem = f"prepare must keep types and shapes of the state, {describe(state)}, got {describe(after)}."
        fail(selector, "prepare", problem, "Use tf.cast and static shapes.")


def check_loss_weights(selector: Selector) -> None:
    """Check the factors of the losses of a batch with padding rows."""
    if not selector.weighs:
        return
    state, context = example_state(selector, N, B)
    losses, valid = tf.linspace(0.5, 2.0, B), tf.range(B) < B - 3
    weights = selector.loss_weights(state, losses, valid, context)
    if describe(weights) != [f"float32[{B}]"] or not np.isfinite(weights).all() or not np.any(weights[: B - 3]):
        problem = f"loss_weights must return finite float32[{B}], not all 0 on real rows, got {weights}."
        fail(selector, "loss weights", problem, "Guard divisions, and ignore rows that are not valid.")
