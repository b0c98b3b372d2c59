"""Selectors made from a plain function."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import tensorflow as tf

from batchsel.core.parameters import INT32, MOST_STEPS, Between
from batchsel.errors import UsageError, UserError, unknown_name
from batchsel.selectors.base import Selector, Shapes, State, positional_parameters
from batchsel.selectors.ops.sampling import deal_into_batches, scatter_update
from batchsel.selectors.ops.score_log import count_behind
from batchsel.selectors.types import Context, Plan, SampleStats

ChooseIndices = Callable[..., Any]
"""``(losses, batch_size, rng) -> indices``, of tensors and an `Rng`, or of arrays and a NumPy generator."""

FIRST_NAMES = ("losses", "batch_size", "rng")
"""Values that a function receives in its first three parameters; in another order, if they have these names."""
CONTEXT_NAMES = ("labels", "inputs", "progress", "step", "samples", "passes", "epoch", "visits", "plans", "n")
"""Fields of `Context` that a function receives if it has a parameter of that name."""
SIGNAL_NAMES = tuple(name for name in SampleStats._fields[3:] if name not in CONTEXT_NAMES)
"""Signals that it receives likewise, the last known one of every sample."""


def takes_losses(function: Any) -> bool:
    """Return whether a function chooses samples, ``(losses, batch_size, rng)``, rather than making a selector.

    Args:
        function: Any function.

    Example:
        >>> takes_losses(lambda losses, batch_size, rng: losses), takes_losses(lambda pool=3: pool)
        (True, False)
    """
    if not inspect.isroutine(function) and not isinstance(function, functools.partial):
        return False
    try:
        required = [each for each in positional_parameters(function) if each.default is each.empty]
    except (TypeError, ValueError):  # some functions in C do not state theirs
        return False
    return len(required) >= 2 or (bool(required) and required[0].name == "losses")


@dataclass(frozen=True, repr=False)
class Function(Selector):
    """A selector that calls a function ``(losses, batch_size, rng) -> indices``.

    The function is TensorFlow code, traced once. It receives the last known loss of every sample
    (``float32[n]``, infinite for unseen samples) and returns ``int32[batch_size]`` sample numbers. More parameters
    are filled by their names: ``labels``, ``inputs``, ``progress``, ``step``, ``samples``, ``passes``, ``epoch``,
    ``visits``, ``plans`` and ``n`` as in `Context`; and each signal of `SampleStats`, such as ``probability`` or
    ``features``: ``[n, ...]``, the last known one of every sample, 0 for samples that are unseen.
    Cost: that of the function, for every plan; n numbers or rows for each signal.

    Args:
        function: The function. ``selector=function`` is short for ``selector=Function(function)``.
        every: Steps from plan to plan; the function returns ``every * batch_size`` indices at once.

    Raises:
        UsageError: If `every` is not a positive whole number, or the function has a parameter of an unknown name.

    Example:
        >>> import tensorflow as tf
        >>> def hardest(losses, batch_size, rng):
        ...     return tf.math.top_k(losses, batch_size).indices
        >>> Function(hardest, every=4)
        function(hardest, every=4)
        >>> def least_certain(losses, batch_size, rng, *, probability, visits):
        ...     return tf.math.top_k(tf.where(visits > 0, -probability, 1.0), batch_size).indices
        >>> Function(least_certain).signals
        ('probability',)
    """

    name = "function"
    plans_passes = False
    requires_nonnegative_losses = False
    calls_user_code = True
    extra_names: ClassVar[tuple[str, ...]] = ()
    """Names of the parameters other than the first three that are filled."""
    order: ClassVar[tuple[str, ...]] = FIRST_NAMES
    """Losses, batch size and random numbers in the order in which the function takes them."""
    function: ChooseIndices
    every: Annotated[int, Between(1, MOST_STEPS)] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not callable(self.function):
            raise UsageError(f"{self.name} takes a function (losses, batch_size, rng), got {self.function!r}.")
        order, names = _order(self.function), _extra_names(self.function)
        object.__setattr__(self, "order", order)
        object.__setattr__(self, "extra_names", names)
        object.__setattr__(self, "signals", tuple(name for name in names if name in SIGNAL_NAMES))
        object.__setattr__(self, "needs_inputs", "inputs" in names)

    def __repr__(self) -> str:
        return f"{self.name}({function_name(self.function)}, every={self.every})"

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """Return `every`."""
        return self.every

    def short_batch(self, n: int, batch_size: int) -> int:
        """Return 0: all batches are full."""
        return 0

    def init(self, n: int, shapes: Shapes | None = None) -> State:
        """Return zeros for each signal that the function reads."""
        if not self.signals:
            return ()
        rows = shapes or {}
        return {name: tf.zeros([n, *rows.get(name, ())], signal_dtype(name)) for name in self.signals}

    def plan(self, state: State, context: Context) -> Plan:
        """Call the function and deal its indices to the batches."""
        rows = self.every * context.batch_size
        known = {name: state[name] if name in SIGNAL_NAMES else getattr(context, name) for name in self.extra_names}
        for name in ("labels", "inputs"):
            if name in known and known[name] is None:
                raise UsageError(
                    f"selector function {function_name(self.function)} reads {name}, which streamed data do not have"
                    " in memory. Train on arrays, or leave the parameter out."
                )
        indices = self._call(context, rows, known)
        return Plan(deal_into_batches(indices, self.every), tf.ones([rows]), tf.constant(self.every))

    def update(self, state: State, stats: SampleStats, context: Context) -> State:
        """Remember the signals of the batch."""
        if not self.signals:
            return state
        return {name: scatter_update(state[name], stats.indices, getattr(stats, name)) for name in self.signals}

    def _in_order(self, *values: Any) -> list[Any]:
        """Return losses, batch size and random numbers in the order of the parameters of the function."""
        by_name: dict[str, Any] = dict(zip(FIRST_NAMES, values, strict=True))
        return [by_name[name] for name in self.order]

    def _call(self, context: Context, rows: int, known: Mapping[str, Any]) -> tf.Tensor:
        """Return the indices in 32 bits, after a check of everything that is known when they are traced."""
        found = self.function(*self._in_order(context.losses, rows, context.rng), **known)
        count = count_behind(found)
        if count not in (None, context.n):
            raise UsageError(
                f"selector function {function_name(self.function)} draws samples from {count} scores; expected"
                f" {context.n}, one for each sample."
            )
        try:
            indices = None if found is None else tf.convert_to_tensor(found)
        except (OverflowError, TypeError, ValueError):
            indices = None
        if indices is None or not indices.dtype.is_integer or indices.shape != [rows]:
            came = describe(found if indices is None else indices)
            raise UsageError(_wrong_indices(self.function, rows, came))
        return _narrow(indices)


@dataclass(frozen=True, repr=False)
class NumpyFunction(Function):
    """A `Function` in NumPy: ``(losses, batch_size, rng)`` with an array and a `numpy.random.Generator`.

    Slower than TensorFlow code: every plan leaves the compiled loop for Python, and XLA is ruled out. Use
    it to try an idea, with `every` as large as possible. Parameters by name are NumPy arrays and numbers.

    Args:
        function: The function.
        every: Steps from plan to plan.

    Example:
        >>> def uniform(losses, batch_size, rng):
        ...     return rng.integers(len(losses), size=batch_size)
        >>> NumpyFunction(uniform, every=16)
        numpy_function(uniform, every=16)
    """

    name = "numpy_function"
    requires_nonnegative_losses = False
    traceable = False
    failures: ClassVar[list[Exception]] = []
    """The last exception of the function: TensorFlow passes on no more than its text."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "failures", [])

    def _call(self, context: Context, rows: int, known: Mapping[str, Any]) -> tf.Tensor:
        names, leaves = list(known), tf.nest.flatten(list(known.values()))

        def call(losses: np.ndarray, key: np.ndarray, *leaves: np.ndarray) -> np.ndarray:
            values = tf.nest.pack_sequence_as(list(known.values()), leaves)
            generator = np.random.default_rng(key.view(np.uint32))
            try:
                found = self.function(*self._in_order(losses, rows, generator), **dict(zip(names, values, strict=True)))
                return _checked_array(self.function, found, rows)
            except Exception as error:  # whatever the user's function raises
                self.failures[:] = [error]
                raise

        indices = tf.numpy_function(call, [context.losses, context.rng.bits([4], "numpy"), *leaves], tf.int32)
        return tf.ensure_shape(indices, [rows])


