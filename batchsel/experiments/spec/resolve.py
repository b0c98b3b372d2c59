"""Resolve settings from users, files and cards, including `name+` appends. Needs no TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from batchsel import schedules
from batchsel.cards.dataset_cards import LEVELS
from batchsel.cards.experiment_cards import MEASURES
from batchsel.errors import UsageError, unknown_name
from batchsel.experiments.spec.budget import Budget
from batchsel.experiments.spec.card_problems import TEXT_CHECKS
from batchsel.experiments.spec.dataset_lookup import no_target
from batchsel.experiments.spec.run_spec import RunSpec
from batchsel.experiments.spec.settings import declared_settings
from batchsel.experiments.spec.user_code import code_hashes


def resolve(given: Mapping[str, Any], file: Mapping[str, Any], card: Any) -> RunSpec:
    """Return the settings of a run: given ones win over those of the file, and those over the card.

    Args:
        given: Settings by name; None means not given. A name that ends in "+" appends to that setting, with ``|``
            between; where the setting is empty, the appended text is all of it.
        file: Settings from a configuration file.
        card: The data-set card.

    Raises:
        UsageError: If a setting is unknown or impossible.

    Example:
        >>> from batchsel import cards
        >>> resolve({"schedule+": "warmup(0.1)"}, {}, cards.load("datasets", "digits")).schedule
        'linear | warmup(0.1)'
    """
    wanted = {name: value for name, value in {**file, **_without_none(given)}.items() if value is not None}
    known = [each.name for each in declared_settings(RunSpec)]
    for name in wanted:
        if name.removesuffix("+") not in known:
            raise unknown_name("setting", name.removesuffix("+"), known)
    plain = {name: value for name, value in wanted.items() if not name.endswith("+")}
    spec = _resolve(plain, card)
    appended = {}
    for name in known:
        if f"{name}+" in wanted:
            before, more = getattr(spec, name), wanted[f"{name}+"]
            appended[name] = f"{before} | {more}" if before else more
    return _resolve({**plain, **appended}, card) if appended else spec


def _without_none(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _resolve(wanted: Mapping[str, Any], card: Any) -> RunSpec:
    defaults = {each.name: each.facts.from_card(card) for each in declared_settings(RunSpec) if each.facts.from_card}
    settings = {**defaults, **wanted}
    if Budget.parse(settings["budget"]).unit == "seconds" and "schedule" not in wanted:
        settings["schedule"] = "constant"
    if settings["target"] is None:
        raise no_target(card.name)
    if settings["target"] in LEVELS and settings["target"] not in card.targets:
        known = ", ".join(card.targets) or "none"
        raise UsageError(f"{card.name} has no {settings['target']} target; its levels: {known}. Give another one.")
    if settings["target"] in card.targets:
        settings["target"] = card.targets[settings["target"]].text
    if settings.get("label_smoothing") and card.task == "regression":
        raise UsageError(f"{card.name} is a regression: its labels are not classes. Leave --label-smoothing out.")
    settings["budget"] = str(Budget.parse(settings["budget"]))
    settings["learning_rate"] = _learning_rate(settings, "learning_rate" in wanted)
    settings["code"] = code_hashes(settings)
    return RunSpec(**settings)


def _learning_rate(settings: Mapping[str, Any], chosen: bool) -> Any:
    """Return the learning rate, taken from the schedule if that states one."""
    schedule, rate = settings["schedule"], settings["learning_rate"]
    stated = schedules.base_learning_rate(schedule) if isinstance(schedule, str) and schedule.strip() else None
    if stated is not None and chosen and rate != stated:
        raise UsageError(
            f"the schedule {schedule!r} states the learning rate, {stated:g}, and learning_rate={rate!r} is given too."
            " Leave out one of them."
        )
    return rate if stated is None else stated


def check_names(spec: RunSpec) -> None:
    """Look up the names in a spec and check their parameters, before anything is downloaded or imported.

    Raises:
        UserError: If a name is unknown, a parameter is not allowed, or a text cannot be parsed.
    """
    for name, check in TEXT_CHECKS.items():
        check(getattr(spec, name))


def check_diagnostics(names: Iterable[str]) -> None:
    """Look up the names of diagnostics.

    Raises:
        UsageError: If one is unknown.

    Example:
        >>> check_diagnostics(["end", "noise"])
        Traceback (most recent call last):
        batchsel.errors.UsageError: unknown measure 'noise'. Did you mean 'noise_scale'? Known: end, noise_scale, snr.
    """
    for name in names:
        if name not in MEASURES:
            raise unknown_name("measure", name, MEASURES)
