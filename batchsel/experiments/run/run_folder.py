"""Folder of a run: its settings, its vocabulary, its checkpoint. Needs no TensorFlow."""

from __future__ import annotations

from pathlib import Path

from batchsel.core.filesystem.reading import reading
from batchsel.errors import UsageError
from batchsel.experiments.spec.run_spec import RunSpec, read_file

CONFIG = "config.toml"
CHECKPOINT = "checkpoint.npz"
_SHOWN = 5


def read_settings(folder: Path) -> RunSpec:
    """Return the settings of a run that left a checkpoint.

    Args:
        folder: Its folder.

    Raises:
        UsageError: If there is no run in the folder, or its settings are incomplete.

    Example:
        >>> read_settings(Path("/nowhere"))
        Traceback (most recent call last):
        ...
        batchsel.errors.UsageError: /nowhere holds no run: there is no config.toml and no checkpoint.npz. ...
    """
    missing = [name for name in (CONFIG, CHECKPOINT) if not (folder / name).is_file()]
    if missing:
        raise UsageError(
            f"{folder} holds no run: there is {' and '.join(f'no {name}' for name in missing)}. {_hint(folder)}"
        )
    try:
        return RunSpec(**read_file(folder / CONFIG))
    except TypeError as error:
        raise UsageError(f"{folder / CONFIG} does not hold all settings of a run: {error}.") from None


def read_text(path: Path) -> str:
    """Return a file of the folder as text.

    Args:
        path: The file.

    Raises:
        UserError: If the file cannot be read.

    Example:
        >>> read_text(Path("/nowhere/vocabulary.txt"))
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: cannot read /nowhere/vocabulary.txt: ...
    """
    with reading(path, "is not text in UTF-8", "Train again."):
        return path.read_bytes().decode()


def _hint(folder: Path) -> str:
    inside = sorted(path.parent.name for path in folder.glob(f"*/{CHECKPOINT}"))
    if not inside:
        return "Expected a folder that `batchsel run` created, as in runs/NAME."
    more = f" and {len(inside) - _SHOWN} more" if len(inside) > _SHOWN else ""
    return f"Runs in it: {', '.join(inside[:_SHOWN])}{more}."
