"""Checks of a selector's plans and choices."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from batchsel.selectors import Context, Plan, Selection, Selector
from batchsel.selectors.types import INVALID_SCORES, ZERO_SCORES
from batchsel.selectors.validation.planning import make_plan
from batchsel.testing.failure import fail
from batchsel.testing.fixtures import example_context, example_pool, example_state, execution_modes, tensors_of

N, B, MANY = 50, 8, 300
SIZES = {
    "short last batch": (21, 8),
    "one batch": (8, 8),
    "batches of one": (9, 1),
    "one sample": (1, 1),
    "2 of 3": (3, 2),
}
"""n and b."""
LOSSES = {
    "unseen": {"steps": 0},
    "known": {},
    "equal": {"equal": True},
    "zero": {"scale": 0.0},
}
"""Losses that a state is made from, as arguments of `example_state`."""


def describe(nest: Any) -> list[str]:
    """Return dtype and shape of each tensor of a nest, as in ``float32[50, 2]``."""
    tensors = [tf.convert_to_tensor(leaf) for leaf in tf.nest.flatten(nest)]
    return [f"{leaf.dtype.name}{leaf.shape.as_list()}" for leaf in tensors]


def equal_nests(first: Any, second: Any) -> bool:
    """Return whether all tensors of two nests are equal to the last bit."""
    leaves = zip(tf.nest.flatten(first), tf.nest.flatten(second), strict=True)
    return all(np.array_equal(left, right) for left, right in leaves)


def check_plan_types(selector: Selector) -> None:
    """Check types and static shapes of what is planned."""
    steps, pool = selector.steps_per_plan(N, B), selector.pool_size(B)
    if not isinstance(steps, int) or isinstance(steps, bool) or steps < 1:
        fail(selector, "plan types", f"steps_per_plan must return an int of at least 1, got {steps!r}.", "Round it up.")
    if pool is not None and (not isinstance(pool, int) or pool < B):
        fail(selector, "plan types", f"pool_size must return None or an int of at least {B} = b, got {pool!r}.", "")
    plan = selector.plan(*example_state(selector, N, B))
    if not isinstance(plan, Plan):
        fail(selector, "plan types", f"plan must return a Plan, got {type(plan).__name__}.", "See selectors.Plan.")
    rows = steps * (pool or B)
    expected = [f"int32[{rows}]", f"float32[{rows}]", "int32[]"]
    if describe(plan) != expected:
        fail(
            selector,
            "plan types",
            f"plan must return indices, weights and steps as {', '.join(expected)}, got {', '.join(describe(plan))}.",
            "Plan steps_per_plan(n, b) batches (or pools) of rows; use tf.cast for the types.",
        )


def check_plan_values(selector: Selector) -> None:
    """Check indices, weights and steps of plans at several sizes, for unseen, known, equal and zero losses."""
    for n, batch_size in SIZES.values():
        for kind in LOSSES:
            check_one_plan(selector, n, batch_size, **({"steps": -(-n // batch_size) + 1} | LOSSES[kind]))


def check_one_plan(selector: Selector, n: int, batch_size: int, labels: tf.Tensor | None = None, **losses: Any) -> None:
    """Check indices, weights and steps of one plan.

    Args:
        selector: The selector.
        n: Samples in the data set.
        batch_size: b.
        labels: ``[n, ...]``, None for three classes.
        losses: Arguments of `example_state`.
    """
    state, context = example_state(selector, n, batch_size, **losses)
    if labels is not None:
        context = context._replace(labels=labels)
    plan = make_plan(selector, state, context)
    if losses.get("equal") and plan.steps == ZERO_SCORES:  # differences of losses that never differ
        plan = selector.plan(state, context)
    indices, weights, used = map(np.asarray, plan)

    def require(condition: Any, problem: str, remedy: str) -> None:
        if not condition:
            fail(selector, "plan values", f"for n={n}, batch_size={batch_size} {problem}", remedy)

    longest = selector.steps_per_plan(n, batch_size)
    require(
        used != INVALID_SCORES,
        "scores must be at least 0, and one of them is negative or NaN.",
        "Use tf.maximum(scores, 0), tf.exp of log-probabilities, and tf.math.divide_no_nan to divide.",
    )
    require(
        used != ZERO_SCORES,
        "one of the scores must be above 0 once losses are known, and none is: all samples are equally likely.",
        "Add a small number to all scores, or look for one that is never set.",
    )
    require(1 <= used <= longest, f"Plan.steps must be in [1, {longest}], got {used}.", "Plan at least one batch.")
    inside = (indices >= 0) & (indices < n)
    require(inside.all(), f"indices must be in [0, {n - 1}], got {indices[~inside][:5]}.", "Use sample numbers only.")
    finite = np.isfinite(weights)
    require(finite.all(), f"weights must be finite, got {weights[~finite][:5]}.", "Guard divisions, e.g. by tf.where.")
    negative = sorted(set(weights[weights < 0]))
    require(
        not negative or (selector.scores_excluded and negative == [-1]),
        f"weights must not be negative, got {negative[:5]}.",
        "Only a selector with scores_excluded = True may mark rows by the weight -1.",
    )
    batches = weights.reshape(longest, -1)[:used]
    require(
        (batches[:, 0] != 0).all() and (batches[0] > 0).any(),
        "the first row of each of the `steps` batches must have a weight, and the first batch must be trained on.",
        "Reduce Plan.steps instead of planning empty batches; ops.sampling.padded_plan does.",
    )
    require(
        (np.diff((batches != 0).astype(int), axis=1) <= 0).all(),
        "padding rows (weight 0) must come after the real rows of their batch.",
        "Sort the rows of the batch; ops.sampling.padded_plan does.",
    )
    require(
        ((batches >= 0).all(axis=1) | (batches <= 0).all(axis=1)).all(),
        "a batch must be either trained on (weights above 0) or scored (weights of -1).",
        "Start a new batch for the rows that are only scored; ops.sampling.rest_scored does.",
    )


def check_repeatability(selector: Selector) -> None:
    """Check that the same state and context give the same plan, whatever was called in between."""
    state, context = example_state(selector, N, B)
    first = selector.plan(state, context)
    later_state, later = example_state(selector, N, B, steps=20)
    selector.plan(later_state, later)
    if not equal_nests(first, selector.plan(state, context)):
        fail(
            selector,
            "repeatability",
            "two calls of plan with the same state and context must return the same plan, and do not.",
            "Take random numbers from context.rng only, and keep everything it remembers in the state.",
        )


def check_seeds(selector: Selector, random: bool) -> None:
    """Check that plans depend on the seed and the step of the run, or that they do not.

    Args:
        selector: The selector.
        random: Whether they are expected to.
    """
    state, context = example_state(selector, N, B)
    first = selector.plan(state, context)
    others = {
        "seed": context._replace(seed=context.seed + 1),
        "step": context._replace(step=context.step + 1, plans=context.plans + 1),
    }
    for name, other in others.items():
        same = equal_nests(first, selector.plan(state, other))
        if same == random:
            problem = f"plans for another {name} of the run must {'differ' if random else 'be the same'}, and do not."
            remedy = "Take random numbers from context.rng." if random else "Do not use context.rng or context.step."
            fail(selector, "seeds", problem.replace("be the same, and do", "be the same, and are"), remedy)


def check_modes(selector: Selector) -> None:
    """Check that plans are equal in eager, graph and XLA mode."""
    states = [example_state(selector, MANY, B, steps) for steps in (0, 20, 40)]
    expected = [selector.plan(state, context) for state, context in states]
    for mode, compiled in execution_modes(selector).items():

        def plan(state: Any, tensors: dict[str, tf.Tensor]) -> Plan:
            return selector.plan(state, example_context(MANY, B)._replace(**tensors))

        function = compiled(plan)
        for (state, context), plan_in_eager in zip(states, expected, strict=True):
            found = _call(selector, mode, function, state, tensors_of(context))
            if not equal_nests(found, plan_in_eager):
                fail(selector, "modes", f"its plan in {mode} mode differs from that in eager mode.", _EXACT)


_EXACT = (
    "Compilers differ in the last bits of floats: decide by integers (selectors.ops), or leave a margin when rounding."
)


def _call(selector: Selector, mode: str, function: Any, *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except Exception as error:
        remedy = "Use tf.where or tf.cond in place of `if`, and static shapes."
        if mode == "xla":
            remedy += " If an operation has no XLA form, set traceable = False."
        problem = f"it cannot run in {mode} mode ({type(error).__name__}: {str(error).strip().splitlines()[0]})."
        fail(selector, "modes", problem, remedy)


def check_choice(selector: Selector) -> None:
    """Check the choice from a scored pool: types, values, padding rows, and equality in all modes."""
    if selector.pool_size(B) is None:
        return
    state, context = example_state(selector, N, B)
    pool = example_pool(selector, N, B)
    expected = selector.choose(state, pool, context)
    _check_selection(selector, expected, pool.valid.numpy())
    for mode, compiled in execution_modes(selector).items():
        function = compiled(lambda state, pool: selector.choose(state, pool, context))
        if not equal_nests(_call(selector, mode, function, state, pool), expected):
            fail(selector, "choice", f"its choice in {mode} mode differs from that in eager mode.", _EXACT)


def _check_selection(selector: Selector, choice: Selection, valid: np.ndarray) -> None:
    if not isinstance(choice, Selection) or describe(choice) != [f"int32[{B}]", f"float32[{B}]"]:
        problem = f"choose must return a Selection of int32[{B}] positions and float32[{B}] weights, got"
        fail(selector, "choice", f"{problem} {type(choice).__name__} of {', '.join(describe(choice))}.", "")
    positions, weights = choice.positions.numpy(), choice.weights.numpy()
    if not ((positions >= 0) & (positions < len(valid))).all():
        problem = f"positions must be in [0, {len(valid) - 1}], rows of the pool, got {positions}."
        fail(selector, "choice", problem, "Return rows of the pool, not sample numbers.")
    if not np.isfinite(weights).all() or (weights < 0).any() or not (weights > 0).any():
        problem = f"weights must be finite, not negative and not all 0, got {weights}."
        fail(selector, "choice", problem, "Choose at least one row.")
    taken = positions[weights != 0]
    if not valid[taken].all():
        problem = "padding rows of the pool must not be chosen with a weight."
        fail(selector, "choice", problem, "Use candidates.valid; pooled.top_k does.")
    if len(set(taken)) < len(taken) and (weights == 1).all():
        problem = "a row must not be chosen twice, unless weights correct for it."
        fail(selector, "choice", problem, "Choose different rows, or weigh them.")


def check_training_losses(selector: Selector) -> None:
    """Check that a selector that claims to ignore training losses does."""
    if selector.uses_training_losses:
        return
    histories = [example_state(selector, N, B, equal=True), example_state(selector, N, B, scale=9)]
    results = [_decide(selector, state, context) for state, context in histories]
    if selector.weighs or not equal_nests(*results):
        problem = "uses_training_losses is False, but its decisions depend on losses of training."
        fail(selector, "training losses", problem, "Leave uses_training_losses at True.")


def _decide(selector: Selector, state: Any, context: Context) -> tuple:
    plan = selector.plan(state, context)
    if selector.pool_size(B) is None:
        return (plan,)
    return plan, selector.choose(state, example_pool(selector, N, B), context)
