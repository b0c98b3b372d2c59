"""Read pickles of arrays, lists and numbers without running anything that they name.

A pickle is a program. Here the functions that it may call are replaced by records of the call, so that neither NumPy
nor a codec does what it says; arrays are made from the bytes that were found, and never larger than those.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re
from typing import Any

import numpy as np

_NUMBER_TYPE = re.compile(r"[<>|=]?[biuf][1248]")
_MEMO = ("PUT", "BINPUT", "LONG_BINPUT")


def read_array_pickle(raw: bytes) -> dict[Any, Any]:
    """Return the dictionary in a pickle, written by Python 2 or 3.

    Args:
        raw: The whole file.

    Returns:
        The dictionary, with texts of Python 2 as bytes. Its values are NumPy arrays of numbers, or what else the pickle
        holds of Python's own types.

    Raises:
        pickle.UnpicklingError: If it names anything that no array of numbers needs, or is damaged. Other exceptions of
            `pickle` are possible, as its documentation says.

    Example:
        >>> read_array_pickle(pickle.dumps({"x": np.arange(3), "y": [1, 2]}, protocol=2))
        {'x': array([0, 1, 2]), 'y': [1, 2]}
    """
    _check_memo(raw)
    found = _Unpickler(io.BytesIO(raw), encoding="bytes").load()
    if not isinstance(found, dict):
        raise pickle.UnpicklingError(f"it holds {type(found).__name__}, expected a dictionary")
    return {key: value.to_array() if isinstance(value, _Array) else value for key, value in found.items()}


def _check_memo(raw: bytes) -> None:
    """Reject numbers of remembered objects that no pickler gives: they would reserve memory up to the number."""
    for count, (opcode, number, _) in enumerate(pickletools.genops(raw), 1):
        if opcode.name in _MEMO and (not isinstance(number, int) or not 0 <= number <= count):
            raise pickle.UnpicklingError(f"it remembers object {number} of {count}")


class _Type:
    """Recorded type of an array."""

    def __init__(self, code: Any, *_: Any) -> None:
        text = code.decode("ascii") if isinstance(code, bytes) else code
        if not isinstance(text, str) or not _NUMBER_TYPE.fullmatch(text):
            raise pickle.UnpicklingError(f"it holds an array of {str(text)[:20]!r}, expected numbers")
        self.type = np.dtype(text)

    def __setstate__(self, state: Any) -> None:
        order = state[1].decode("ascii") if isinstance(state[1], bytes) else state[1]
        self.type = self.type.newbyteorder(order)


class _Array:
    """Recorded array: its state, from which it is made once the pickle has been read."""

    def __init__(self, *_: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def to_array(self) -> np.ndarray:
        _, shape, kind, fortran, raw = self.state
        if not isinstance(kind, _Type) or not isinstance(raw, bytes):
            raise pickle.UnpicklingError("it holds an array without a type or values")
        return np.frombuffer(raw, kind.type).reshape(shape, order="F" if fortran is True else "C")


class _ArrayMarker:
    """Stand-in for ``numpy.ndarray``, which is named and never called."""

    def __init__(self, *_: Any) -> None:
        raise pickle.UnpicklingError("it makes an array without values")


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    """Return the bytes of an array that Python 3 wrote for Python 2."""
    name = encoding.decode("ascii") if isinstance(encoding, bytes) else encoding
    if not isinstance(text, str) or name not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"it asks for the codec {str(name)[:20]!r}, which no array needs")
    return text.encode("latin-1")


def _empty_bytes(*arguments: Any) -> bytes:
    """Return no bytes, which Python 3 writes as a call for Python 2."""
    if arguments:
        raise pickle.UnpicklingError("it makes bytes of a length")
    return b""


_STAND_INS = {
    ("__builtin__", "bytes"): _empty_bytes,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _ArrayMarker,
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _encode,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _STAND_INS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no array needs")
        return _STAND_INS[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it refers to objects outside the file")
