"""Explain an exception that a selector raised while it was traced, in one sentence with the line and the remedy."""

from __future__ import annotations

import linecache
import os
import re
import sysconfig
import textwrap
import traceback
from pathlib import Path
from typing import Any

from batchsel.core.rng import METHODS_OF_RNG, Rng
from batchsel.errors import UsageError, UserError, shorten
from batchsel.selectors.base import Part
from batchsel.selectors.function import Function, function_name
from batchsel.selectors.types import Context, SampleStats
from batchsel.selectors.validation.protocol import SIGNATURES

_LIBRARIES = {"tensorflow", "keras", "numpy", "batchsel"}
_STANDARD = sysconfig.get_paths()["stdlib"]
_OWN = str(Path(__file__).parents[2]) + os.sep
_INSTALLED = r"[/\\](site|dist)-packages[/\\](tensorflow|keras|numpy|batchsel)[/\\]"
_LONGEST_REASON, _LONGEST_LINE = 150, 60

_REMEDIES: tuple[tuple[str, str], ...] = (
    (
        r"has no attribute 'assign",
        "changes a variable. A state is made of tensors: return the new one, as in return state + 1.",
    ),
    (
        r"Tensor'? object has no attribute '(?!numpy|item|tolist)",
        "calls a method that only NumPy arrays have. Write tf.reduce_mean(x), tf.argsort(x) and the like.",
    ),
    (
        r"numpy (array|call|function)|NumPy|has no attribute '(numpy|item|tolist)'|__array__",
        "is not TensorFlow code: NumPy cannot read the tensors of a traced function. Write it with tf.*, or wrap a"
        " function: batchsel.selectors.NumpyFunction(function).",
    ),
    (
        r"Python `bool`|truth value",
        "asks a tensor in Python (if, while, and, or, not, min, max). Use tf.where or tf.cond, and & | ~.",
    ),
    (
        r"[Ii]terating over a symbolic|iterate over|cannot unpack",
        "loops over a tensor in Python. Compute with whole tensors.",
    ),
    (r"^len is not well defined|has no len", "takes len() of a tensor. Write x.shape[0]."),
    (
        r"int\(\) argument|float\(\) argument|must be real number|interpreted as an integer|__(int|float|index)__",
        "turns a tensor into a Python number. Keep it a tensor: tf.cast, tf.range.",
    ),
    (
        r"does not support item (assignment|deletion)",
        "assigns to a part of a tensor. Use tf.tensor_scatter_nd_update or tf.where.",
    ),
    (
        r"create(d)? variables|singleton tf.Variable",
        "creates a variable. Keep what changes in the state: init returns it, update returns the new one.",
    ),
    (
        r"cannot (assign to|delete) field",
        "changes an attribute of its object. Keep what changes in the state: init returns it, update returns the"
        " new one.",
    ),
    (
        r"does not match type|was expected to be an? \w+ tensor but is|must have the same type|requested dtype",
        "mixes numbers of two types. Convert one: tf.cast(x, tf.float32).",
    ),
    (
        r"valid indices, got|slice indices must be|list of allowed values: int",
        "takes rows by something that is no whole number. Write n // 2, tf.cast(x, tf.int32), and tf.where(mask, a, b)"
        " in place of x[mask].",
    ),
    (r"out of scope|inaccessible", "uses a tensor of another call. Keep what it remembers in the state."),
)
"""Patterns of messages of TensorFlow, and each said in words of the selector with a remedy."""


def title(part: Any, method: str = "") -> str:
    """Return the name of a method of a selector for messages.

    Args:
        part: A selector or a part.
        method: The method; empty for the selector itself.

    Example:
        >>> from batchsel.selectors import LossEMA
        >>> title(LossEMA(), "init")
        'init() of loss_ema(decay=0.9)'
    """
    if isinstance(part, Function):
        return f"selector function {function_name(part.function)}"
    try:
        text = shorten(repr(part), 80) if isinstance(part, Part) else type(part).__name__
    except Exception:  # whatever the user's own __repr__ or fields do
        text = type(part).__name__
    return f"{method}() of {text}" if method else text


