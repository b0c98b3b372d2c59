"""Code of users that settings name, as in ``./mine.py:Mine``: it counts by its content, not by its name alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from batchsel.core.call_syntax import parse_call, split_pipe
from batchsel.core.filesystem.python_files import content_hash
from batchsel.errors import UsageError, UserError

SETTINGS = ("model", "selector", "optimizer", "schedule", "augment", "curriculum")
"""Settings in text form that may name Python files; that of the data has a hash of its own."""
_CHANGED = " -> "


def code_hashes(settings: Mapping[str, Any]) -> str:
    """Return hashes of the Python files that settings name, with the neighbors that they import; empty if none does.

    Args:
        settings: Settings by name.

    Example:
        >>> code_hashes({"selector": "loss_ema", "model": "mlp"})
        ''
    """
    found = []
    for name in SETTINGS:
        text = settings.get(name)
        hashes = [content_hash(path) for path in _files(text)] if isinstance(text, str) else []
        if any(hashes):
            found.append(f"{name} {'+'.join(hashes)}")
    return ", ".join(found)


def _files(text: str) -> list[Path]:
    files = []
    for part in split_pipe(text) if ".py" in text else ():
        try:
            path = parse_call(part).path
        except UsageError:  # reported where the setting is used
            continue
        if path is not None:
            files.append(path)
    return files


def latest(stated: str) -> str:
    """Return the last of the hashes that a setting states: a run may have gone on with other code.

    Args:
        stated: Hashes, ``a -> b`` if a run that began with a was resumed with b.

    Example:
        >>> latest("a -> b")
        'b'
    """
    return stated.rpartition(_CHANGED)[2]


def joined(before: str, now: str) -> str:
    """Return the hashes of a run that goes on with other code.

    Args:
        before: Hashes so far.
        now: Hashes from now on.
    """
    return f"{before}{_CHANGED}{now}"


def continues(before: Any, now: Any) -> bool:
    """Return whether hashes are those of a run that went on with other code.

    Args:
        before: Hashes that a checkpoint states.
        now: Hashes that the settings state.

    Example:
        >>> continues("a", "a -> b"), continues("a", "b")
        (True, False)
    """
    return isinstance(before, str) and isinstance(now, str) and now.startswith(before + _CHANGED)


def changed_settings(settings: Mapping[str, Any]) -> list[str]:
    """Return the settings whose code is not that which a run began with.

    Args:
        settings: Settings by name, with the hashes as "code"; without hashes nothing is known, and nothing changed.
    """
    stated = _by_setting(latest(settings.get("code", "")))
    now = _by_setting(code_hashes(settings))
    return [name for name in stated if now.get(name, stated[name]) != stated[name]]


def check_code(settings: Mapping[str, Any]) -> None:
    """Check that code is still that which a run began with.

    Args:
        settings: As for `changed_settings`.

    Raises:
        UserError: If it has changed.
    """
    changed = changed_settings(settings)
    if changed:
        shown = " and ".join(f"{name} {settings[name]}" for name in changed)
        raise UserError(
            f"the code of {shown} has changed since the settings of this run were made: its results could not be"
            " compared. Undo the change, or start a new run; `batchsel run --resume FOLDER --changed-code` goes on with"
            " the new code."
        )


def go_on_with_code(spec: Any, folder: Path, allowed: bool) -> Any:
    """Return the settings of a run that is resumed, with the hashes of changed code behind those that it began with.

    Args:
        spec: The settings, of `batchsel.experiments.spec.run_spec.RunSpec`.
        folder: Folder of the run.
        allowed: Whether changed code is allowed.

    Raises:
        UserError: If code has changed, and that is not allowed.
    """
    values = spec.values()
    changed, news = changed_settings(values), {}
    if changed:
        news["code"] = joined(spec.code, code_hashes(values))
    if ".py:" in spec.dataset and spec.source:
        now = content_hash(Path(spec.dataset.rpartition(":")[0]))
        if now not in ("", latest(spec.source)):
            changed, news["source"] = ["dataset", *changed], joined(spec.source, now)
    if changed and not allowed:
        shown = " and ".join(f"{name} {values[name]}" for name in changed)
        raise UserError(
            f"the code of {shown} has changed since the run in {folder} began. Undo the change, go on with"
            " the new code by --changed-code, or start a new run."
        )
    return dataclasses.replace(spec, **news)


def _by_setting(hashes: str) -> dict[str, str]:
    return dict(each.split(" ", 1) for each in hashes.split(", ") if each)  # pyright: ignore[reportArgumentType]
