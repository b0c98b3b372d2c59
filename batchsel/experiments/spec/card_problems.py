"""Find problems in the settings and options of cards: selectors, schedules, models and the like in text form.

Cards themselves know none of these. The functions here read a card through `batchsel.cards`, which reports their
problems together with its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from batchsel import cards, models, optimizers, schedules
from batchsel.cards.experiment_cards import ExperimentCard
from batchsel.cards.factors import APPENDABLE
from batchsel.cards.schema import DatasetCard
from batchsel.core.parameters.ranges import Range
from batchsel.core.target import Target
from batchsel.data.loaders import option_problems
from batchsel.errors import UserError, show, unknown_name
from batchsel.experiments.spec.budget import Budget
from batchsel.experiments.spec.run_spec import RunSpec
from batchsel.experiments.spec.settings import declared_settings
from batchsel.selectors import text as selector_text
from batchsel.transforms.augmentation.registry import REGISTRY as AUGMENTATIONS
from batchsel.transforms.curricula.registry import REGISTRY as CURRICULA

_LEVELS = ("easy", "medium", "hard")


def _check_if_given(check: Callable[[str], None]) -> Callable[[str], None]:
    return lambda text: check(text) if text.strip() else None


TEXT_CHECKS: Mapping[str, Callable[[str], None]] = {
    "model": models.check,
    "optimizer": optimizers.check,
    "selector": selector_text.check,
    "schedule": schedules.check,
    "augment": _check_if_given(AUGMENTATIONS.check),
    "curriculum": _check_if_given(CURRICULA.check),
}
"""Checks of settings in text form; they import no TensorFlow."""


def load_dataset_card(name: str) -> DatasetCard:
    """Read a data-set card, and check its defaults and options too.

    Args:
        name: Name of the card.

    Raises:
        UserError: If there is no such card, or it is invalid; the message lists all problems.

    Example:
        >>> load_dataset_card("iris").task
        'classification'
    """
    return cards.load("datasets", name, dataset_problems)


def load_experiment_card(name: str) -> ExperimentCard:
    """Read an experiment card by its name or path, and check its settings too.

    Args:
        name: Name of the card, or the path of a TOML file.

    Raises:
        UserError: If there is no such card, or it is invalid; the message lists all problems.

    Example:
        >>> load_experiment_card("small_sets").datasets
        ('digits', 'iris', 'wine', 'spirals')
    """
    if name.endswith(".toml"):
        return cards.load_file("experiments", Path(name), experiment_problems)
    return cards.load("experiments", name, experiment_problems)


def dataset_problems(values: Mapping[str, Any], name: str) -> list[str]:
    """Return what is wrong with the defaults, the loader and its options, one sentence each.

    Args:
        values: The card as tomllib returns it; what is of the wrong type is left to the card.
        name: Name of the card.

    Example:
        >>> dataset_problems({"loader": "iris", "defaults": {"schedule": "cosin"}}, "mine")
        ["defaults.schedule: unknown schedule 'cosin'. Did you mean 'cosine'? ..."]
    """
    defaults = _table(values, "defaults")
    found = [
        f"defaults.{key}: {problem}"
        for key, check in TEXT_CHECKS.items()
        if isinstance(defaults.get(key), str)
        for problem in _text_problems(check, defaults[key])
    ]
    loader, options = values.get("loader", name), _table(values, "options")
    if isinstance(loader, str):
        found += [f"options: {problem}" for problem in option_problems(loader, options)]
    return found


def experiment_problems(values: Mapping[str, Any], name: str) -> list[str]:
    """Return what is wrong with the settings of all arms, one sentence each.

    Args:
        values: The card as tomllib returns it; what is of the wrong type is left to the card.
        name: Name of the card.

    Example:
        >>> experiment_problems({"settings": {"budget": 0}, "arms": {"a": {"selector": "divbs(pool=0)"}}}, "mine")
        ["settings.budget: cannot read the budget 0. ...", 'arms.a.selector: divbs: pool must be a whole number ...']
    """
    found = [problem for place, stated in _stated_settings(values) for problem in _setting_problems(place, stated)]
    return list(dict.fromkeys(found))


def _stated_settings(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the tables of settings in a card and in its scaled form, with their place."""
    yield f"{prefix}settings", _table(values, "settings")
    for arm, stated in _table(values, "arms").items():
        yield f"{prefix}arms.{arm}", stated if isinstance(stated, dict) else {}
    for factor, levels in _table(values, "factors").items():
        for level in levels if isinstance(levels, list) else ():
            yield f"{prefix}factors", {factor: level}
        for level, stated in (levels if isinstance(levels, dict) else {}).items():
            yield f"{prefix}factors.{factor}.{level}", stated if isinstance(stated, dict) else {}
    for setting, trials in _table(_table(values, "tuning"), "grid").items():
        for value in trials if isinstance(trials, list) else _ends(trials):
            yield f"{prefix}tuning.grid", {setting: value}
    if not prefix:
        yield from _stated_settings(_table(values, "scaled"), "scaled.")


def _setting_problems(place: str, stated: Mapping[str, Any]) -> Iterator[str]:
    declared = {each.name: each for each in declared_settings(RunSpec)}
    for key, value in stated.items():
        name = key.removesuffix("+")
        if name not in declared:
            yield f"{place}: {unknown_name('setting', name, declared)}"
            continue
        if name in ("seed", "dataset") and place != "settings":
            yield f"{place}.{key}: seeds and data sets are those of the experiment, not of an arm."
        if key.endswith("+"):  # what may be appended to is checked by the card
            problems = _text_problems(TEXT_CHECKS[name], value) if name in APPENDABLE and isinstance(value, str) else []
        elif name == "budget":
            problems = _text_problems(Budget.parse, value if isinstance(value, str | int | float) else show(value))
        elif name == "target":
            known = isinstance(value, str) and value in _LEVELS
            problems = [] if known else _text_problems(Target.parse, value if isinstance(value, str) else show(value))
        else:
            problems = declared[name].problems(value) or _text_problems(TEXT_CHECKS.get(name), value)
        yield from (f"{place}.{key}: {problem}" for problem in problems)


def _text_problems(check: Callable[[Any], Any] | None, value: Any) -> list[str]:
    if check is None or not isinstance(value, str | int | float):
        return []
    try:
        check(value)
    except UserError as error:
        return [str(error)]
    return []


def _table(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = values.get(key)
    return found if isinstance(found, dict) else {}


def _ends(text: Any) -> tuple[Any, ...]:
    """Return both ends of a range; a range that cannot be read is left to the card."""
    try:
        both = Range.parse(text)
    except (UserError, AttributeError):
        return ()
    return both.low, both.high
