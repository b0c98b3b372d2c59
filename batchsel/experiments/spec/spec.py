"""What a run is: every setting, resolved, before anything is loaded. Needs no TensorFlow."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchsel import schedules
from batchsel.core.target import Target
from batchsel.errors import UsageError, unknown_name
from batchsel.experiments.spec.budget import Budget
from batchsel.experiments.spec.spec_problems import problems_of

_LATER = (
    "cut_padding", "label_noise", "label_noise_kind", "imbalance", "augment", "source", "curriculum", "accumulate",
    "label_smoothing", "train_share",
)  # fmt: skip
"""Settings that earlier versions did not have: what was recorded without them keeps its digest."""
_NONE = object()


@dataclass(frozen=True)
class RunSpec:
    """The settings that a run's results depend on.

    Args:
        dataset: Name of a card.
        model: A model in text form.
        selector: A selector in text form.
        batch_size: Samples of a step.
        optimizer: An optimizer in text form.
        learning_rate: Its peak learning rate.
        schedule: A schedule in text form.
        budget: As in `Budget`.
        target: As in "accuracy>=0.91".
        seed: Seed of initial weights and of all choices; the split is the same for all seeds.
        evaluations: Points of the evaluation grid over the budget.
        evaluate_every: Passes between evaluations; 0 to follow `evaluations`.
        run_on: Whether to go on to the end of the budget when the target is reached.
        compile: "auto", "graph" or "xla".
        deterministic: Whether TensorFlow's operations are to be deterministic.
        mixed_precision: Whether to compute in 16 bits where that is safe.
        cut_padding: Whether batches of padded sequences are cut to the longest in them.
        label_noise: Share of the training labels that are made wrong on purpose, always the same.
        label_noise_kind: "symmetric" (any other class) or "asymmetric" (the next class).
        imbalance: Size of the first class over that of the last in the training part; 1 leaves it as it is.
        train_share: Share of the training part that is trained on, always the same samples.
        label_smoothing: Share of a label that all classes have together in training; evaluations are without it.
        augment: Augmentations in text form; empty for none.
        curriculum: Curricula in text form; empty for none.
        accumulate: How many batches make one update, in text form; empty for one.
        source: A hash of what data without a card are read from; empty for data with one.

    Example:
        >>> RunSpec("digits", "mlp", "random", 32, "adam", 1e-3, "linear", "20 passes", "accuracy>=0.9").identity()
        'digits-random-0-...'
    """

    dataset: str
    model: str
    selector: str
    batch_size: int
    optimizer: str
    learning_rate: float
    schedule: str
    budget: str
    target: str
    seed: int = 0
    evaluations: int = 40
    evaluate_every: float = 0.0
    run_on: bool = False
    compile: str = "auto"
    deterministic: bool = False
    mixed_precision: bool = False
    cut_padding: bool = False
    label_noise: float = 0.0
    label_noise_kind: str = "symmetric"
    imbalance: float = 1.0
    train_share: float = 1.0
    label_smoothing: float = 0.0
    augment: str = ""
    curriculum: str = ""
    accumulate: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        problems = problems_of(self)
        if problems:
            raise UsageError(" ".join(problems))
        Budget.parse(self.budget)
        Target.parse(self.target)
        in_seconds = Budget.parse(self.budget).unit == "seconds"
        if in_seconds and (self.curriculum or "grow" in self.accumulate):
            raise UsageError(
                f"what changes over the budget ({self.curriculum or self.accumulate}) follows samples trained on, which"
                f" a budget of {self.budget} does not fix. Give the budget in passes or samples."
            )
        if in_seconds and not schedules.is_constant(self.schedule):
            raise UsageError(
                f"schedule {self.schedule!r} follows samples trained on, which a budget of {self.budget} does not"
                " fix. Give the budget in passes or samples, or use --schedule constant."
            )

    def values(self) -> dict[str, Any]:
        """All settings by name, plain values; those that came later only where they differ from their default."""
        later = {field.name: field.default for field in dataclasses.fields(self) if field.name in _LATER}
        return {name: value for name, value in dataclasses.asdict(self).items() if value != later.get(name, _NONE)}

    def digest(self) -> str:
        """SHA-256 over all settings, 64 hexadecimal digits."""
        return hashlib.sha256(json.dumps(self.values(), sort_keys=True).encode()).hexdigest()

    def identity(self) -> str:
        """A name for files: data set, selector, seed and the start of the digest."""
        selector = re.sub(r"[^A-Za-z0-9_]+", "-", self.selector.split("(")[0]).strip("-")[:40]
        dataset = re.sub(r"[^A-Za-z0-9_]+", "-", self.dataset).strip("-")
        return f"{dataset}-{selector}-{self.seed}-{self.digest()[:8]}"


def resolve(given: Mapping[str, Any], file: Mapping[str, Any], card: Any) -> RunSpec:
    """Puts a spec together: what was given wins over the file, the file over the card.

    Args:
        given: Settings by name; None means not given.
        file: Settings out of a configuration file.
        card: The data-set card.

    Raises:
        UsageError: If a setting is unknown or impossible.
    """
    wanted = {key: value for key, value in {**file, **_given(given)}.items() if value is not None}
    settings = {"dataset": card.name, "selector": "random", **_defaults(card), **wanted}
    if Budget.parse(settings["budget"]).unit == "seconds" and "schedule" not in wanted:
        settings["schedule"] = "constant"
    if settings["target"] is None:
        raise UsageError(f"{card.name} has no target of its own; give one, as in --target 'accuracy>=0.9'.")
    if settings["target"] in card.targets:
        settings["target"] = card.targets[settings["target"]].text
    if settings.get("label_smoothing") and card.task == "regression":
        raise UsageError(f"labels of {card.name}, a regression, are no classes; leave --label-smoothing out.")
    settings["budget"] = str(Budget.parse(settings["budget"]))
    settings["learning_rate"] = _rate(settings, "learning_rate" in wanted)
    return RunSpec(**settings)


def read_file(path: str | Path) -> dict[str, Any]:
    """Settings out of a TOML file.

    Args:
        path: The file; its keys are the options of `batchsel run` with underscores.

    Raises:
        UsageError: If it cannot be read, or has an unknown key.
    """
    try:
        values = tomllib.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read the configuration {path}: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"the configuration {path} is no TOML: {error}.") from None
    known = [field.name for field in dataclasses.fields(RunSpec)]
    for key, value in values.items():
        if key not in known:
            raise UsageError(f"{path}: {unknown_name('setting', key, known)}")
        if not isinstance(value, str | int | float):
            raise UsageError(f"{path}: {key} cannot be {value!r}; a setting is a text, a number or true or false.")
    return values


def to_toml(spec: RunSpec) -> str:
    """A spec as TOML, which `read_file` takes back.

    Args:
        spec: The spec.
    """
    import tomli_w

    return tomli_w.dumps(spec.values())


def _rate(settings: Mapping[str, Any], chosen: bool) -> Any:
    """The learning rate: what the schedule states, if it states one."""
    schedule, rate = settings["schedule"], settings["learning_rate"]
    stated = schedules.base_learning_rate(schedule) if isinstance(schedule, str) and schedule.strip() else None
    if stated is not None and chosen and rate != stated:
        raise UsageError(
            f"the schedule {schedule!r} states the learning rate, {stated:g}, and learning_rate={rate!r} is given too."
            " Leave out one of them."
        )
    return rate if stated is None else stated


def _given(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if value is not None}


def _defaults(card: Any) -> dict[str, Any]:
    defaults = card.defaults
    return {
        "model": defaults.model,
        "optimizer": defaults.optimizer,
        "learning_rate": defaults.learning_rate,
        "batch_size": defaults.batch_size,
        "schedule": defaults.schedule,
        "budget": str(Budget(defaults.budget, "passes")),
        "target": card.target,
        "cut_padding": defaults.cut_padding,
        "augment": defaults.augment,
        "source": card.content.get("source", ""),
    }


def check_names(spec: RunSpec) -> None:
    """Looks up the names in a spec, before anything is downloaded or imported.

    Args:
        spec: The spec.

    Raises:
        UserError: If a name is unknown or a text cannot be read.
    """
    from batchsel import models, optimizers
    from batchsel.selectors import text
    from batchsel.transforms.augmentation.registry import REGISTRY as AUGMENTATIONS
    from batchsel.transforms.curricula.registry import REGISTRY as CURRICULA

    models.check(spec.model)
    optimizers.check(spec.optimizer)
    text.check(spec.selector)
    if spec.augment:
        AUGMENTATIONS.check(spec.augment)
    if spec.curriculum:
        CURRICULA.check(spec.curriculum)
