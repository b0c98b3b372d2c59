"""Cards: TOML files that describe data sets and experiments.

The cards of batchsel are in the folders `datasets/` and `experiments/` of the repository; a wheel contains them
as the packages `batchsel.cards.datasets` and `batchsel.cards.experiments`. A card in a folder of that name in the
working directory replaces the card of the same name, or adds a new one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from importlib import import_module, resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from batchsel.core.filesystem.reading import shorten_path
from batchsel.core.filesystem.toml_files import parse_toml
from batchsel.errors import UserError, unknown_name, working_on

_READERS = {
    "datasets": "batchsel.cards.dataset_cards:read_dataset_card",
    "experiments": "batchsel.cards.experiment_cards:read_experiment_card",
}
Check = Callable[[dict[str, Any], str], list[str]]
"""From the values of a card and its name to sentences on what is wrong with them."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def names(kind: str) -> list[str]:
    """Return the sorted names of all cards of a kind, including those of the working directory.

    Args:
        kind: Folder of the cards, as in ``"datasets"``.

    Example:
        >>> "fashion_mnist" in names("datasets")
        True
    """
    return sorted(_files(kind))


def load(kind: str, name: str, check: Check | None = None) -> Any:
    """Read and check a card.

    Args:
        kind: Folder of the cards: ``"datasets"`` or ``"experiments"``.
        name: Name of the card.
        check: Finds problems that only other parts of the program know, such as unknown selectors.

    Returns:
        The card; for ``"datasets"`` a `batchsel.cards.schema.DatasetCard`, for ``"experiments"`` a
        `batchsel.cards.experiment_cards.ExperimentCard`.

    Raises:
        UsageError: If no card has this name; the message suggests the nearest names.
        UserError: If the card is invalid; the message lists all problems.

    Example:
        >>> load("datasets", "iris").class_names
        ('setosa', 'versicolor', 'virginica')
    """
    files = _files(kind)
    if name not in files:
        listing = "batchsel datasets list" if kind == "datasets" else ""
        raise unknown_name(kind.removesuffix("s"), name, files, listing)
    return _read(kind, files[name], name, check)


def load_file(kind: str, path: Path, check: Check | None = None) -> Any:
    """Read and check a card from any file.

    Args:
        kind: As for `load`.
        path: The file; its stem is the name of the card.
        check: As for `load`.

    Raises:
        UserError: If there is no such file, or the card is invalid.
    """
    if not os.path.isfile(path):  # unlike that of pathlib, it says no for a path that is too long
        raise UserError(f"there is no card {shorten_path(path)}. Expected the path of a TOML file.")
    return _read(kind, path, path.stem, check)


def _read(kind: str, file: Traversable, name: str, check: Check | None) -> Any:
    values = _parse(file)
    with working_on(f"reading the card {file}"):
        return _reader(kind)(values, name, str(file), check(values, name) if check else ())


def _files(kind: str) -> dict[str, Traversable]:
    found: dict[str, Traversable] = {}
    for folder in (_installed(kind), Path.cwd() / kind):
        if folder.is_dir():
            found |= {name: file for file in folder.iterdir() if (name := _card_name(file))}
    return found


def _card_name(file: Traversable) -> str | None:
    stem, _, suffix = file.name.rpartition(".")
    return stem if suffix == "toml" and _NAME.fullmatch(stem) and file.is_file() else None


def _installed(kind: str) -> Traversable:
    try:
        return resources.files(f"{__name__}.{kind}")
    except ModuleNotFoundError:  # an editable install or a bare checkout: setup.cfg maps the folder into wheels only
        return Path(__file__).parents[2] / kind


def _reader(kind: str) -> Callable[[dict[str, Any], str, str, Sequence[str]], Any]:
    module, _, function = _READERS[kind].partition(":")
    return getattr(import_module(module), function)


def _parse(file: Traversable) -> dict[str, Any]:
    try:
        return parse_toml(file.read_bytes(), f"the card {file}")
    except OSError as error:
        raise UserError(f"the card {file} cannot be read: {error.strerror}. Check its permissions.") from error
