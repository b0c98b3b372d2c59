"""Models: one file for each architecture, a function ``(input_shape, outputs, ...) -> keras.Model``.

Classification models end in logits, one for each class; regression models end in one number.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
from typing import TYPE_CHECKING, Any

from batchsel.core import call_syntax
from batchsel.core.registry import Registry
from batchsel.core.registry.catalog import functions_with
from batchsel.errors import UsageError

if TYPE_CHECKING:
    import keras

REGISTRY = Registry(
    "model",
    [__name__],
    "batchsel.models",
    functions_with("input_shape", "outputs"),
    listing="batchsel models list",
)
"""Installed packages add theirs under the entry-point group ``batchsel.models``."""


def names() -> list[str]:
    """Return the names of all models.

    Example:
        >>> sorted(names())[:2]
        ['bilstm', 'cnn']
    """
    return list(REGISTRY.entries())


def check(text: str) -> None:
    """Check that a model is known and its parameters are allowed, without importing it.

    Args:
        text: As for `build`.

    Raises:
        UsageError: If the text cannot be read, the name is unknown, or a parameter is not allowed.

    Example:
        >>> check("mpl")
        Traceback (most recent call last):
        batchsel.errors.UsageError: unknown model 'mpl'. Did you mean 'mlp'? Known: ...
    """
    call = call_syntax.parse_call(text)
    if call.path is None:
        REGISTRY.check_call(dataclasses.replace(call, arguments=(None, 1, *call.arguments)))


def build(text: str, input_shape: tuple[int, ...], outputs: int, vocabulary: int | None = None) -> keras.Model:
    """Build a model from its text form.

    Args:
        text: A name, a name with sizes as in ``"mlp(hidden=[64, 64])"``, or ``"./mine.py:build"``.
        input_shape: Shape of one sample.
        outputs: Number of classes, or 1 for regression.
        vocabulary: Number of word ids of the data, which models with a parameter `vocabulary` get if it is above their
            default and the text gives none; None for data without words.

    Raises:
        UsageError: If the text cannot be read, or the name is unknown.

    Example:
        >>> build("mlp(hidden=[8])", (2,), 3).count_params()
        51
        >>> [build("text_cnn(width=8)", (5,), 2, vocabulary=words).layers[1].input_dim for words in (30, 30_000)]
        [20000, 30000]
    """
    call = call_syntax.parse_call(text)
    complete = dataclasses.replace(call, arguments=(input_shape, outputs, *call.arguments))
    target = call.load(REGISTRY.load)
    if call.path is not None:
        _check_signature(call, target)
    # The default holds for data with fewer words, as it did when runs with the same settings were recorded.
    if vocabulary is not None and vocabulary > _open_default(complete, target, "vocabulary"):
        complete = dataclasses.replace(complete, keywords={**call.keywords, "vocabulary": vocabulary})
    return complete.apply(target)


def _check_signature(call: call_syntax.Call, target: Any) -> None:
    """Refuse a function of the user's that cannot be called with a shape and a number of outputs."""
    try:
        signature = inspect.signature(target)
    except (TypeError, ValueError):  # of what cannot be called, which the call itself reports, and functions in C
        return
    try:
        signature.bind_partial((), 1)
    except TypeError:
        raise UsageError(
            f"{call.text} takes ({', '.join(signature.parameters)}). A model is a function build(input_shape, outputs),"
            " of the shape of a sample and the number of outputs, and may have parameters with defaults."
        ) from None


def _open_default(call: call_syntax.Call, target: Any, name: str) -> float:
    """Return the default of a parameter to which a call gives nothing: 0 if it has none, infinity if there is none."""
    try:
        signature = inspect.signature(target)
        given = signature.bind_partial(*call.arguments, **call.keywords).arguments
    except (TypeError, ValueError):  # which the call itself reports
        return math.inf
    if name not in signature.parameters or name in given:
        return math.inf
    default = signature.parameters[name].default
    return default if isinstance(default, int) else 0


def doc(name: str) -> str:
    """Return the docstring of a model, read from its source, so that listing models imports no TensorFlow.

    Raises:
        UsageError: If the name is unknown.

    Example:
        >>> doc("mlp").splitlines()[0]
        'Build a feed-forward network: dense layers with ReLU.'
    """
    return REGISTRY.doc(name)
