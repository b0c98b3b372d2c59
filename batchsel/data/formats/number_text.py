"""Numbers as people write them in tables: with a point or a comma, missing, or infinite."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

import numpy as np

MISSING = ("na", "n/a", "nan", "null", "none", "?")
"""Words that mean a missing value unless others are named, in lower case; empty cells always do."""
_LARGEST = float(np.finfo(np.float32).max)
_WITH_COMMA = re.compile(r"\s*[+-]?(?:[1-9]\d{0,2}(?:\.\d{3})+|\d+|(?=,\d))(?:,\d*)?(?:[eE][+-]?\d+)?\s*\Z")
_GROUPED = re.compile(r"\s*[+-]?[1-9]\d{0,2}(?:\.\d{3})+(?:,\d*)?\s*\Z")


class Numbers(NamedTuple):
    """Numbers of a column."""

    values: np.ndarray
    """``float64[n]``, NaN where there is none."""
    missing: int
    """Cells that are empty, or hold a word that means it."""
    infinite: int
    """Cells that are infinite, or beyond float32: taken as missing, since their scale would hide all others."""
    comma: bool
    """True if a comma separates decimals."""


def is_missing(value: str, words: Collection[str] = MISSING) -> bool:
    """Return whether a text stands for a missing value.

    Args:
        value: The text.
        words: Words that mean it, in lower case.

    Example:
        >>> is_missing(" N/A "), is_missing("0"), is_missing("None", words=("-",)), is_missing("", words=())
        (True, False, False, True)
    """
    text = value.strip().lower()
    return not text or text in words


def parse_column(values: tuple[str, ...], words: Collection[str] = MISSING, *, comma: bool = False) -> Numbers | None:
    """Parse the texts of a column as numbers.

    Args:
        values: The texts.
        words: Words that mean a missing value.
        comma: Whether a comma may separate decimals. Points between groups of three digits are then left out, unless
            all texts are numbers with a decimal point.

    Returns:
        The numbers; None if any text is neither a number nor missing, or all are missing.

    Example:
        >>> parse_column(("1", "", "NA", "1e400"))
        Numbers(values=array([ 1., nan, nan, nan]), missing=2, infinite=1, comma=False)
        >>> parse_column(("1,5", "1.234,25"), comma=True).values.tolist(), parse_column(("1", "one"))
        ([1.5, 1234.25], None)
    """
    gaps = np.array([is_missing(value, words) for value in values], bool)
    known = [value for value, gap in zip(values, gaps, strict=True) if not gap]
    with_comma = comma and _has_decimal_commas(known)
    if with_comma:
        known = [value.replace(".", "").replace(",", ".") for value in known]
    if not known or not all(map(is_number, known)):
        return None
    numbers = np.full(len(values), np.nan)
    numbers[~gaps] = [float(value) for value in known]
    infinite = np.abs(numbers) > _LARGEST
    numbers[infinite] = np.nan
    unknown = np.isnan(numbers)
    return (
        None if unknown.all() else Numbers(numbers, int((unknown & ~infinite).sum()), int(infinite.sum()), with_comma)
    )


def is_number(value: str) -> bool:
    """Return whether Python reads a text as a number.

    Args:
        value: The text.
    """
    try:
        float(value)
    except ValueError:
        return False
    return True


def _has_decimal_commas(values: list[str]) -> bool:
    """Return whether all texts are numbers with a comma before decimals, and not all with a point."""
    if not all(_WITH_COMMA.match(value) for value in values):
        return False
    return any("," in value or _GROUPED.match(value) for value in values)
