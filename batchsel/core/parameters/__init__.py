"""Types and bounds of parameters, declared once in annotations and checked wherever a value is given.

A parameter of a selector, schedule, transform, model, optimizer or data set has an annotation with its type and bounds,
as in ``decay: ShareBelowOne`` or ``pool: Annotated[int, Between(1, 1024)]``. Constructors check their arguments against
the annotations (`check_fields`, `checked`), and so do texts before anything is imported (`signatures`).
Annotations that say nothing here are not checked.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

from batchsel.core.parameters.conversion import converted
from batchsel.core.timestamp import parse_passes
from batchsel.errors import UsageError, show

LARGEST = 1e6
"""Bound of numbers that have no natural one; float32 holds their squares and reciprocals."""
MOST_PASSES = 1e6
MOST_MILESTONES = 100
MOST_STEPS = 2**20
"""Largest number of steps of a plan that is given as a number."""
MOST_PIXELS = 255
"""Largest kernel of an image filter."""
INT32 = 2**31 - 1
FLOAT32 = 3.4e38

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Between:
    """Bounds of a number.

    Args:
        lower: Lower end.
        upper: Upper end.
        lower_open: Exclude the lower end.
        upper_open: Exclude the upper end.

    Example:
        >>> Between(0, 1, upper_open=True).holds(1), str(Between(0, 1, upper_open=True))
        (False, '[0, 1)')
    """

    lower: float
    upper: float
    lower_open: bool = False
    upper_open: bool = False

    def holds(self, value: float) -> bool:
        """Return True for a number within the bounds; NaN never is."""
        above = value > self.lower if self.lower_open else value >= self.lower
        return above and (value < self.upper if self.upper_open else value <= self.upper)

    def __str__(self) -> str:
        ends = f"{_plain(self.lower)}, {_plain(self.upper)}"
        return f"{'(' if self.lower_open else '['}{ends}{')' if self.upper_open else ']'}"


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) and abs(number) <= INT32 else f"{number:g}"


@dataclass(frozen=True)
class Length:
    """Bounds of the length of a list.

    Args:
        lower: Smallest number of items.
        upper: Largest number of items.
    """

    lower: int
    upper: int


@dataclass(frozen=True)
class Accepts:
    """A form that a type cannot state.

    Args:
        expected: Description, to follow "must be".
        accepts: Returns True for acceptable values of any type.
        keeps_integers: True if an integer means something else than the same number as a float.
    """

    expected: str
    accepts: Callable[[Any], bool]
    keeps_integers: bool = False


def is_integer(value: Any) -> bool:
    """Return True for an integer that is not a bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Return True for an integer or float that is finite and not a bool."""
    return is_integer(value) or (isinstance(value, float) and math.isfinite(value))


def is_duration(value: Any) -> bool:
    """Return True for a share of the budget above 0, or a text such as "5 passes".

    Example:
        >>> is_duration(0.5), is_duration("5 passes"), is_duration(0), is_duration("1e400 passes")
        (True, True, False, False)
    """
    passes = parse_passes(value)
    return (is_number(value) and 0 < value <= 1) if passes is None else 0 < passes <= MOST_PASSES


def _is_interval(value: Any) -> bool:
    steps = is_integer(value) and 1 <= value <= MOST_STEPS
    return value is None or steps or (isinstance(value, float) and 0 < value < 1)


def _are_milestones(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) <= MOST_MILESTONES and all(map(is_duration, value))


def _is_kernel_size(value: Any) -> bool:
    return is_integer(value) and 3 <= value <= MOST_PIXELS and value % 2 == 1


def _are_momenta(value: Any) -> bool:
    pair = value if isinstance(value, list | tuple) and len(value) == 2 else (1, 0)
    return all(map(is_number, pair)) and 0 <= pair[0] <= pair[1] < 1


def _is_file_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and "\0" not in value


def _are_parts(value: Any) -> bool:
    if not isinstance(value, dict) or not {"train", "test"} <= set(value) <= {"train", "validation", "test"}:
        return False
    return all(map(_is_file_name, value.values()))


def _is_encoding(value: Any) -> bool:
    try:
        return isinstance("".encode(value), bytes)
    except (LookupError, ValueError, TypeError):
        return False


Share = Annotated[float, Between(0, 1)]
PositiveShare = Annotated[float, Between(0, 1, lower_open=True)]
ShareBelowOne = Annotated[float, Between(0, 1, upper_open=True)]
Amount = Annotated[float, Between(0, LARGEST)]
PositiveAmount = Annotated[float, Between(0, LARGEST, lower_open=True)]
AtLeastOne = Annotated[float, Between(1, LARGEST)]
Passes = Annotated[float, Between(0, MOST_PASSES, lower_open=True)]
Pool = Annotated[int, Between(1, 1024)]
"""Batches in a pool."""
Interval = Annotated[
    float | None,
    Accepts(
        f"a positive whole number of steps up to {MOST_STEPS}, a share of a pass between 0 and 1, or None",
        _is_interval,
        keeps_integers=True,
    ),
]
"""Steps between plans."""
_DURATION = "a share of the budget in (0, 1] or a text such as '5 passes' (a pass is what Keras calls an epoch)"
Duration = Annotated[float | str, Accepts(_DURATION, is_duration)]
Milestones = Annotated[
    Sequence[float | str],
    Accepts(f"a list of milestones, each {_DURATION}", _are_milestones),
]
Parts = Annotated[
    Mapping[str, str], Accepts("a table with a file or folder for train and test, and maybe for validation", _are_parts)
]
OptionTable = Annotated[Mapping[str, Any], Accepts("a table of options", lambda value: isinstance(value, Mapping))]
Encoding = Annotated[str, Accepts("the name of a text encoding, such as 'utf-8'", _is_encoding)]
KernelSize = Annotated[int, Accepts(f"an odd whole number of at least 3 and at most {MOST_PIXELS}", _is_kernel_size)]
Momenta = Annotated[
    Sequence[float],
    Accepts("the lowest and the highest momentum, in [0, 1), as in [0.85, 0.95]", _are_momenta),
]
ArrayFile = Annotated[str, Accepts("the name of a .npy file", _is_file_name)]
FileName = Annotated[str, Accepts("the name of a file", _is_file_name)]
LayerName = Annotated[str, Accepts("the name of a layer", _is_file_name)]
FileNames = Annotated[Sequence[str], Length(1, 10_000)]
Names = Annotated[Sequence[str], Length(0, 10_000)]
Size = Annotated[int, Between(1, 2**16)]
"""Units or channels of a layer."""
Activation = Literal[
    "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "swish", "mish", "softplus", "softsign",
    "sigmoid", "hard_sigmoid", "tanh", "linear",
]  # fmt: skip
Blocks = Annotated[int, Between(1, 256)]
Vocabulary = Annotated[int, Between(2, 2**24)]


def accepts(hint: Any, value: Any) -> bool:
    """Return True if an annotation allows a value.

    Args:
        hint: The annotation; one that cannot be checked allows everything.
        value: The value.

    Example:
        >>> [accepts(Share | None, value) for value in (0.5, None, 2, True, "0.5", [[0.5]])]
        [True, True, False, False, False, False]
    """
    origin = get_origin(hint)
    if origin is Annotated:
        base, *facts = get_args(hint)
        form = next((fact for fact in facts if isinstance(fact, Accepts)), None)
        return form.accepts(value) if form else accepts(base, value) and all(_allows(fact, value) for fact in facts)
    if origin in (Union, types.UnionType):
        return any(accepts(part, value) for part in get_args(hint))
    if origin is Literal:
        return isinstance(value, str | int) and value in get_args(hint)
    if origin is Sequence:
        item = get_args(hint)[0]
        return isinstance(value, list | tuple) and all(accepts(item, one) for one in value)
    return _CHECKS[hint](value) if isinstance(hint, type) and hint in _CHECKS else True


_CHECKS: dict[type, Callable[[Any], bool]] = {
    bool: lambda value: isinstance(value, bool),
    int: is_integer,
    float: is_number,
    str: lambda value: isinstance(value, str),
    type(None): lambda value: value is None,
}


def _allows(fact: Any, value: Any) -> bool:
    if isinstance(fact, Between):
        return fact.holds(value)
    return fact.lower <= len(value) <= fact.upper if isinstance(fact, Length) else True


def expected(hint: Any, value: Any = None) -> str:
    """Return what an annotation allows, to follow "must be".

    Args:
        hint: The annotation.
        value: The value that it does not allow; of the bounds of an integer, the one that matters is named.

    Example:
        >>> expected(ShareBelowOne), expected(Pool, 0), expected(Pool, 2**63)
        ('a number in [0, 1)', 'a whole number of at least 1', 'a whole number of at most 1024')
    """
    origin = get_origin(hint)
    if origin is Annotated:
        base, *facts = get_args(hint)
        return _expected_with(base, facts, value)
    if origin in (Union, types.UnionType):
        return " or ".join(expected(part, value) for part in get_args(hint))
    if origin is Literal:
        words = [repr(word) for word in get_args(hint)]
        return f"one of {', '.join(words)}" if len(words) > 1 else words[0]
    if origin is Sequence:
        items = value if isinstance(value, list | tuple) else ()
        wrong = next((one for one in items if not accepts(get_args(hint)[0], one)), None)
        return f"a list, each item {expected(get_args(hint)[0], wrong)}"
    return _EXPECTED.get(hint, "a value of its type")


_EXPECTED = {bool: "True or False", int: "a whole number", float: "a number", str: "a text", type(None): "None"}


def _expected_with(base: Any, facts: Sequence[Any], value: Any) -> str:
    for fact in facts:
        if isinstance(fact, Accepts):
            return fact.expected
        if isinstance(fact, Between) and base is int:
            above = is_integer(value) and value > fact.upper
            return f"a whole number of at {f'most {fact.upper}' if above else f'least {fact.lower}'}"
        if isinstance(fact, Between):
            return f"{expected(base)} in {fact}"
        if isinstance(fact, Length):
            count = f"{fact.lower}" if fact.lower == fact.upper else f"{fact.lower} to {fact.upper}"
            return expected(base, value).replace("a list", f"a list of {count} items", 1)
    return expected(base, value)


def check_value(owner: str, parameter: str, value: Any, hint: Any) -> None:
    """Check a value of a parameter.

    Args:
        owner: Name of the object that the parameter belongs to, for the message.
        parameter: Name of the parameter.
        value: The value.
        hint: The annotation of the parameter.

    Raises:
        UsageError: If the annotation does not allow the value.

    Example:
        >>> check_value("loss_ema", "decay", 2.0, ShareBelowOne)
        Traceback (most recent call last):
        batchsel.errors.UsageError: loss_ema: decay must be a number in [0, 1), got 2.0.
    """
    if not accepts(hint, value):
        raise UsageError(f"{owner}: {parameter} must be {expected(hint, value)}, got {show(value)}.")


def check_values(owner: str, values: Mapping[str, Any], hints: Mapping[str, Any]) -> None:
    """Check several values by the annotations of their names; names without one are not checked.

    Args:
        owner: Name of the object that the parameters belong to.
        values: Values by parameter.
        hints: Annotations by parameter.

    Raises:
        UsageError: If a value is not allowed.
    """
    for parameter, value in values.items():
        if parameter in hints:
            check_value(owner, parameter, value, hints[parameter])


def check_fields(part: Any) -> None:
    """Check the fields of a dataclass by their annotations, and convert integers where floats are meant.

    Args:
        part: The object; its `name`, or that of its class, is in the message.

    Raises:
        UsageError: If a value is not allowed.
    """
    owner = getattr(part, "name", type(part).__name__)
    hints = _hints(type(part))
    values = {field.name: getattr(part, field.name) for field in dataclasses.fields(part)}
    check_values(owner, values, hints)
    for name, value in values.items():
        if name in hints and (new := converted(hints[name], value)) is not value:
            object.__setattr__(part, name, new)


def checked(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Decorate a function so that its arguments are checked, and integers converted, by their annotations.

    Args:
        function: The function; its name is in the message.

    Example:
        >>> @checked
        ... def twice(share: Share): return 2 * share
        >>> twice("much")
        Traceback (most recent call last):
        batchsel.errors.UsageError: twice: share must be a number in [0, 1], got 'much'.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*arguments: _Arguments.args, **keywords: _Arguments.kwargs) -> _Result:
        bound = signature.bind(*arguments, **keywords)
        check_values(function.__name__, bound.arguments, _hints(function))
        convert_arguments(bound, _hints(function))
        return function(*bound.args, **bound.kwargs)

    return call


def convert_arguments(bound: inspect.BoundArguments, hints: Mapping[str, Any]) -> None:
    """Convert integers among the arguments of a call where floats are meant.

    Args:
        bound: The arguments, changed in place; those that are not allowed stay as they are.
        hints: Annotations by parameter.
    """
    for name, value in bound.arguments.items():
        if name in hints and accepts(hints[name], value):
            bound.arguments[name] = converted(hints[name], value)


def hints_of(target: Any) -> dict[str, Any]:
    """Return the annotations of the parameters of a function or class; those that cannot be read are left out.

    Args:
        target: The function or class.
    """
    if inspect.isclass(target):
        return {**_hints(target), **_hints(target.__init__)}
    return _hints(target) if inspect.isfunction(target) else {}


@functools.lru_cache(maxsize=1024)
def _hints(owner: Any) -> dict[str, Any]:
    try:
        return get_type_hints(owner, include_extras=True)
    except (NameError, TypeError, AttributeError, SyntaxError):
        return {}  # annotations of a user that only a type checker can read