def function_name(function: Any) -> str:
    """Return the name of a function for texts and messages, the same in every process.

    Args:
        function: Anything callable.

    Example:
        >>> function_name(sorted), function_name(functools.partial(sorted, reverse=True))
        ('sorted', 'sorted(reverse=True)')
    """
    if isinstance(function, functools.partial):
        given = [*map(repr, function.args), *(f"{name}={value!r}" for name, value in function.keywords.items())]
        return f"{function_name(function.func)}({', '.join(given)})"
    return getattr(function, "__name__", None) or type(function).__name__


def signal_dtype(name: str) -> tf.DType:
    """Return the type of a signal.

    Args:
        name: A field of `SampleStats`.
    """
    return {"predicted": tf.int32, "indices": tf.int32, "valid": tf.bool}.get(name, tf.float32)


def describe(value: Any) -> str:
    """Return type and shape of a value for a message, as in ``float32[50, 2]``.

    Args:
        value: Anything; tensors, specs and arrays have a type and a shape.

    Example:
        >>> describe(tf.zeros([50, 2])), describe(np.zeros(3)), describe([1, 2]), describe(None)
        ('float32[50, 2]', 'a NumPy array float64[3]', 'a list', 'None')
    """
    if value is None:
        return "None"
    if isinstance(value, np.ndarray):
        return f"a NumPy array {value.dtype}{list(value.shape)}"
    if isinstance(value, tf.Tensor | tf.TensorSpec | tf.Variable):
        shape = "[...]" if value.shape.rank is None else str(value.shape.as_list()).replace("None", "?")
        return f"{value.dtype.name}{shape}"
    kind = type(value).__name__
    return f"{'an' if kind[0].lower() in 'aeiou' else 'a'} {kind}"


