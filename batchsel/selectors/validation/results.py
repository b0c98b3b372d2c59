"""Compare what a method of a selector returned with what it must return."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from batchsel.errors import UsageError
from batchsel.selectors.base import Part
from batchsel.selectors.function import describe
from batchsel.selectors.validation.explanation import title

_EXAMPLES = {
    "Plan": "Plan(indices, tf.ones([m]), tf.constant(steps)), where indices are int32[m] sample numbers",
    "Selection": "Selection(positions, tf.ones([b])), where positions are int32[b] rows of the pool",
}
"""Values in which users forget a part, as they write them."""
_MOST_TENSORS = 1000
"""Each tensor of the state is a variable."""
_WHOLE = ("Plan.indices", "Selection.positions")


class _Difference(NamedTuple):
    """The first place in which two nests differ."""

    place: str
    came: str
    expected: str
    found: Any = None


def check_tensors(part: Part, method: str, kind: Any, found: Any, expected: dict[str, tf.TensorSpec]) -> None:
    """Check a NamedTuple of tensors, such as a plan.

    Args:
        part: The selector or part.
        method: The method that returned it.
        kind: The NamedTuple.
        found: The returned value.
        expected: Specs by field.

    Raises:
        UsageError: Naming what came and what was expected.
    """
    if not isinstance(found, kind):
        raise _wrong(part, method, _Difference("", describe(found), f"{kind.__name__}({', '.join(expected)})", found))
    for field, spec in expected.items():
        check_tensor(part, method, getattr(found, field), spec, f"{kind.__name__}.{field}")


def check_tensor(part: Part, method: str, found: Any, expected: tf.TensorSpec, name: str = "") -> None:
    """Check the type and the static shape of a tensor.

    Args:
        part: The selector or part.
        method: The method that returned it.
        found: The returned value.
        expected: The spec.
        name: Name of the value in the result; empty for the result itself.

    Raises:
        UsageError: Naming what came and what was expected.
    """
    if not _same(expected, found):
        raise _wrong(part, method, _Difference(name, describe(found), describe(expected), found))


def check_state(part: Part, method: str, found: Any, state: Any) -> None:
    """Check that a method returned a state of the structure, the types and the shapes of the given one.

    Args:
        part: The selector or part.
        method: The method.
        found: The returned value.
        state: The state that `init` returned, or specs of it.

    Raises:
        UsageError: Naming the first place that differs.
    """
    difference = _find_difference(state, found, "state")
    if difference is not None:
        raise _wrong(part, method, difference._replace(expected=f"{difference.expected}, as init returned it"))


def convert_state(part: Part, state: Any) -> Any:
    """Return the state that `init` returned as tensors.

    Args:
        part: The selector or part.
        state: The returned value.

    Raises:
        UsageError: If it is None, or holds anything that is no number, tensor or array of numbers.
    """
    if state is None:
        raise _wrong(part, "init", _Difference("", "None", "the state before the first step, a nest of tensors"))

    count = len(tf.nest.flatten(state))
    if count > _MOST_TENSORS:
        raise UsageError(
            f"{title(part, 'init')} returned a state of {count} separate numbers or tensors. Put the numbers of all"
            " samples into one tensor: tf.zeros([n])."
        )

    def convert(leaf: Any) -> tf.Tensor:
        try:
            tensor = tf.convert_to_tensor(leaf)
        except Exception:  # TensorFlow raises errors of many kinds
            tensor = None
        if tensor is None or tensor.dtype in (tf.string, tf.variant, tf.resource):
            came = describe(leaf) if tensor is None else f"a text, {leaf!r}"
            raise _wrong(
                part, "init", _Difference("a state with", came, "tensors in tuples, lists, dicts or NamedTuples")
            )
        return tensor

    try:
        return tf.nest.map_structure(convert, state)
    except TypeError as error:
        raise UsageError(f"{title(part, 'init')} returned a state that cannot be flattened: {error}.") from None


def _wrong(part: Part, method: str, difference: _Difference) -> UsageError:
    came = f"{difference.place} as {difference.came}" if difference.place else difference.came
    came = came.replace("a state with as", "a state with")
    return UsageError(f"{title(part, method)} returned {came}, expected {difference.expected}.{_remedy(difference)}")


def _remedy(difference: _Difference) -> str:
    found = difference.found
    if difference.came == "None":
        return " Is a `return` missing?"
    example = next((text for kind, text in _EXAMPLES.items() if difference.expected.startswith(f"{kind}(")), "")
    if example:
        return f" Return {example}." if _is_array(found) or isinstance(found, tuple | list) else ""
    if isinstance(found, tf.Tensor):
        if found.shape.rank is None or None in found.shape:
            return " Shapes must not depend on values: use tf.math.top_k or tf.where(condition, a, b)."
        if difference.place.endswith(_WHOLE) and found.dtype.is_floating:
            return " They are numbers of rows, such as .indices of tf.math.top_k and not .values."
        return " Use tf.cast." if difference.came.partition("[")[0] != difference.expected.partition("[")[0] else ""
    number = difference.expected.startswith(("float", "int", "bool", "uint"))
    return " Convert it with tf.constant, tf.stack or tf.convert_to_tensor." if number else ""


def _is_array(value: Any) -> bool:
    return tf.is_tensor(value) or hasattr(value, "shape")


def _find_difference(expected: Any, found: Any, place: str) -> _Difference | None:
    if isinstance(expected, dict):
        if not isinstance(found, dict):
            return _Difference(place, describe(found), f"a dict with {', '.join(map(str, expected))}", found)
        if expected.keys() != found.keys():
            came, wanted = (f"a dict with {', '.join(map(str, each)) or 'no key'}" for each in (found, expected))
            return _Difference(place, came, wanted)
        places = [(f"{place}[{key!r}]", expected[key], found[key]) for key in expected]
    elif isinstance(expected, tuple | list):
        if type(found) is not type(expected) or len(found) != len(expected):
            several = isinstance(found, tuple | list)
            came = f"{describe(found)} of {len(found)}" if several else describe(found)
            wanted = f"{describe(expected)} of {len(expected)}" if expected else "()"
            return _Difference(place, came, wanted, found)
        fields = getattr(expected, "_fields", None)
        names = [
            f"{place}[{index}]" if fields is None else f"{place}.{fields[index]}" for index in range(len(expected))
        ]
        places = list(zip(names, expected, found, strict=True))
    else:
        return None if _same(expected, found) else _Difference(place, describe(found), describe(expected), found)
    return next((each for each in (_find_difference(old, new, name) for name, old, new in places) if each), None)


def _same(expected: Any, found: Any) -> bool:
    if isinstance(found, bool | int | float):
        found = tf.constant(found)
    return isinstance(found, tf.Tensor) and found.dtype == expected.dtype and found.shape == expected.shape
