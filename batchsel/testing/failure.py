"""The error of a failed check."""

from __future__ import annotations

from typing import NoReturn

from batchsel.errors import UserError
from batchsel.selectors import Selector


class SelectorCheckError(UserError):
    """A selector that fails a check of `batchsel.testing.check_selector`.

    Example:
        >>> import tensorflow as tf
        >>> from batchsel.testing import check_selector
        >>> check_selector(lambda losses, batch_size, rng: tf.fill([batch_size], losses.shape[0]))
        Traceback (most recent call last):
        batchsel.testing.failure.SelectorCheckError: ...
    """


def fail(selector: Selector, check: str, problem: str, remedy: str) -> NoReturn:
    """Raise a `SelectorCheckError` that names the check, the problem and the remedy."""
    raise SelectorCheckError(f"{selector!r} fails the check {check!r}: {problem} {remedy}")
