"""What is wrong with the settings of a run, a sentence each, before anything is loaded. Needs no TensorFlow."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from batchsel import schedules
from batchsel.errors import UsageError, unknown_name

COMPILE = ("auto", "graph", "xla")
NOISE = ("symmetric", "asymmetric")


def problems_of(spec: Any) -> list[str]:
    """Everything that is wrong with settings taken one by one.

    Args:
        spec: A `RunSpec`.
    """
    return [*_type_problems(spec), *_value_problems(spec)]


def _type_problems(spec: Any) -> list[str]:
    """A sentence for each setting of the wrong type; TOML and JSON bring any."""
    types = {"str": str, "int": int, "float": (int, float), "bool": bool}
    problems = []
    for field in dataclasses.fields(spec):
        value = getattr(spec, field.name)
        wrong = not isinstance(value, types[field.type]) or (isinstance(value, bool) and field.type != "bool")
        if wrong:
            problems.append(f"{field.name}: expected {field.type}, got {value!r}.")
    return problems


def _value_problems(spec: Any) -> list[str]:
    def at_least(name: str, least: int) -> list[str]:
        value = getattr(spec, name)
        if isinstance(value, int | float) and not value >= least:
            return [f"{name} must be at least {least}, got {value}."]
        return []

    def one_of(name: str, known: tuple[str, ...]) -> list[str]:
        value = getattr(spec, name)
        return [] if value in known else [str(unknown_name(name, str(value), known))]

    problems = at_least("batch_size", 1) + at_least("evaluations", 1) + at_least("seed", 0)
    if isinstance(spec.seed, int) and spec.seed >= 2**31:
        problems.append(f"seed must be below {2**31}, got {spec.seed}.")
    problems += _problems(_check_schedule, spec.schedule) + one_of("compile", COMPILE)
    problems += _problems(schedules.check_accumulation, spec.accumulate or "1")
    problems += at_least("evaluate_every", 0) + at_least("label_noise", 0) + at_least("imbalance", 1)
    problems += one_of("label_noise_kind", NOISE)
    problems += at_least("label_smoothing", 0)
    for name in ("label_noise", "label_smoothing"):
        value = getattr(spec, name)
        if isinstance(value, int | float) and value >= 1:
            problems.append(f"{name} must be below 1, got {value}.")
    share = spec.train_share
    if isinstance(share, int | float) and not 0 < share <= 1:
        problems.append(f"train_share must be above 0 and at most 1, got {share}.")
    rate = spec.learning_rate
    if isinstance(rate, int | float) and not 0 < rate < float("inf"):
        problems.append(f"learning_rate must be above 0, got {rate}.")
    return problems


def _check_schedule(text: str) -> None:
    if not text.strip():
        raise UsageError("schedule is empty. Say 'constant' for a learning rate that stays as it is.")
    schedules.check(text)


def _problems(check: Callable[[str], None], text: Any) -> list[str]:
    try:
        check(text) if isinstance(text, str) else None
    except UsageError as error:
        return [str(error)]
    return []