def _extra_names(function: ChooseIndices) -> tuple[str, ...]:
    """Return the names of the parameters after the first three that are filled by name."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # some functions in C do not state theirs
        return ()
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    variable = any(each.kind is inspect.Parameter.VAR_POSITIONAL for each in parameters)
    positional = [each for each in parameters if each.kind not in (named[1], inspect.Parameter.VAR_KEYWORD)]
    if len(positional) < 3 and not variable:
        shown = ", ".join(each.name for each in positional)
        raise UsageError(
            f"selector function {function_name(function)} takes ({shown}); expected (losses, batch_size, rng), and"
            f" after them any of {', '.join((*CONTEXT_NAMES, *SIGNAL_NAMES))}."
        )
    extra = [each for each in parameters if each.kind in named and each not in positional[:3]]
    known = (*CONTEXT_NAMES, *SIGNAL_NAMES)
    misplaced = [each.name for each in positional[:3] if each.name in known and each.name != "n"]
    if misplaced or any(each.name in FIRST_NAMES for each in extra):
        shown = ", ".join(each.name for each in parameters)
        raise UsageError(
            f"selector function {function_name(function)} takes ({shown}); the first three must be losses, batch_size"
            f" and rng. Put {misplaced[0] if misplaced else 'the others'} behind them."
        )
    for each in extra:
        if each.name not in known and each.default is each.empty:
            raise unknown_name(f"parameter of the selector function {function_name(function)}", each.name, known)
    return tuple(each.name for each in extra if each.name in known)


def _order(function: ChooseIndices) -> tuple[str, ...]:
    """Return what each of the first three parameters receives: what it is named for, and the others what is left."""
    try:
        named = [each.name for each in positional_parameters(function)[:3]]
    except (TypeError, ValueError):  # some functions in C do not state theirs
        return FIRST_NAMES
    left = [name for name in FIRST_NAMES if name not in named]
    if len(named) < 3:  # *arguments, or too few, which is reported elsewhere
        return FIRST_NAMES
    return tuple(name if name in FIRST_NAMES else left.pop(0) for name in named)


def _wrong_indices(function: ChooseIndices, rows: int, came: str) -> str:
    remedy = ""
    if came == "None":
        remedy = " Is a `return` missing?"
    elif "float" in came:
        remedy = " Return positions, such as .indices of tf.math.top_k and not .values."
    elif "bool" in came:
        remedy = " Turn a mask into sample numbers, as in tf.math.top_k(tf.cast(mask, tf.float32), k).indices."
    elif "?" in came or "..." in came:
        remedy = " The number of rows must not depend on values: use tf.math.top_k or tf.where(mask, a, b)."
    return (
        f"selector function {function_name(function)} must return {rows} indices, shape [{rows}], of an integer type;"
        f" it returned {came}.{remedy}"
    )


def _narrow(indices: tf.Tensor) -> tf.Tensor:
    """Return indices in 32 bits; those that do not fit stay outside of the data, so that the loop refuses them."""
    if indices.dtype in (tf.uint32, tf.uint64):
        indices = tf.minimum(indices, tf.constant(INT32, indices.dtype))
    elif indices.dtype == tf.int64:
        indices = tf.clip_by_value(indices, -1 - INT32, INT32)
    return tf.cast(indices, tf.int32)


def _checked_array(function: ChooseIndices, found: Any, rows: int) -> np.ndarray:
    indices = np.asarray(found)
    if found is None or indices.dtype.kind not in "iu" or indices.shape != (rows,):
        raise UserError(_wrong_indices(function, rows, describe(None if found is None else indices)))
    within = np.minimum(indices, INT32) if indices.dtype.kind == "u" else np.clip(indices, -1 - INT32, INT32)
    return within.astype(np.int32)
