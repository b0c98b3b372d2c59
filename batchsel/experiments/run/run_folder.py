"""Folder of a run: its lock, its settings, its vocabulary, its checkpoint. Needs no TensorFlow."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from batchsel.core.filesystem.reading import reading
from batchsel.core.locking.locks import Held, hold_lock
from batchsel.errors import UsageError, UserError, show
from batchsel.experiments.spec.run_spec import RunSpec, read_spec
from batchsel.experiments.spec.user_code import continues

CONFIG = "config.toml"
CHECKPOINT = "checkpoint.npz"
_VOCABULARIES = ("vocabulary.txt", "vocabulary.json")
"""Files of the encoders of texts, see their `FILE`."""
_NAME = re.compile(r"[\w][\w .,=+-]{0,99}")
_SHOWN = 5
_NOTE = "run"
_WITHOUT = "Do not start this run a second time while it is under way."


@contextmanager
def hold_folder(folder: Path) -> Iterator[None]:
    """Hold the folder of a run, created if it does not exist, so that no other process trains in it meanwhile.

    Args:
        folder: The folder.

    Raises:
        UserError: If a run is under way in it, or it cannot be written to.
    """
    lock = hold_lock(folder / CHECKPOINT, wait=False, without=_WITHOUT)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.__enter__()
    except Held as error:
        raise UserError(
            f"a run is under way in {folder}: {error.holder or 'another process'} holds it. Wait for it, or choose"
            " another folder with --out."
        ) from None
    except OSError as error:
        raise cannot_write(folder, error) from error
    try:
        yield
    finally:
        lock.__exit__(None, None, None)


def check_run_name(name: str | None) -> None:
    """Check that the name of a run can be that of its folder.

    Args:
        name: The name, or None.

    Raises:
        UsageError: If it cannot.

    Example:
        >>> check_run_name("../elsewhere")
        Traceback (most recent call last):
        batchsel.errors.UsageError: the name of a run is that of its folder: letters, digits, blanks and . , ...
    """
    if name is not None and not _NAME.fullmatch(name):
        raise UsageError(
            "the name of a run is that of its folder: letters, digits, blanks and . , = + - _, at most 100 of them,"
            f" got {show(name)}."
        )


def cannot_write(folder: Path, error: OSError) -> UserError:
    """Return the error for a folder that cannot be written to, for the caller to raise."""
    return UserError(
        f"cannot write to {folder}: {error.strerror or error}. Free some space or choose another folder with --out."
    )


def other_run(folder: Path) -> UserError:
    """Return the error for a run that would replace one with other settings, for the caller to raise."""
    return UserError(
        f"{folder} holds a run with other settings. Choose another --name, or replace that run with --restart."
    )


def interrupted_run(folder: Path) -> UserError:
    """Return the error for a run that would delete the checkpoint of an interrupted one, for the caller to raise.

    Example:
        >>> print(interrupted_run(Path("runs/iris")))
        runs/iris holds the checkpoint of an interrupted run. Resume it with `batchsel run --resume runs/iris`, or ...
    """
    return UserError(
        f"{folder} holds the checkpoint of an interrupted run. Resume it with"
        f" `batchsel run --resume {shlex.quote(str(folder))}`, or start over with --restart, which deletes it."
    )


def checkpoint_notes(spec: RunSpec, **options: Any) -> dict[str, Any]:
    """Return what a checkpoint says about its run, for `check_unchanged` and `noted_option`.

    Args:
        spec: The settings of the run.
        **options: What else the run goes on with when it is resumed, JSON.
    """
    return {_NOTE: {"digest": spec.digest(), "settings": spec.values(), **options}}


def noted_option(meta: Mapping[str, Any] | None, name: str, given: Any) -> Any:
    """Return an option of the run that a checkpoint is of, unless another is given.

    Args:
        meta: Metadata of the checkpoint; None for a new run. Those of earlier versions know fewer options.
        name: Name of the option.
        given: Its value now; what is empty is not given.
    """
    return given or (meta or {}).get(_NOTE, {}).get(name, given)


def noted_digest(meta: Mapping[str, Any]) -> str | None:
    """Return the digest of the settings that a checkpoint was made with; None for those of earlier versions.

    Args:
        meta: Metadata of the checkpoint.
    """
    return meta[_NOTE]["digest"] if _NOTE in meta else None


def check_unchanged(folder: Path, spec: RunSpec, meta: Mapping[str, Any]) -> None:
    """Check that a checkpoint was made with the settings that now are in its folder; code may go on changed.

    Args:
        folder: The folder of the run.
        spec: The settings there.
        meta: Metadata of the checkpoint; those of earlier versions say nothing about settings and are not compared.

    Raises:
        UserError: Naming the settings that differ.
    """
    present = spec.values()
    before = meta[_NOTE]["settings"] if _NOTE in meta else present
    changed = sorted(
        name
        for name in present.keys() | before.keys()
        if present.get(name) != before.get(name) and not continues(before.get(name), present.get(name))
    )
    if changed:
        changes = ", ".join(f"{name} ({_show(before, name)}, now {_show(present, name)})" for name in changed)
        raise UserError(
            f"the settings of the run in {folder} have changed since its checkpoint was written: {changes}. Undo that"
            f" in {CONFIG}, or start another run with `batchsel run --config {shlex.quote(str(folder / CONFIG))}`."
        )


def _show(settings: Mapping[str, Any], name: str) -> str:
    return repr(settings[name]) if name in settings else "the default"


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
    return read_spec(folder / CONFIG)


def has_vocabulary(folder: Path) -> bool:
    """Return whether a run was trained on texts, whose vocabulary is in its folder.

    Args:
        folder: Its folder.

    Example:
        >>> has_vocabulary(Path("/nowhere"))
        False
    """
    return any((folder / name).is_file() for name in _VOCABULARIES)


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
