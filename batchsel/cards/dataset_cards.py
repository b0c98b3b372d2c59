"""Read and validate data-set cards."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from batchsel.cards.schema import CardFile, CardTarget, DatasetCard, Defaults, Sizes
from batchsel.cards.toml_table import REQUIRED, Table, raise_problems

TASKS = ("classification", "regression", "language_model")
LEVELS = ("easy", "medium", "hard")

_TARGET = re.compile(r"([a-z][a-z0-9_]*)\s*(>=|<=)\s*(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_SHA256, _MD5 = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{32}")


def read_dataset_card(values: dict[str, Any], name: str, source: str, more: Sequence[str] = ()) -> DatasetCard:
    """Validate a card and return it.

    Args:
        values: The card as tomllib returns it.
        name: Stem of its file.
        source: Path of the card, for errors.
        more: Problems that were found elsewhere.

    Raises:
        UserError: If keys are missing or unknown, or values have the wrong type or are out of range. The message
            lists all problems.

    Example:
        >>> read_dataset_card({"name": "mine"}, "iris", "mine.toml")
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: the card mine.toml has 11 problems: ...
    """
    problems: list[str] = []
    card = _card(Table(values, "", problems), name)
    raise_problems([*problems, *more], source)
    return card


def _card(table: Table, name: str) -> DatasetCard:
    table.read("name", f"{name!r}, as its file is named", lambda value: value == name)
    task = table.choice("task", TASKS)
    targets = _targets(table)
    card = DatasetCard(
        name=name,
        title=table.text("title"),
        task=task,
        story=table.text("story"),
        licence=table.text("licence"),
        citation=table.text("citation"),
        homepage=table.text("homepage"),
        input_shape=table.sequence("input_shape", int),
        sizes=_sizes(table.table("sizes")),
        defaults=_defaults(table.table("defaults"), targets),
        targets=targets,
        class_names=_class_names(table, task),
        loader=table.text("loader", default=name),
        files=tuple(_file(item) for item in table.tables("files")),
        content=_content(table),
        options=table.mapping("options", {}),
        folder=table.read("folder", "a plain relative name", _is_plain_name, name),
        by_hand=table.text("by_hand", default=""),
    )
    table.report_unknown_keys()
    return card


def _sizes(table: Table) -> Sizes:
    sizes = Sizes(*(table.integer(part, minimum=1) for part in ("train", "validation", "test")))
    table.report_unknown_keys()
    return sizes


def _defaults(table: Table, targets: Mapping[str, CardTarget]) -> Defaults:
    defaults = Defaults(
        model=table.text("model"),
        optimizer=table.text("optimizer"),
        learning_rate=table.positive("learning_rate"),
        batch_size=table.integer("batch_size", minimum=1),
        schedule=table.text("schedule"),
        budget=table.positive("budget"),
        target=table.choice("target", tuple(targets) or LEVELS, _default_level(targets)),
        cut_padding=table.read("cut_padding", "true or false", lambda value: isinstance(value, bool), False),
        augment=table.text("augment", default=""),
    )
    table.report_unknown_keys()
    return defaults


def _targets(table: Table) -> dict[str, CardTarget]:
    """Return the target of each level that is there, at least one."""
    before = table.problem_count
    inner = table.table("targets")
    present = [level for level in LEVELS if inner.mapping(level, None)]
    if not present and table.problem_count == before:
        table.problem("targets", f"expected a table for at least one of {', '.join(LEVELS)}.")
    inner.report_unknown_keys()
    return {level: _target(inner.table(level)) for level in present}


def _default_level(targets: Mapping[str, CardTarget]) -> str:
    """Return the level of the default target of a card that names none."""
    return "medium" if "medium" in targets or not targets else next(iter(targets))


def _target(table: Table) -> CardTarget:
    expected = "metric and threshold, as in 'accuracy>=0.91' or 'loss<=0.3'"
    text = table.read("target", expected, lambda value: isinstance(value, str) and _TARGET.fullmatch(value))
    target = CardTarget(text=text, reason=table.text("reason"))
    table.report_unknown_keys()
    return target


def _class_names(table: Table, task: str | None) -> tuple[str, ...]:
    class_names = table.sequence("class_names", str, default=())
    if task == "classification" and class_names is not None and len(class_names) < 2:
        table.problem("class_names", "expected at least two names, because the task is classification.")
    if task in TASKS[1:] and class_names:
        table.problem("class_names", f"expected none, because the task is {task}. Leave the key out.")
    return class_names or ()


def _file(table: Table) -> CardFile:
    md5 = table.read("md5", "32 hexadecimal digits in lower case", _is_md5, None)
    file = CardFile(
        name=table.read("name", "a plain relative name inside the data folder", _is_plain_name),
        sha256=table.read("sha256", "64 hexadecimal digits in lower case", _is_sha256, REQUIRED if md5 is None else ""),
        urls=tuple(table.read("urls", "a list of addresses that begin with https:// or http://", _are_urls) or ()),
        bytes=table.integer("bytes", minimum=1, default=None),
        md5=md5 or "",
    )
    table.report_unknown_keys()
    return file


def _content(table: Table) -> dict[str, str]:
    expected = "a table of SHA-256 sums, 64 hexadecimal digits each"
    return table.read("content", expected, _are_sha256, {})


def _are_sha256(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_sha256, value.values()))


def _are_urls(value: Any) -> bool:
    if not isinstance(value, list) or not value:
        return False
    return all(isinstance(url, str) and url.startswith(("https://", "http://")) for url in value)


def _is_md5(value: Any) -> bool:
    return isinstance(value, str) and _MD5.fullmatch(value) is not None


def _is_sha256(value: Any) -> bool:
    return isinstance(value, str) and bool(_SHA256.fullmatch(value))


def _is_plain_name(value: Any) -> bool:
    if not isinstance(value, str) or not value.strip() or "\\" in value:
        return False
    path = PurePosixPath(value)
    return not path.is_absolute() and not PureWindowsPath(value).drive and not {".", ".."} & set(value.split("/"))
