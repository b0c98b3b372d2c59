"""Trace a method of a selector once with placeholders, and refuse what is not a pure function of its arguments."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, NoReturn

import numpy as np
import tensorflow as tf

from batchsel.errors import UsageError
from batchsel.selectors.base import Part
from batchsel.selectors.validation.clock import check_clock
from batchsel.selectors.validation.explanation import explain, title
from batchsel.selectors.validation.graph_checks import Operations, list_operations, purity_problem, xla_obstacle
from batchsel.selectors.validation.protocol import user_classes

Call = Callable[[Any, Callable[[str, str], Any]], Any]
"""Calls a method with a nest of tensors. Fields that the selector does not ask for are given by its second argument, a
function of their name and of a remedy."""
_READING = ("plan", "score", "modify", "draw", "choose", "loss_weights")
"""Methods that read the state and do not return a new one."""
_PROTOCOLS = ("__array__", "__tf_tensor__")
_EMPTY = {"Placeholder", "NoOp", "Identity", "Const"}
_EFFECTS = {"PrintV2", "StringFormat", "Assert", "PyFunc", "EagerPyFunc"}


class TracedMethod(NamedTuple):
    """A method that was traced."""

    result: Any
    """A nest of everything that it returned, with symbolic tensors."""
    obstacle: str | None
    """The reason for which XLA cannot compile it; None if it can, or if that was not asked."""
    reads_clock: bool
    """True if it reads the time, so that no two runs are the same."""
    loses_results: bool
    """True if it computes something and returns tensors that it received, and no others."""


class _NotRequested:
    """Stands for a field that a selector does not ask for: any use of it raises an error that names it."""

    def __init__(self, field: str, remedy: str) -> None:
        self._message = f"reads {field}, which it does not ask for. {remedy}"

    def _refuse(self, *arguments: Any, **keywords: Any) -> NoReturn:
        raise _NotRequestedError(self._message)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__") and name not in _PROTOCOLS:
            raise AttributeError(name)
        self._refuse()

    __getitem__ = __iter__ = __len__ = __bool__ = __float__ = __int__ = __array__ = __tf_tensor__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __pow__ = _refuse
    __neg__ = __lt__ = __le__ = __gt__ = __ge__ = __and__ = __or__ = __invert__ = _refuse


class _NotRequestedError(Exception):
    """The use of a field that a selector does not ask for."""


def trace(
    part: Part, method: str, call: Call, arguments: Any, own: Iterable[Any] = (), xla: bool = False
) -> TracedMethod:
    """Trace a method.

    Args:
        part: The selector, or part of a pipe, that it belongs to.
        method: Its name.
        call: Calls it.
        arguments: Nest of tensors or specs.
        own: Variables that it may read: those of the model that is trained.
        xla: Whether to find out if XLA can compile it.

    Raises:
        UserError: If it raises an exception, or depends on anything but its arguments.
    """
    check_clock(part, method)
    before, drawn = _attributes(part), _generator_states()
    function, result = _trace_once(part, method, call, arguments, xla)
    after, draws = _attributes(part), _generator_states() != drawn
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    if changed:
        raise UsageError(
            f"{title(part, method)} changes self.{changed[0]}, which is neither saved nor reset, and only once: it is"
            " traced. Keep what changes in the state: init returns it, update returns the new one."
        )
    concrete = function.get_concrete_function()
    operations = list_operations(concrete.graph)
    problem = purity_problem(concrete, operations, own)
    if problem is None:
        again, _ = _trace_once(part, method, call, arguments, xla)
        if list_operations(again.get_concrete_function().graph) != operations:
            problem = (
                "differs each time it is traced: it uses random numbers of Python or NumPy, a clock or a counter, which"
                " are read once and stay as they are. Take random numbers from rng, and keep counts in the state."
            )
        elif draws:
            problem = (
                "draws from the generator of Python or NumPy once, when it is traced, and the numbers stay as they are."
                " Take random numbers from rng."
            )
    if problem is not None:
        raise UsageError(f"{title(part, method)} {problem}")
    clock = any(name == "Timestamp" for name, _ in operations)
    obstacle = xla_obstacle(function, function.input_signature) if xla else None
    return TracedMethod(result, obstacle, clock, _loses_results(concrete.graph, operations, result))


def _loses_results(graph: Any, operations: Operations, result: Any) -> bool:
    """Return whether a method computes something, other than to show or to assert it, and returns its inputs."""
    received, returned = set(map(id, graph.inputs)), _leaves(result)
    names = {name for name, _ in operations}
    computes = bool(names - _EMPTY) and not names & _EFFECTS
    return computes and bool(returned) and all(id(leaf) in received for leaf in returned)


def _trace_once(part: Part, method: str, call: Call, arguments: Any, xla: bool) -> tuple[Any, Any]:
    """Return the traced function of tensors, and the nest that the method returned."""
    try:
        return _trace_flat(call, arguments, lambda field, remedy: None, xla, method in _READING)
    except Exception as error:  # whatever the user's code raises
        first = error
    try:
        _trace_flat(call, arguments, _NotRequested, xla)
    except _NotRequestedError as error:
        raise UsageError(f"{title(part, method)} {error}") from None
    except Exception:  # it fails in both cases, so that is not the reason
        raise explain(part, method, first) from None
    raise explain(part, method, first) from None


def _trace_flat(
    call: Call, arguments: Any, missing: Callable[[str, str], Any], xla: bool, reads_only: bool = False
) -> tuple[Any, Any]:
    results: list[Any] = []

    def flat_call(*leaves: tf.Tensor) -> list[tf.Tensor]:
        nest = tf.nest.pack_sequence_as(arguments, leaves)
        results.append(call(nest, missing))
        if reads_only and list(map(id, _leaves(nest))) != list(map(id, leaves)):
            raise UsageError(
                "the state was changed in place, which is lost. Return the new one from update, observe or rescore."
            )
        return [leaf for leaf in _leaves(results[-1]) if tf.is_tensor(leaf)]

    specs = [tf.TensorSpec(leaf.shape, leaf.dtype) for leaf in tf.nest.flatten(arguments)]
    function = tf.function(flat_call, autograph=False, jit_compile=True if xla else None, input_signature=specs)
    function.get_concrete_function()
    return function, results[-1]


def _leaves(nest: Any) -> list[Any]:
    try:
        return tf.nest.flatten(nest)
    except (TypeError, ValueError):  # keys that cannot be sorted
        return []


def _generator_states() -> tuple[Any, ...]:
    """Return the states of the global generators of Python and NumPy, to be compared."""
    numpy_state: Any = np.random.get_state()
    return random.getstate(), numpy_state[0], numpy_state[1].tobytes(), *numpy_state[2:]


def _attributes(part: Part) -> dict[str, Any]:
    """Return what a part and its classes hold, to be compared: containers by a copy, other objects by identity."""
    shared = {
        name: value
        for kind in reversed(user_classes(type(part)))
        for name, value in vars(kind).items()
        if isinstance(value, list | dict | set)
    }
    held = shared | getattr(part, "__dict__", {})
    return {
        name: (type(value), list(map(id, value)), list(value) if isinstance(value, dict) else None)
        if isinstance(value, list | dict | set)
        else id(value)
        for name, value in held.items()
    }
