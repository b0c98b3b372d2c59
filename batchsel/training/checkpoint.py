"""Checkpoints: every variable of a run and its record so far, in one file that is complete or absent."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import tensorflow as tf

from batchsel.core.filesystem.atomic_write import atomic_write
from batchsel.core.filesystem.json_text import parse_json
from batchsel.core.filesystem.reading import check_is_file
from batchsel.core.version import __version__
from batchsel.errors import UserError, shorten, show
from batchsel.training.runtime import checksum

FORMAT = 2
"""Version of the format, to be raised with each change that this version could not read.

Files of format 1 (batchsel 0.1) have neither a checksum nor a list of their arrays."""
_META = "meta.json"
_WEIGHTS = "weights_at_target/"
_EXTRA = "callback/"


class Stored(NamedTuple):
    """Content of a checkpoint."""

    variables: dict[str, np.ndarray]
    weights: list[np.ndarray]
    meta: dict[str, Any]
    extra: dict[str, np.ndarray]
    """Arrays of the states of callbacks."""

    def weights_like(self, path: Path, variables: Sequence[Any]) -> list[np.ndarray] | None:
        """Return the weights at the target, in the types of the model's own; None if there are none.

        Args:
            path: The file, for the message.
            variables: The model's weights.

        Raises:
            UserError: If they are not those of the model.
        """
        if not self.weights:
            return None
        shapes = [value.shape for value in self.weights] == [tuple(variable.shape) for variable in variables]
        if not shapes or not all(map(_can_cast_like, self.weights, variables)):
            raise UserError(
                f"checkpoint {path} does not fit this run: its weights at the target are not those of the model. Use"
                " the settings that it was made with."
            )
        return [_cast_like(value, variable) for value, variable in zip(self.weights, variables, strict=True)]


def write(
    path: Path,
    variables: Mapping[str, tf.Variable],
    weights: list[np.ndarray] | None,
    meta: Mapping[str, Any],
    extra: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Write a checkpoint atomically: a run that is killed meanwhile leaves no damaged file.

    Args:
        path: The file, ``.npz``.
        variables: All variables by name.
        weights: Weights at the target, or None.
        meta: The record of the run, JSON.
        extra: Arrays of the states of callbacks by name.

    Raises:
        UserError: If the folder cannot be written or the disk is full; an older file is kept.
    """
    arrays: dict[str, Any] = {name: _as_storable(variable.numpy()) for name, variable in variables.items()}
    arrays |= {f"{_WEIGHTS}{i}": _as_storable(weight) for i, weight in enumerate(weights or ())}
    arrays |= {_EXTRA + name: _as_storable(array) for name, array in (extra or {}).items()}
    meta = {**meta, "format": FORMAT, "version": __version__, "arrays": list(arrays)}
    arrays[_META] = np.frombuffer(json.dumps(meta, default=_to_number).encode(), np.uint8)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot create the folder {path.parent}: {error.strerror or error}.") from error
    with atomic_write(path) as beside, open(beside, "w+b") as file:
        np.savez(file, **arrays)
        checksum.append(file)
        file.flush()
        os.fsync(file.fileno())


def restore(path: Path, checkpoint: Stored, variables: Mapping[str, tf.Variable]) -> None:
    """Assign the values of a checkpoint to variables; check all before any is changed.

    Args:
        path: The file, for the message if it does not fit.
        checkpoint: The content of the file.
        variables: All variables by name, as for `write`.

    Raises:
        UserError: If it does not fit, naming the variables.
    """
    stored = checkpoint.variables
    problems = [f"{name} is missing" for name in sorted(set(variables) - set(stored))]
    problems += [f"{name} is not a variable of this run" for name in sorted(set(stored) - set(variables))]
    values = {name: stored[name] for name in set(stored) & set(variables)}
    for name, value in sorted(values.items()):
        expected = tuple(variables[name].shape)
        if value.shape != expected:
            problems.append(f"{name} has shape {list(value.shape)}, expected {list(expected)}")
        elif not _can_cast_like(value, variables[name]):
            problems.append(f"{name} holds {value.dtype}, expected {tf.as_dtype(variables[name].dtype).name}")
    if problems:
        shown = "; ".join(problems[:5]) + (f"; and {len(problems) - 5} more" if len(problems) > 5 else "")
        raise UserError(f"checkpoint {path} does not fit this run: {shown}. Use the settings that it was made with.")
    for name, value in values.items():
        variables[name].assign(_cast_like(value, variables[name]))