def explain(part: Any, method: str, error: Exception) -> UserError:
    """Return the error that says in one sentence what an exception of a method means.

    Args:
        part: The selector or part.
        method: The method.
        error: The exception that it raised.
    """
    name, place = title(part, method), find_place(error)
    if isinstance(error, UserError):
        return error if name in str(error) else UsageError(f"{name}{place}: {error}")
    if isinstance(getattr(error, "obj", None), Rng):
        return UsageError(f"{name}{place}: {error}")
    kind, text = type(error).__name__, _first_line(error)
    remedy = next((words for pattern, words in _REMEDIES if re.search(pattern, str(error))), "")
    if remedy:
        return UsageError(f"{name}{place} {remedy}")
    if isinstance(error, TypeError) and str(error).startswith("Rng."):
        return UsageError(f"{name}{place} raised {kind}: {text.rstrip('.')}. {METHODS_OF_RNG}")
    remedy = _known_fields(error) or _missing_field(part, error) or _expected_signature(part, method, error)
    reason = f"{kind}: {text}" if text else kind
    return UsageError(f"{name}{place} raised {reason.rstrip('.')}.{remedy}")


def find_place(error: BaseException) -> str:
    """Return the line of the user's code in which an exception was raised, as in `` (mine.py, line 3: `x[0]`)``.

    Args:
        error: The exception.
    """
    place = ""
    for frame, number in traceback.walk_tb(error.__traceback__):
        name, file = frame.f_globals.get("__name__", ""), frame.f_code.co_filename
        if name.partition(".")[0] not in _LIBRARIES and not is_library_file(file):
            place = describe_line(file, number)
    return place


def is_library_file(file: str) -> bool:
    """Return whether a file is one of batchsel, of TensorFlow, Keras or NumPy, or of Python itself.

    Args:
        file: Its path.
    """
    return file.startswith((_STANDARD, _OWN, "<frozen", "<string>")) or re.search(_INSTALLED, file) is not None


def describe_line(file: str, number: int) -> str:
    """Return a line of code for a message, in parentheses.

    Args:
        file: The file.
        number: Number of the line.
    """
    code = shorten(linecache.getline(file, number).strip(), _LONGEST_LINE)
    return f" ({os.path.basename(file)}, line {number}{f': `{code}`' if code else ''})"


def _first_line(error: Exception) -> str:
    text = re.sub(r"\{\{.*?\}\}|\[Op:\w+\]| for '.* = .*", "", str(error)).strip()
    lines = text.splitlines() or [""]
    # A function that was converted by autograph has its stack first.
    line = lines[-1] if lines[0].startswith("in user code") else lines[0]
    return textwrap.shorten(line, _LONGEST_REASON, placeholder=" ...")


def _known_fields(error: Exception) -> str:
    """Return the fields that a context or statistics have, if another was read."""
    owner = getattr(error, "obj", None) if isinstance(error, AttributeError) else None
    if isinstance(owner, Rng) or not isinstance(owner, Context | SampleStats):
        return ""
    properties = ("passes", "epoch", "rng") if isinstance(owner, Context) else ()
    return f" It has {', '.join((*owner._fields, *properties))}."


def _missing_field(part: Any, error: Exception) -> str:
    """Return how to state a field of the class itself that was read."""
    if not isinstance(error, AttributeError) or error.obj is not part:
        return ""
    return f" Write it in the class with its type, as in {error.name}: int = 3."


def _expected_signature(part: Any, method: str, error: Exception) -> str:
    """Return the signature of the method, if it was called with other parameters."""
    wrong = isinstance(error, TypeError) and re.search(r"positional argument|unexpected keyword", str(error))
    if not wrong or isinstance(part, Function) or f"{method}()" not in str(error):
        return ""
    return f" Define it as {SIGNATURES[method]}."
