"""Trace every method of a user's selector once, before training, and compare what it returns with the protocol."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from batchsel.errors import UsageError
from batchsel.selectors.base import Selector, State, is_user_code
from batchsel.selectors.function import NumpyFunction, signal_dtype
from batchsel.selectors.pipe import Pipe
from batchsel.selectors.types import Context, Plan, SampleStats, Selection
from batchsel.selectors.validation.clock import check_clock
from batchsel.selectors.validation.declaration import SIGNALS
from batchsel.selectors.validation.explanation import explain, title
from batchsel.selectors.validation.planning import make_plan
from batchsel.selectors.validation.results import check_state, check_tensor, check_tensors
from batchsel.selectors.validation.tracing import TracedMethod, trace

TRACED = frozenset(("plan", "choose", "observe", "update", "rescore", "loss_weights"))
"""Methods of a selector that the loop calls in its trace."""
_STATES = ("update", "observe", "rescore")
_NAMED = {"update": "stats", "rescore": "stats", "observe": "candidates", "choose": "candidates"}


class Findings(NamedTuple):
    """Properties of a selector that are seen when it is traced."""

    obstacle: str | None = None
    """The reason for which XLA cannot compile it; None if it can, or is not used."""
    reads_clock: bool = False
    """True if it reads the time, so that no two runs are the same."""


def check_methods(
    selector: Selector,
    state: State,
    context: Context,
    shapes: Mapping[str, tuple[int, ...]],
    own: Iterable[Any] = (),
    compiled: Container[str] = (),
) -> Findings:
    """Trace the methods of a selector, and check what they return.

    Args:
        selector: The selector; parts that are defined in batchsel are only traced within it.
        state: Its state.
        context: The run at its start.
        shapes: Shape of one sample of each signal that it requests.
        own: Variables that it may read: those of the model that is trained.
        compiled: Methods that XLA is going to compile.

    Raises:
        UserError: Naming the method, what came and what was expected.
    """
    return _Checks(selector, state, context, shapes, list(own), compiled).run()


class _Checks:
    """The checks of one selector; arguments as for `check_methods`."""

    def __init__(
        self,
        selector: Selector,
        state: State,
        context: Context,
        shapes: Mapping[str, tuple[int, ...]],
        own: list[Any],
        compiled: Container[str],
    ) -> None:
        self._selector, self._state, self._context, self._shapes = selector, state, context, shapes
        self._own, self._compiled = own, compiled
        self._batch = context.batch_size
        self._width = selector.pool_size(context.batch_size) or context.batch_size
        steps = selector.steps_per_plan(context.n, context.batch_size)
        rows = steps * self._width
        self._plan = {"indices": _spec([rows], tf.int32), "weights": _spec([rows]), "steps": _spec([], tf.int32)}
        self._tensors = {
            name: value
            for name, value in context._asdict().items()
            if value is not None and all(map(tf.is_tensor, tf.nest.flatten(value)))
        }
        self._findings: list[tuple[str, TracedMethod]] = []

    def run(self) -> Findings:
        """Run all checks."""
        selector = self._selector
        if isinstance(selector, NumpyFunction):
            self._run_numpy(selector)
        if isinstance(selector, Pipe):
            self._check_pipe(selector)
        traced = self._trace(selector, "plan", partial(make_plan, selector), self._state)
        check_tensors(selector, "plan", Plan, traced.result, self._plan)
        if selector.pool_size(self._batch) is not None:
            chosen = self._trace_stats(selector, "choose", self._state, self._width)
            expected = {"positions": _spec([self._batch], tf.int32), "weights": _spec([self._batch])}
            check_tensors(selector, "choose", Selection, chosen.result, expected)
            self._check_state(selector, "observe", self._state, self._width)
        if selector.scores_excluded:
            self._check_state(selector, "rescore", self._state, self._batch)
        if selector.weighs:
            self._check_loss_weights()
        if not isinstance(selector, Pipe):
            self._check_state(selector, "update", self._state, self._batch)
        obstacles = (f"{method}(): {each.obstacle}" for method, each in self._findings if each.obstacle)
        return Findings(next(obstacles, None), any(each.reads_clock for _, each in self._findings))

    def _run_numpy(self, selector: NumpyFunction) -> None:
        """Call a function in NumPy twice, which tracing does not, and compare."""
        check_clock(selector, "plan")
        try:
            first, second = (selector.plan(self._state, self._context) for _ in range(2))
        except Exception as error:  # whatever the user's function raises
            failure = selector.failures[-1] if selector.failures else error
            raise explain(selector, "plan", failure) from None
        if not np.array_equal(first.indices, second.indices):
            raise UsageError(
                f"{title(selector)} returns other indices when it is called again with the same arguments. Take random"
                " numbers from rng alone, as in rng.permutation(n), and remember nothing between calls."
            )

    def _check_pipe(self, pipe: Pipe) -> None:
        """Check the user's parts of a pipe, each for itself."""
        n, scores = self._context.n, _spec([self._context.n], tf.float64)
        for part, state in zip((pipe.score, *pipe.modifiers), self._state, strict=True):
            if not is_user_code(part):
                continue
            if part is pipe.score:
                found = self._trace(part, "score", pipe.score.score, state).result
                kind = found.dtype if isinstance(found, tf.Tensor) and found.dtype in _NUMBERS else tf.float32
                check_tensor(part, "score", found, _spec([n], kind))
            else:
                call = _modify(part)
                check_tensor(part, "modify", self._trace(part, "modify", call, [scores, state]).result, scores)
            self._check_state(part, "update", state, self._batch)
        draw = pipe.draw
        if draw is not None and is_user_code(draw):
            found = self._trace(draw, "draw", draw.draw, scores).result
            check_tensors(draw, "draw", Plan, found, self._plan)

    def _check_state(self, part: Any, method: str, state: State, rows: int) -> None:
        traced = self._trace_stats(part, method, state, rows)
        check_state(part, method, traced.result, state)
        if traced.loses_results:
            raise UsageError(
                f"{title(part, method)} returns the state that it received, and what it computes is lost. Return the"
                " new one: no function of TensorFlow changes a tensor in place."
            )

    def _check_loss_weights(self) -> None:
        rows = self._batch
        arguments = [self._state, _spec([rows]), _spec([rows], tf.bool)]

        def call(nest: Any, context: Context) -> Any:
            state, losses, valid = nest
            return self._selector.loss_weights(state, losses, valid, context)

        found = self._trace(self._selector, "loss_weights", call, arguments).result
        check_tensor(self._selector, "loss_weights", found, _spec([rows]))

    def _trace_stats(self, part: Any, method: str, state: State, rows: int) -> TracedMethod:
        """Trace a method of state, statistics and context."""
        specs = {"indices": _spec([rows], tf.int32), "loss": _spec([rows]), "valid": _spec([rows], tf.bool)}
        specs |= {name: _spec([rows, *self._shapes[name]], signal_dtype(name)) for name in self._selector.signals}
        requested = getattr(part, "signals", self._selector.signals)

        def call(arguments: Any, context: Context, missing: Callable[[str, str], Any]) -> Any:
            state, given = arguments
            rest = [name for name in SIGNALS if name not in requested]
            absent = {
                name: missing(f"{_NAMED[method]}.{name}", f"Write signals = ({name!r},) in the class.") for name in rest
            }
            stats = SampleStats(**{**given, **absent})
            return getattr(part, method)(state, stats, context)

        return self._trace(part, method, call, [state, specs], with_missing=True)

    def _trace(
        self, part: Any, method: str, call: Callable[..., Any], arguments: Any, with_missing: bool = False
    ) -> TracedMethod:
        """Trace a method, whose arguments before the context are given."""

        def complete(nest: Any, missing: Callable[[str, str], Any]) -> Any:
            before, tensors = nest
            context = self._context._replace(**tensors)
            absent = {
                "inputs": "Write needs_inputs = True in the class; streamed data have none.",
                "labels": "Streamed data have none.",
            }
            gone = {
                name: missing(f"context.{name}", text)
                for name, text in absent.items()
                if getattr(context, name) is None
            }
            context = context._replace(**gone)
            return call(before, context, missing) if with_missing else call(before, context)

        traced = trace(part, method, complete, (arguments, self._tensors), self._own, method in self._compiled)
        self._findings.append((method, traced))
        return traced


_NUMBERS = (tf.float16, tf.bfloat16, tf.float32, tf.float64, tf.int32, tf.int64)


def _modify(part: Any) -> Callable[[Any, Context], Any]:
    return lambda nest, context: part.modify(nest[0], context, nest[1])


def _spec(shape: list[int], dtype: Any = tf.float32) -> tf.TensorSpec:
    return tf.TensorSpec(shape, dtype)
