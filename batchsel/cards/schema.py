"""What a data-set card says, and the check that it says it rightly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from batchsel.cards.reader import Table
from batchsel.errors import UserError

TASKS = ("classification", "regression")
LEVELS = ("easy", "medium", "hard")

_TARGET = re.compile(r"([a-z][a-z0-9_]*)\s*(>=|<=)\s*(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class CardFile:
    """A file that can be downloaded.

    Args:
        name: Its name in the data folder, a plain relative one.
        sha256: SHA-256 of its bytes, 64 hexadecimal digits.
        urls: Where it can be had, tried in this order.

    Example:
        >>> CardFile("a.gz", "0" * 64, ("https://example.org/a.gz",)).name
        'a.gz'
    """

    name: str
    sha256: str
    urls: tuple[str, ...]


@dataclass(frozen=True)
class CardTarget:
    """A target and why it is where it is.

    Args:
        text: Metric and threshold, as in ``"accuracy>=0.91"``.
        reason: One or two sentences.

    Example:
        >>> CardTarget("accuracy>=0.91", "A small CNN gets there in a few passes.").text
        'accuracy>=0.91'
    """

    text: str
    reason: str


@dataclass(frozen=True)
class Sizes:
    """How many samples each part has.

    Args:
        train: Samples to train on.
        validation: Samples carved from the training data, to decide on.
        test: Samples to report on; never trained or tuned on.

    Example:
        >>> Sizes(55000, 5000, 10000).total
        70000
    """

    train: int
    validation: int
    test: int

    @property
    def total(self) -> int:
        """Samples of all parts together."""
        return self.train + self.validation + self.test


@dataclass(frozen=True)
class Defaults:
    """How the data set is trained unless the user says otherwise.

    Args:
        model: Name of the model.
        optimizer: Name of the optimizer.
        learning_rate: Its peak learning rate.
        batch_size: Samples a step.
        schedule: Name of the learning-rate schedule.
        budget: Passes after which a run ends.
        target: Which of the three targets is meant: ``"easy"``, ``"medium"`` or ``"hard"``.

    Example:
        >>> Defaults("mlp", "adam", 1e-3, 32, "linear", 20.0, "medium").budget
        20.0
    """

    model: str
    optimizer: str
    learning_rate: float
    batch_size: int
    schedule: str
    budget: float
    target: str


@dataclass(frozen=True)
class DatasetCard:
    """Everything that is known about a data set before its data are there.

    Args:
        name: Name of the data set, and of its file.
        title: Name in prose.
        task: ``"classification"`` or ``"regression"``.
        story: What the data are and where they come from.
        licence: Under which terms they may be used.
        citation: How to cite them.
        homepage: Where they are at home.
        input_shape: Shape of one sample.
        sizes: Samples of each part.
        defaults: How to train on them.
        targets: The target of each level.
        class_names: Names of the classes; empty for regression.
        loader: Name of the module in `batchsel.data`, or of the entry point in the group
            ``batchsel.datasets``, that loads the data; the card's name unless given.
        files: What can be downloaded; empty where the data come with a package or are computed.
        content: SHA-256 of arrays, whatever file they came in; the loader says which names it looks at.
        options: Parameters of the loader.
        by_hand: Which file to get where and how, for data that cannot be downloaded freely.

    Example:
        >>> from batchsel import cards
        >>> card = cards.load("datasets", "fashion_mnist")
        >>> card.sizes.train, card.input_shape, card.target
        (55000, (28, 28, 1), 'accuracy>=0.91')
    """

    name: str
    title: str
    task: str
    story: str
    licence: str
    citation: str
    homepage: str
    input_shape: tuple[int, ...]
    sizes: Sizes
    defaults: Defaults
    targets: Mapping[str, CardTarget]
    class_names: tuple[str, ...] = ()
    loader: str = ""
    files: tuple[CardFile, ...] = ()
    content: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    by_hand: str = ""

    @property
    def target(self) -> str | None:
        """The default target, as in ``"accuracy>=0.91"``; None for a card without targets."""
        level = self.targets.get(self.defaults.target)
        return level.text if level else None


def read_dataset_card(values: dict[str, Any], name: str, source: str) -> DatasetCard:
    """Checks the content of a card.

    Args:
        values: The card as tomllib gives it.
        name: The name of its file, without the ending.
        source: Where the card was found, for errors.

    Returns:
        The card.

    Raises:
        UserError: If anything is wrong: keys missing or unknown, values of the wrong type or out of range.
            All problems are listed.

    Example:
        >>> read_dataset_card({"name": "mine"}, "iris", "mine.toml")
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: the card mine.toml has 11 problems: ...
    """
    problems: list[str] = []
    card = _card(Table(values, "", problems), name)
    if not problems:
        return card
    count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
    lines = "".join(f"\n  {problem}" for problem in problems)
    raise UserError(f"the card {source} has {count}:{lines}\nMend the file; the cards of batchsel show the form.")


def _card(table: Table, name: str) -> DatasetCard:
    table.read("name", f"{name!r}, as its file is named", lambda value: value == name)
    task = table.one_of("task", TASKS)
    card = DatasetCard(
        name=name,
        title=table.text("title"),
        task=task,
        story=table.text("story"),
        licence=table.text("licence"),
        citation=table.text("citation"),
        homepage=table.text("homepage"),
        input_shape=table.listed("input_shape", int),
        sizes=_sizes(table.table("sizes")),
        defaults=_defaults(table.table("defaults")),
        targets=_targets(table.table("targets")),
        class_names=_class_names(table, task),
        loader=table.text("loader", default=name),
        files=tuple(_file(item) for item in table.tables("files")),
        content=_content(table),
        options=table.read("options", "a table", lambda value: isinstance(value, dict), {}),
        by_hand=table.text("by_hand", default=""),
    )
    table.finish()
    return card


def _sizes(table: Table) -> Sizes:
    sizes = Sizes(*(table.integer(part, minimum=1) for part in ("train", "validation", "test")))
    table.finish()
    return sizes


def _defaults(table: Table) -> Defaults:
    defaults = Defaults(
        model=table.text("model"),
        optimizer=table.text("optimizer"),
        learning_rate=table.positive("learning_rate"),
        batch_size=table.integer("batch_size", minimum=1),
        schedule=table.text("schedule"),
        budget=table.positive("budget"),
        target=table.one_of("target", LEVELS),
    )
    table.finish()
    return defaults


def _targets(table: Table) -> dict[str, CardTarget]:
    targets = {level: _target(table.table(level)) for level in LEVELS}
    table.finish()
    return targets


def _target(table: Table) -> CardTarget:
    expected = "metric and threshold, as in 'accuracy>=0.91' or 'loss<=0.3'"
    text = table.read("target", expected, lambda value: isinstance(value, str) and _TARGET.fullmatch(value))
    target = CardTarget(text=text, reason=table.text("reason"))
    table.finish()
    return target


def _class_names(table: Table, task: str | None) -> tuple[str, ...]:
    class_names = table.listed("class_names", str, default=())
    if task == "classification" and class_names is not None and len(class_names) < 2:
        table.problem("class_names", "expected two or more names, because the task is classification.")
    if task == "regression" and class_names:
        table.problem("class_names", "expected none, because the task is regression. Leave the key out.")
    return class_names or ()


def _file(table: Table) -> CardFile:
    file = CardFile(
        name=table.read("name", "a plain relative name inside the data folder", _is_plain_name),
        sha256=table.read("sha256", "64 hexadecimal digits in lower case", _is_sha256),
        urls=tuple(table.read("urls", "a list of addresses that begin with https:// or http://", _are_urls) or ()),
    )
    table.finish()
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


def _is_sha256(value: Any) -> bool:
    return isinstance(value, str) and bool(_SHA256.fullmatch(value))


def _is_plain_name(value: Any) -> bool:
    if not isinstance(value, str) or not value.strip() or "\\" in value:
        return False
    path = PurePosixPath(value)
    return not path.is_absolute() and not PureWindowsPath(value).drive and not {".", ".."} & set(value.split("/"))
