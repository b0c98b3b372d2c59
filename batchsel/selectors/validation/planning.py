"""Call a user's selector in the loop, and mark what it planned or chose from scores that cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from batchsel.errors import UsageError
from batchsel.selectors.base import Selector, State, is_user_code
from batchsel.selectors.function import Function
from batchsel.selectors.ops.score_log import ScoreLog, log_scores
from batchsel.selectors.pipe import Pipe
from batchsel.selectors.types import INVALID_SCORES, UNORDERED, ZERO_SCORES, Context, Plan, SampleStats, Selection
from batchsel.selectors.validation.code_names import plain_function
from batchsel.selectors.validation.explanation import describe_line, is_library_file, title

_RANKING = {"TopKV2": "tf.math.top_k", "TopK": "tf.math.top_k", "ArgMax": "tf.argmax", "ArgMin": "tf.argmin"}
"""Operations that put numbers in order, with which NaN has no place; tf.argsort and tf.sort are the first."""


def make_plan(selector: Selector, state: State, context: Context, places: list[str] | None = None) -> Plan:
    """Return the plan of a selector. That of a user's whose scores cannot be used has a code in place of its steps.

    Args:
        selector: The selector.
        state: Its state.
        context: The run.
        places: Receives the lines in which numbers are ranked.

    Raises:
        UsageError: If samples are drawn from another number of scores than there are samples.
    """
    if not _logged(selector, "plan"):
        return selector.plan(state, context)
    plan, code = _call_logged(lambda: selector.plan(state, context), context, places, selector)
    if code is None or not isinstance(plan, Plan):
        return plan
    return plan._replace(steps=tf.where(code == 0, plan.steps, code))


def choose(
    selector: Selector, state: State, candidates: SampleStats, context: Context, places: list[str] | None = None
) -> Selection:
    """Return the batch that a selector chooses; its positions are codes where the scores cannot be used.

    Args:
        selector: The selector.
        state: Its state.
        candidates: The pool.
        context: The run.
        places: As for `make_plan`.
    """
    if not _logged(selector, "choose"):
        return selector.choose(state, candidates, context)
    chosen, code = _call_logged(lambda: selector.choose(state, candidates, context), context, places)
    if code is None or not isinstance(chosen, Selection):
        return chosen
    diverged = tf.logical_not(tf.reduce_all(tf.math.is_finite(candidates.loss)))  # which is not its fault
    return chosen._replace(positions=tf.where((code == 0) | diverged, chosen.positions, code))


def _logged(selector: Selector, method: str) -> bool:
    """Return whether the scores of a method count: those of a method of batchsel in a user's class need not."""
    if not is_user_code(selector):
        return False
    if isinstance(selector, Function | Pipe):
        return True
    return not getattr(plain_function(getattr(type(selector), method)), "__module__", "").startswith("batchsel.")


def _call_logged(
    call: Callable[[], Any], context: Context, places: list[str] | None, selector: Selector | None = None
) -> tuple[Any, tf.Tensor | None]:
    """Return the result, and ``int32[]``, the code of what is wrong with its scores: 0 for nothing; None if unknown."""
    graph: Any = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
    before = 0 if graph is None else len(graph.get_operations())
    with log_scores() as log:
        result = call()
    if selector is not None:
        _check_count(selector, log, result, context.n)
    unordered = [] if graph is None else _find_nan(graph.get_operations()[before:], places)
    if not (log.invalid or log.zero or unordered):
        return result, None
    code = tf.constant(0)
    if log.zero:
        known = tf.math.is_finite(context.losses) & (context.losses > 0)
        code = tf.where(_any(log.zero) & tf.reduce_any(known), ZERO_SCORES, code)
    if unordered:
        code = tf.where(_any(unordered), UNORDERED, code)
    if log.invalid:
        code = tf.where(_any(log.invalid), INVALID_SCORES, code)
    return result, code


def _check_count(selector: Selector, log: ScoreLog, plan: Any, n: int) -> None:
    count = log.count_behind(plan.indices) if isinstance(plan, Plan) else None
    if count not in (None, n):
        raise UsageError(
            f"{title(selector, 'plan')} draws samples from {count} scores; expected {n}, one for each sample."
        )


def _find_nan(operations: list[Any], places: list[str] | None) -> list[tf.Tensor]:
    """Return ``bool[]`` for each operation that ranks numbers, true if one of them is NaN."""
    found = []
    for operation in operations:
        if operation.type in _RANKING and operation.inputs[0].dtype.is_floating:
            found.append(tf.reduce_any(tf.math.is_nan(operation.inputs[0])))
            if places is not None:
                places.append(_place_of(operation))
    return found


def _place_of(operation: Any) -> str:
    own = [frame for frame in operation.traceback or () if not is_library_file(frame.filename)]
    return describe_line(own[-1].filename, own[-1].lineno) if own else ""


def _any(flags: list[tf.Tensor]) -> tf.Tensor:
    return tf.reduce_any(tf.stack(flags))
