"""Find the code that loads a data set by its name, without importing the others.

A loader is a module with a function ``load(card, seed, folder) -> Dataset``: a file of `batchsel.data.sets`, or an
entry point of another package in the group ``batchsel.datasets``. It may have ``find(card, folder)``, which returns
the form in which the data are already there, and ``resolve(card, folder)``, which returns the card as it holds for the
files that are there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from batchsel.core.parameters import accepts, expected
from batchsel.core.registry import Registry
from batchsel.core.registry.catalog import modules_with
from batchsel.errors import UsageError, show, unknown_name

REGISTRY = Registry("loader of a data set", ["batchsel.data.sets"], "batchsel.datasets", modules_with("load"))
# Cards name loaders; these names stay when a module is renamed.
_RENAMED = {"class_folders": "image_folder"}


def find_loader(name: str) -> Any:
    """Return the module, or other object, that loads a data set.

    Args:
        name: The `loader` of a card: a module of `batchsel.data.sets` or an entry point.

    Returns:
        An object with a function `load(card, seed, folder)`.

    Raises:
        UsageError: If no loader has this name; the message suggests the nearest.

    Example:
        >>> find_loader("iris").__name__
        'batchsel.data.sets.iris'
    """
    return REGISTRY.load(_RENAMED.get(name, name))


def resolve_card(card: Any, folder: Any) -> Any:
    """Return a card as it holds for the files that are there.

    Args:
        card: The card.
        folder: The folder of the data set.

    Example:
        >>> from batchsel import cards
        >>> resolve_card(cards.load("datasets", "iris"), None).name
        'iris'
    """
    resolve = getattr(find_loader(card.loader), "resolve", None)
    return resolve(card, folder) if resolve else card


def option_problems(name: str, options: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the options of a card, one sentence each, without importing the loader.

    Args:
        name: The `loader` of the card.
        options: The options.

    Example:
        >>> option_problems("imdb", {"words": "many", "wrods": 5})
        ["imdb: words must be a whole number of at least 2, got 'many'.", "unknown option of imdb 'wrods'. Did you ..."]
    """
    try:
        signature = REGISTRY.signature(_RENAMED.get(name, name))
    except UsageError as error:
        return [str(error)]
    if signature is None:
        return []
    known = signature.parameters
    missing = [option for option, each in known.items() if each.default is each.empty and option not in options]
    found = [f"the loader {name} needs the option {option}." for option in missing]
    for option, value in options.items():
        if option not in known:
            found.append(str(unknown_name(f"option of {name}", option, known)))
        elif not accepts(known[option].annotation, value):
            hint = known[option].annotation
            found.append(f"{name}: {option} must be {expected(hint, value)}, got {show(value)}.")
        elif option == "alternative" and value:
            found += [
                f"{name}: {option} must be a table of options: {problem}"
                for problem in option_problems(name, {**options, **value, option: None})
                if problem not in found
            ]
    return found
