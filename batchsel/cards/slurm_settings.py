"""Settings of SLURM jobs, from ``--slurm time=2h,partition=gpu`` or the ``[slurm]`` table of an experiment card."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from batchsel.cards.toml_table import Table
from batchsel.errors import UsageError, show, unknown_name

OPTIONS = {
    "time": "time",
    "partition": "partition",
    "account": "account",
    "qos": "qos",
    "reservation": "reservation",
    "mem": "mem",
    "cpus": "cpus-per-task",
    "gpus": "gpus",
    "gres": "gres",
    "constraint": "constraint",
    "nodelist": "nodelist",
    "exclude": "exclude",
    "exclusive": "exclusive",
}
"""Option of sbatch for each setting."""
EXCLUSIVE = "exclusive"
"""A whole node for each job; the only setting without a value."""
FORM = "SETTING=VALUE,..., as in time=2h,partition=gpu,gpus=1"
_MINUTES = {"d": 24 * 60, "h": 60, "m": 1}
_DURATION = re.compile(r"(?:\d{1,9}[dhm])+")
_CLOCK = re.compile(r"\d{1,9}|\d{1,9}(:\d\d){1,2}|\d{1,9}-\d{1,2}(:\d\d){0,2}")
_FORMS = {
    "time": (
        lambda text: _DURATION.fullmatch(text) or _CLOCK.fullmatch(text),
        "minutes, a time as in 90m, 2h or 1d12h, or one of SLURM as in 2:30:00",
    ),
    "mem": (re.compile(r"\d+[KMGT]?").fullmatch, "a size as in 8G"),
    "cpus": (re.compile(r"[1-9]\d*").fullmatch, "a whole number above 0"),
}


def parse_slurm(texts: Sequence[str]) -> dict[str, str]:
    """Parse the values of ``--slurm``.

    Args:
        texts: Settings, several of them separated by commas; a part without ``=`` belongs to the value before it, as
            in ``nodelist=a1,a2``. Later ones override earlier ones.

    Raises:
        UsageError: If a setting is unknown or its value malformed.

    Example:
        >>> parse_slurm(["time=2h,partition=gpu", "nodelist=a1,a2,exclusive"])
        {'time': '2h', 'partition': 'gpu', 'nodelist': 'a1,a2', 'exclusive': ''}
        >>> parse_slurm(["tim=2h"])
        Traceback (most recent call last):
        batchsel.errors.UsageError: unknown setting of --slurm 'tim'. Did you mean 'time'? Known: account, ...
    """
    found: dict[str, str] = {}
    name = ""
    for part in (part.strip() for text in texts for part in text.split(",")):
        key, equals, value = (text.strip() for text in part.partition("="))
        if key == EXCLUSIVE and not equals:
            found[key] = ""
        elif equals:
            name = key
            found[name] = value
        elif name and part:
            found[name] += f",{part}"
        else:
            raise UsageError(f"--slurm is {FORM}, got {show(part)}.")
    for name, value in found.items():
        if name not in OPTIONS:
            raise unknown_name("setting of --slurm", name, OPTIONS)
        if wrong := _wrong_form(name, value):
            raise UsageError(f"--slurm {name}: {wrong}")
    return found


def read_slurm(table: Table) -> dict[str, str]:
    """Read the ``[slurm]`` table of a card; empty if there is none.

    Args:
        table: The card.

    Example:
        >>> problems = []
        >>> read_slurm(Table({"slurm": {"time": "2h", "cpus": 4, "exclusive": True}}, "", problems))
        {'time': '2h', 'cpus': '4', 'exclusive': ''}
        >>> read_slurm(Table({"slurm": {"mem": "much"}}, "", problems))
        {}
        >>> problems
        ["slurm.mem: expected a size as in 8G, got 'much'."]
    """
    if table.mapping("slurm", None) is None:
        return {}
    inner, found = table.table("slurm"), {}
    for name in OPTIONS:
        if name == EXCLUSIVE:
            if inner.read(name, "true or false", lambda value: isinstance(value, bool), False):
                found[name] = ""
            continue
        value = inner.read(name, "a text or a whole number", _is_plain, None)
        if value is not None:
            if wrong := _wrong_form(name, str(value)):
                inner.problem(name, wrong)
            else:
                found[name] = str(value)
    inner.report_unknown_keys()
    return found


def sbatch_options(settings: Mapping[str, str]) -> list[str]:
    """Return the options of sbatch for settings.

    Args:
        settings: As `parse_slurm` or `read_slurm` returns them.

    Example:
        >>> sbatch_options({"time": "1d12h", "cpus": "4", "exclusive": ""})
        ['--time=2160', '--cpus-per-task=4', '--exclusive']
    """
    options = []
    for name, value in settings.items():
        text = str(minutes(value) or value) if name == "time" else value
        options.append(f"--{OPTIONS[name]}={text}" if text else f"--{OPTIONS[name]}")
    return options


def minutes(time: str) -> int | None:
    """Return the minutes of a time such as ``90m`` or ``90``, or None for another form of SLURM's.

    Args:
        time: The setting.

    Example:
        >>> minutes("1h30m"), minutes("90"), minutes("1-00:00")
        (90, 90, None)
    """
    if time.isdigit():
        return int(time)
    if _DURATION.fullmatch(time) is None:
        return None
    return sum(int(part[:-1]) * _MINUTES[part[-1]] for part in re.findall(r"\d+[dhm]", time))


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _wrong_form(name: str, value: str) -> str:
    """Return what is wrong with a value, an empty text if nothing."""
    if name == EXCLUSIVE:
        return f"expected no value, got {show(value)}." if value else ""
    fits, form = _FORMS.get(name, (lambda text: text.isprintable() and bool(text), "a text"))
    if not fits(value):
        return f"expected {form}, got {show(value)}."
    return "expected at least one minute, got 0." if name == "time" and minutes(value) == 0 else ""
