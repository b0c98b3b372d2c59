"""Parse JSON, with one kind of error for every text that is not."""

from __future__ import annotations

import functools
import json
import re
from typing import Any

_SURROGATE = re.compile(r"[\ud800-\udfff]|\\u[dD][89a-fA-F]")


def parse_json(text: str | bytes, **options: Any) -> Any:
    """Return the value that a JSON text holds.

    Args:
        text: The text; bytes in UTF-8.
        **options: Of `json.JSONDecoder`.

    Raises:
        ValueError: If it is not JSON, nested too deeply to be read, or holds half of a surrogate pair, which cannot be
            written again.

    Example:
        >>> parse_json(b'{"a": [1]}')
        {'a': [1]}
        >>> parse_json("[" * 100_000)
        Traceback (most recent call last):
        ValueError: values are nested too deeply
    """
    decoded = isinstance(text, bytes)
    text = text.decode("utf-8-sig") if isinstance(text, bytes) else text
    try:
        value = _decoder(**options).decode(text)
    except RecursionError:
        raise ValueError("values are nested too deeply") from None
    # What was decoded holds no surrogates but those that are escaped.
    if not (decoded and "\\u" not in text) and _SURROGATE.search(text):
        json.dumps(value, ensure_ascii=False).encode()
    return value


@functools.lru_cache(maxsize=8)
def _decoder(**options: Any) -> json.JSONDecoder:
    return json.JSONDecoder(**options)
