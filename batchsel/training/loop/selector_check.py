"""Check a user's selector on the loop that it will run in, before anything is trained."""

from __future__ import annotations

import warnings
from typing import Any

import tensorflow as tf

from batchsel.core.tf_support.own_function import own_function
from batchsel.selectors import Selector
from batchsel.selectors.base import Shapes, is_user_code, wants_shapes
from batchsel.selectors.validation.declaration import check_repeatable_state
from batchsel.selectors.validation.methods import TRACED, check_methods
from batchsel.training import variables
from batchsel.training.inputs.batch import Batch, Samples
from batchsel.training.loop.compilation import Compilation
from batchsel.training.loop.errors import raise_for_status, selector_errors
from batchsel.training.loop.loop_state import BudgetWindow
from batchsel.training.loop.train_loop import TrainLoop
from batchsel.training.loop.train_step import TrainStep


def signal_shapes(step: TrainStep, selector: Selector, one: Samples) -> Shapes:
    """Return the shape of one sample of each signal that a selector requests, of the labels and of the inputs.

    Args:
        step: The step, built.
        selector: The selector; for those of batchsel that do not ask for shapes nothing is computed.
        one: Samples, as tensors.
    """
    if not is_user_code(selector) and not wants_shapes(selector):
        return {}
    shapes = {
        name: tuple(part.shape[1:])
        for name, part in (("labels", one.y), ("inputs", one.x))
        if part is not None and not tf.nest.is_nested(part)
    }
    if selector.signals:
        # Zeros, because the targets have not been checked yet.
        zeros = one._replace(y=tf.nest.map_structure(tf.zeros_like, one.y), sample_weight=None)
        rows = tf.nest.flatten(one.x)[0].shape[0]
        with variables.preserve(step.model):  # a recurrent layer may keep its state
            stats = step.score(Batch(tf.zeros([rows], tf.int32), tf.ones([rows]), *zeros))
        shapes |= {name: tuple(getattr(stats, name).shape[1:]) for name in selector.signals}
    return shapes


def check_selector(loop: TrainLoop, data: Samples | None, shapes: Shapes, compilation: Compilation) -> str | None:
    """Trace the methods of a user's selector once, and check what they return.

    Args:
        loop: The loop.
        data: The whole data set, or None if it is streamed.
        shapes: Shapes of its signals.
        compilation: The parts of the loop that XLA is going to compile.

    Returns:
        The reason for which XLA cannot compile it, or None.

    Raises:
        UserError: Naming the selector, the method, what came and what was expected.
    """
    selector = loop.selector
    if not is_user_code(selector):
        return None
    check_repeatable_state(selector, loop.n, shapes)
    planned, chosen = compilation.planning, compilation.choosing
    compiled = TRACED if compilation.all else {*(["plan"] if planned else []), *(["choose"] if chosen else [])}
    state = loop.load(BudgetWindow.from_numbers(0, 1, loop.n))
    context = loop.context(state, data)
    findings = check_methods(selector, state.state, context, shapes, _own_variables(loop.step), compiled)
    return findings.obstacle


def check_first_plan(loop: TrainLoop, data: Samples | None) -> None:
    """Make the first plan of a user's selector as a graph, and check it as the loop does; once for a loop.

    Args:
        loop: The loop, before its first step.
        data: The whole data set, or None if it is streamed.

    Raises:
        TrainingError: Naming what is wrong with the plan.
    """
    if loop.first_plan_checked or loop.selector.prepares:  # before it has prepared, plans mean nothing
        return
    window = BudgetWindow.from_numbers(0, 1, loop.n)

    def plan() -> tf.Tensor:
        state = loop.load(window)
        planned = loop.plan(state, loop.context(state, data))
        loop.store(planned)
        return planned.status

    before = loop.load()
    try:
        with selector_errors(loop.selector):
            raise_for_status(loop, int(own_function(plan)()))
    finally:
        loop.store(before)
    loop.first_plan_checked = True


def report_graph_mode(selector: Selector, obstacle: str) -> None:
    """Say that a selector that XLA cannot compile runs as a plain graph.

    Args:
        selector: The selector.
        obstacle: The reason.
    """
    warnings.warn(
        f"{selector!r} runs as a plain graph, which is slower for small models: {obstacle}.", UserWarning, stacklevel=2
    )


def _own_variables(step: TrainStep) -> list[Any]:
    members = [*step.model.variables, *getattr(step.optimizer, "variables", [])]
    return [getattr(member, "value", member) for member in members]