def check_settings(path: Path, stored: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Check that a checkpoint was made with the settings of this trainer.

    Args:
        path: The file, for the message.
        stored: Settings of the checkpoint.
        own: Settings of the trainer; those that the checkpoint does not know are not compared.

    Raises:
        UserError: Naming the first that differs.
    """
    for key, value in own.items():
        if key in stored and stored[key] != value:
            raise UserError(
                f"checkpoint {path} was made with {key}={show(stored[key])}, this trainer has {key}={value!r}. Use the"
                " same settings to resume."
            )


def read(path: Path) -> Stored:
    """Read a whole checkpoint, which also checks it.

    Args:
        path: The file.

    Raises:
        UserError: If there is no checkpoint, or it cannot be read.
    """
    try:
        check_is_file(path)
        with open(path, "rb") as file:
            arrays = _read_arrays(file)
        meta = _read_meta(arrays)
        newer = int(meta.get("format", 1)) > FORMAT
        weights = [] if newer else _pop_weights(arrays, meta)
    except FileNotFoundError:
        raise UserError(f"no checkpoint at {path}.") from None
    except Exception as error:  # damaged bytes make zipfile and NumPy raise errors of many kinds
        file, reason = shorten(str(path), 400), getattr(error, "strerror", None) or error
        raise UserError(
            f"{file} is not a checkpoint, or a damaged one: {reason}. Resume from another checkpoint, or train again"
            " from the start."
        ) from error
    if newer:
        raise UserError(
            f"checkpoint {path} was written by batchsel {shorten(str(meta.get('version')))}, in format"
            f" {show(meta['format'])}; this is"
            f" batchsel {__version__}, which reads formats up to {FORMAT}. Resume with that version or a later one."
        )
    extra = {name[len(_EXTRA) :]: arrays.pop(name) for name in list(arrays) if name.startswith(_EXTRA)}
    return Stored(arrays, weights, meta, extra)


def _read_arrays(file: BinaryIO) -> dict[str, np.ndarray]:
    """Read all arrays of a file, once its checksum is verified, or those of zip if it has none."""
    if not zipfile.is_zipfile(file):
        raise ValueError("it is not an npz file, or its end is missing")
    sealed = checksum.verify(file)
    count = None if sealed else checksum.count_members(file)
    file.seek(0)
    with np.load(file, allow_pickle=False) as archive:
        size = os.fstat(file.fileno()).st_size
        if sum(member.file_size for member in archive.zip.infolist()) > size:
            raise ValueError("its arrays are larger than the file, which is not compressed")
        if count is not None and (archive.zip.testzip() is not None or count != len(archive.files)):
            raise ValueError("its content does not match the checksums of its members")
        return {name: archive[name] for name in archive.files}


def _read_meta(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Remove the record of the run from the arrays, and return it."""
    if _META not in arrays:
        raise ValueError("it has no record of a run")
    meta = parse_json(bytes(arrays.pop(_META)).decode())
    if not isinstance(meta, dict):
        raise ValueError("its record is not that of a run")
    return meta


def _pop_weights(arrays: dict[str, np.ndarray], meta: Mapping[str, Any]) -> list[np.ndarray]:
    """Remove the weights at the target from the arrays, and return them, once nothing is missing."""
    if "format" in meta and set(meta["arrays"]) != set(arrays):
        missing = sorted(set(meta["arrays"]) ^ set(arrays))
        raise ValueError(f"its arrays are not those that it lists: {', '.join(missing[:5])}")
    count = sum(name.startswith(_WEIGHTS) for name in arrays)
    return [arrays.pop(f"{_WEIGHTS}{i}") for i in range(count)]


def _cast_like(value: np.ndarray, variable: Any) -> np.ndarray:
    dtype = tf.as_dtype(variable.dtype).as_numpy_dtype
    return value.view(dtype) if value.dtype.kind == "V" else value.astype(dtype)


def _can_cast_like(value: np.ndarray, variable: Any) -> bool:
    size: int = tf.as_dtype(variable.dtype).size
    return value.itemsize == size if value.dtype.kind == "V" else value.dtype.kind in "biufc"


def _as_storable(array: np.ndarray) -> np.ndarray:
    """Return types such as bfloat16 as raw bytes, which need no pickle."""
    return array if array.dtype.kind in "biufc" and array.dtype.isbuiltin else array.view(f"V{array.itemsize}")


def _to_number(value: Any) -> float:
    """Convert a NumPy number, which a callback may have put into the history, to one that JSON supports."""
    return value.item()
