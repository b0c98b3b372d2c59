"""Settings of a run, all resolved before anything is loaded. Needs no TensorFlow."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Annotated, Any

from batchsel import schedules
from batchsel.core.filesystem.reading import check_is_file
from batchsel.core.filesystem.toml_files import parse_toml
from batchsel.core.parameters import (
    FLOAT32,
    INT32,
    MOST_PASSES,
    AtLeastOne,
    Between,
    PositiveShare,
    ShareBelowOne,
)
from batchsel.core.target import Target
from batchsel.errors import UsageError, UserError, show, unknown_name
from batchsel.experiments.spec.budget import Budget
from batchsel.experiments.spec.settings import (
    declared_settings,
    one_of,
    readable,
    setting,
    within,
)
from batchsel.selectors.registry import plan_version

COMPILE_MODES = ("auto", "graph", "xla")
MOST_EVALUATIONS = 1_000_000
LABEL_NOISE_KINDS = ("symmetric", "asymmetric")


def _check_schedule(text: str) -> None:
    if not text.strip():
        raise UsageError("schedule is empty. Say 'constant' for a learning rate that stays as it is.")
    schedules.check(text)


def _check_devices(text: str) -> None:
    if text != "all" and not (text.isdecimal() and int(text) > 0):
        raise UsageError(f"devices must be a whole number of at least 1 or all, got {show(text)}.")


def _check_accumulate(text: str) -> None:
    schedules.check_accumulation(text or "1")


@dataclass(frozen=True)
class RunSpec:
    """Settings that the results of a run depend on.

    Each field is declared once, with its help text: command line options, environment variables, keys of configuration
    files and cards, checks, digests and the keys of cached data and trainers are derived from it. A new setting is
    one more field here, and its use.

    Raises:
        UsageError: If a setting is impossible; all problems are listed.

    Example:
        >>> RunSpec("digits", "mlp", "random", 32, "adam", 1e-3, "linear", "20 passes", "accuracy>=0.9").identity()
        'digits-random-0-...'
    """

    dataset: str = setting(
        help="Data set: a name, see `batchsel datasets list`; or ./mine.csv:label, ./photos, ./mine.txt,"
        " ./mine.py:load, tfds:NAME.",
        changes_data=True,
        from_card=lambda card: card.name,
    )
    model: str = setting(
        help="Model, as in mlp or 'mlp(hidden=[64, 64])' or ./mine.py:build.",
        from_card=lambda card: card.defaults.model,
        tunable=True,
    )
    selector: str = setting(
        help="Selector: a name or a pipe, see `batchsel selectors list`; or ./mine.py:Mine.",
        from_card=lambda card: "random",
        tunable=True,
    )
    batch_size: int = setting(
        help="Samples per step.",
        checks=(within(Annotated[int, Between(1, INT32)]),),
        from_card=lambda card: card.defaults.batch_size,
        tunable=True,
    )
    optimizer: str = setting(
        help="Optimizer, as in adam or 'sgd(momentum=0.9)'.",
        from_card=lambda card: card.defaults.optimizer,
        tunable=True,
    )
    learning_rate: float = setting(
        help="Peak learning rate.",
        checks=(within(Annotated[float, Between(0, FLOAT32, lower_open=True)]),),
        from_card=lambda card: card.defaults.learning_rate,
        recompiles=False,
        tunable=True,
    )
    schedule: str = setting(
        help="Learning rate over the budget, as in 'cosine | warmup(0.05)'; see `batchsel schedules list`.",
        checks=(readable(_check_schedule),),
        from_card=lambda card: card.defaults.schedule,
        tunable=True,
    )
    budget: str = setting(
        help="'8 passes', '480000 samples', '8 epochs' of the selector (as Keras counts them) or '30 seconds'.",
        checks=(readable(Budget.parse),),
        from_card=lambda card: str(Budget(card.defaults.budget, "passes")),
        recompiles=False,
        tunable=True,
    )
    target: str = setting(
        help="As in 'accuracy>=0.91', 'loss<=0.3', or a level of the card: easy, medium, hard.",
        checks=(readable(Target.parse),),
        from_card=lambda card: card.target,
        recompiles=False,
    )
    seed: int = setting(
        0,
        help="Seed of initial weights and all choices; the split is the same for all seeds.",
        checks=(within(Annotated[int, Between(0, INT32)]),),
        record_default=True,
        recompiles=False,
    )
    evaluations: int = setting(
        40,
        help="Evaluations over the budget, evenly spaced.",
        checks=(within(Annotated[int, Between(1, MOST_EVALUATIONS)]),),
        record_default=True,
        recompiles=False,
    )
    evaluate_every: float = setting(
        0.0,
        help="Passes (with a budget in epochs, these) between evaluations; 0 to follow --evaluations.",
        checks=(within(Annotated[float, Between(0, MOST_PASSES)]),),
        record_default=True,
        recompiles=False,
    )
    run_on: bool = setting(
        False,
        help="Go on to the end of the budget once the target is reached, or stop there.",
        option="--run-on/--stop-at-target",
        shown_default="stop at the target; in comparisons and experiments, run on",
        record_default=True,
        recompiles=False,
    )
    compile: str = setting(
        "auto",
        help="Compilation of the loop: auto, graph or xla.",
        checks=(one_of(COMPILE_MODES),),
        record_default=True,
    )
    deterministic: bool = setting(False, help="Make TensorFlow's operations deterministic.", record_default=True)
    mixed_precision: bool = setting(False, help="Compute in 16 bits where that is safe.", record_default=True)
    cut_padding: bool = setting(
        False,
        help="Cut batches of padded sequences to the longest in them.",
        from_card=lambda card: card.defaults.cut_padding,
    )
    label_noise: float = setting(
        0.0,
        help="Share of the training labels made wrong on purpose, always the same.",
        checks=(within(ShareBelowOne),),
        recompiles=False,
        changes_data=True,
    )
    label_noise_kind: str = setting(
        "symmetric",
        help="Kind of wrong labels: symmetric (any other class) or asymmetric (the next class).",
        checks=(one_of(LABEL_NOISE_KINDS),),
        recompiles=False,
        changes_data=True,
    )
    imbalance: float = setting(
        1.0,
        help="Size of the first training class over that of the last; 1 leaves the data as they are.",
        checks=(within(AtLeastOne),),
        changes_data=True,
    )
    train_share: float = setting(
        1.0,
        help="Share of the training part to train on, always the same samples.",
        checks=(within(PositiveShare),),
        changes_data=True,
    )
    label_smoothing: float = setting(
        0.0,
        help="Label smoothing, applied to the training loss only.",
        checks=(within(ShareBelowOne),),
    )
    augment: str = setting(
        "",
        help="Augmentations of the training samples, as in 'crop(4) | flip'; see `batchsel augmentations list`.",
        from_card=lambda card: card.defaults.augment,
        tunable=True,
    )
    curriculum: str = setting(
        "",
        help="Change of inputs over the budget, as in 'blur(sigma=1.0, until=0.2)'; see `batchsel curricula list`.",
    )
    accumulate: str = setting(
        "",
        help="Batches per update: 4, or growing as in 'grow(2, at=[0.5, 0.75])'.",
        checks=(readable(_check_accumulate),),
        shown_default="1",
    )
    devices: str = setting(
        "1",
        help="GPUs of this host that train the model together: a number, or all.",
        checks=(readable(_check_devices),),
    )
    source: str = setting(
        "",
        help="Hash of the files behind data without a card.",
        option=None,
        from_card=lambda card: card.content.get("source", ""),
        recompiles=False,
        changes_data=True,
    )
    plan_version: str = setting(
        "",
        help="Versions of the parts of selector and accumulation that have changed since they were first recorded.",
        option=None,
        recompiles=False,
    )
    code: str = setting(
        "",
        help="Hashes of the Python files that other settings name.",
        option=None,
    )

    def __post_init__(self) -> None:
        versions = plan_version(str(self.selector)), schedules.accumulation_version(str(self.accumulate))
        object.__setattr__(self, "plan_version", ", ".join(filter(None, versions)))
        problems = [
            problem for each in declared_settings(type(self)) for problem in each.problems(getattr(self, each.name))
        ]
        if problems:
            raise UsageError(" ".join(problems))
        if Budget.parse(self.budget).unit != "seconds":
            return
        timed = self.augment if "during(" in self.augment else ""
        if self.curriculum or timed or "grow" in self.accumulate:
            raise UsageError(
                f"what changes over the budget ({self.curriculum or timed or self.accumulate}) follows samples trained"
                f" on, which a budget of {self.budget} does not fix. Give the budget in passes or samples."
            )
        if not schedules.is_constant(self.schedule):
            raise UsageError(
                f"schedule {self.schedule!r} follows samples trained on, which a budget of {self.budget} does not"
                " fix. Give the budget in passes or samples, or use --schedule constant."
            )

    def values(self) -> dict[str, Any]:
        """Return settings by name as plain values, without the defaults that are not recorded."""
        values = dataclasses.asdict(self)
        return {
            each.name: values[each.name]
            for each in declared_settings(type(self))
            if each.facts.record_default or values[each.name] != each.default
        }

    def digest(self) -> str:
        """Return the SHA-256 of all settings, 64 hexadecimal digits."""
        return hashlib.sha256(json.dumps(self.values(), sort_keys=True).encode()).hexdigest()

    def identity(self) -> str:
        """Return a name for files: data set, selector, seed and the start of the digest."""
        selector = re.sub(r"[^A-Za-z0-9_]+", "-", self.selector.split("(")[0]).strip("-")[:40]
        dataset = re.sub(r"[^A-Za-z0-9_]+", "-", self.dataset).strip("-")
        return f"{dataset}-{selector}-{self.seed}-{self.digest()[:8]}"

    def data_key(self) -> tuple[Any, ...]:
        """Return the values that the data of the run depend on."""
        return tuple(getattr(self, each.name) for each in declared_settings(type(self)) if each.facts.changes_data)

    def trainer_key(self) -> tuple[Any, ...]:
        """Return the values that a trainer is compiled for: runs with the same ones can share it."""
        return tuple(getattr(self, each.name) for each in declared_settings(type(self)) if each.facts.recompiles)


def read_file(path: str | Path) -> dict[str, Any]:
    """Read settings from a TOML file.

    Args:
        path: The file; its keys are the names of settings.

    Raises:
        UsageError: If it cannot be read, or has an unknown key.
    """
    try:
        check_is_file(path, allow_shell_pipes=True)
        values = parse_toml(Path(path).read_bytes(), f"the configuration {path}")
    except UserError as error:
        raise UsageError(str(error)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", error)
        raise UsageError(f"cannot read the configuration {show(str(path))}: {reason}.") from None
    known = [each.name for each in declared_settings(RunSpec)]
    for key, value in values.items():
        if key not in known:
            raise UsageError(f"{path}: {unknown_name('setting', key, known)}")
        if not isinstance(value, str | int | float):
            raise UsageError(f"{path}: {key} cannot be {show(value)}; a setting is a text, a number or true or false.")
    return values


def read_spec(path: str | Path) -> RunSpec:
    """Read the complete settings of a run from a TOML file, such as that of an interrupted run.

    Args:
        path: The file.

    Raises:
        UsageError: If it cannot be read, or a setting is missing, unknown or wrong.
    """
    values = read_file(path)
    missing = [each.name for each in declared_settings(RunSpec) if each.default is MISSING and each.name not in values]
    if missing:
        raise UsageError(f"{path} lacks the setting {', '.join(missing)}. Restore the file, or start a new run.")
    try:
        return RunSpec(**values)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def to_toml(spec: RunSpec) -> str:
    """Return a spec as TOML that `read_file` reads."""
    import tomli_w

    return tomli_w.dumps(spec.values())
