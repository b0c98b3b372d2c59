"""Readers of what people write: text forms, cards, configurations."""

from __future__ import annotations

import functools
import inspect
import tomllib
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from batchsel import cards, models, optimizers, schedules
from batchsel.core.parameters.ranges import Range
from batchsel.core.target import Target as Goal
from batchsel.experiments.compare.experiment import Experiment
from batchsel.experiments.spec import run_spec
from batchsel.experiments.spec.budget import Budget
from batchsel.experiments.spec.card_problems import dataset_problems, load_experiment_card
from batchsel.experiments.tuning import tuned_settings
from batchsel.models import REGISTRY as MODELS
from batchsel.schedules.registry import REGISTRY as SCHEDULES
from batchsel.selectors import text as selectors
from batchsel.selectors.registry import REGISTRY as SELECTORS
from batchsel.transforms.augmentation.registry import REGISTRY as AUGMENTATIONS
from batchsel.transforms.curricula.registry import REGISTRY as CURRICULA
from fuzzing.harness import Target
from fuzzing.mutations import WRONG, mutate_bytes, mutate_text, mutate_values

ROOT = Path(__file__).parents[3]
TEXTS: list[tuple[Callable[[str], object], str]] = [
    (selectors.check, "loss_ema(0.9) | cap(0.95, above='skip') | coverage(3) | weighted(beta=1.0, every=0.5)"),
    (selectors.check, "given('a|b.npy') | prune(0.5, below='mean') | keep(rescale=True, until=0.9)"),
    (schedules.check, "one_cycle(peak=0.05, momenta=[0.85, 0.95]) | warmup('5 passes', start='base')"),
    (schedules.base_learning_rate, "scale('linear', 256, 0.1) | step(at=[0.5, '8 passes'], times=0.1)"),
    (schedules.check_accumulation, "grow(3, at=[0.5, '3 passes'], start=2)"),
    (schedules.check_accumulation, "4"),
    (AUGMENTATIONS.check, "crop(4, fill='reflect') | jitter(0.4, white=1.0) | mixup(0.2)"),
    (CURRICULA.check, "blur(sigma=1.0, until=0.2, size=5) | resolution(0.5, multiple=4)"),
    (models.check, "mlp(hidden=[64, 64], activation='tanh')"),
    (optimizers.check, "sgd(momentum=0.9, nesterov=True, clipnorm=1.0)"),
    (Goal.parse, "accuracy>=0.91"),
    (Budget.parse, "480000 samples"),
    (Range.parse, "1e-4..1e-1"),
]
"""Text forms, each with the function that checks it before anything is imported."""
REGISTRIES = {
    "selector": (SELECTORS, selectors.check), "schedule": (SCHEDULES, schedules.check), "model": (MODELS, models.check),
    "augmentation": (AUGMENTATIONS, AUGMENTATIONS.check), "curriculum": (CURRICULA, CURRICULA.check),
}  # fmt: skip


def random_call(registry: Any, random: Random) -> str:
    """Return any name of a registry with values of any type for some of its parameters."""
    name = random.choice(list(registry.built_in_entries))
    signature = registry.signature(name) or inspect.Signature()
    given = []
    for parameter in signature.parameters.values():
        if parameter.name not in ("input_shape", "outputs") and random.random() < 0.4:
            value = random.choice(
                [parameter.default, random.choice(WRONG), random.choice([1, 2, 0.5, "5 passes", 2**63, [0.5]])]
            )
            given.append(f"{parameter.name}={_show(value)}" if random.random() < 0.8 else _show(value))
    return f"{name}({', '.join(given)})" if given else name


def _show(value: Any) -> str:
    try:
        return repr(value)
    except ValueError:  # Python writes no integer of more than 4,300 digits
        return "9" * 5000


def text_of(random: Random) -> tuple[Callable[[str], object], str]:
    """Return a text and the function that checks it."""
    if random.random() < 0.4:
        registry, check = random.choice(list(REGISTRIES.values()))
        texts = [random_call(registry, random) for _ in range(random.choice([1, 1, 2, 3]))]
        return check, " | ".join(texts if check is not models.check else texts[:1])
    check, text = random.choice(TEXTS)
    return check, mutate_text(text, random)


FORMS = Target("text forms", lambda folder, random: text_of(random), lambda made: made[0](made[1]), share=2.0)


def _write_toml(values: Any, path: Path, random: Random) -> None:
    """Write a table as TOML with a change of its values or of its text, or both."""
    import tomli_w

    text = tomli_w.dumps(values)
    for _ in range(random.choice([1, 1, 3])):
        values = mutate_values(values, random)
    try:
        text = tomli_w.dumps(values if isinstance(values, dict) else {"values": values})
    except (TypeError, ValueError, RecursionError):  # values that TOML has no form for
        text = mutate_text(text, random)
    if random.random() < 0.1:
        text = mutate_text(text, random)
    raw = text.encode("utf-8", "surrogatepass")
    path.write_bytes(mutate_bytes(raw, random) if random.random() < 0.1 else raw)


@functools.cache
def _cards(kind: str) -> list[tuple[str, dict[str, Any]]]:
    return [(path.stem, tomllib.loads(path.read_text("utf-8"))) for path in sorted((ROOT / kind).glob("*.toml"))]


def write_card(folder: Path, random: Random) -> tuple[str, Path]:
    """Write a changed card of batchsel."""
    kind = random.choice(["datasets", "experiments"])
    name, values = random.choice(_cards(kind))
    path = folder / f"{name}.toml"
    _write_toml(values, path, random)
    return kind, path


def read_card(made: tuple[str, Path]) -> None:
    """Read a card as commands do; of an experiment, also the settings of its runs."""
    kind, path = made
    if kind == "datasets":
        cards.load_file("datasets", path, dataset_problems)
        return
    card = load_experiment_card(str(path))
    for form in filter(None, (card, card.scaled)):
        experiment = Experiment.from_card(form)
        for arm in list(experiment.arms)[:3]:
            if set(experiment.datasets) <= {"digits", "mnist", "iris", "wine", "spirals", "fashion_mnist", "cifar10"}:
                experiment.spec(experiment.datasets[0], arm, 0)


CARDS = Target("cards", write_card, read_card, share=0.5)

SETTINGS = {
    "dataset": "digits", "model": "mlp", "selector": "loss_ema", "batch_size": 16, "optimizer": "adam", "learning_rate": 0.01,
    "schedule": "linear", "budget": "8 passes", "target": "accuracy>=0.9", "seed": 0, "augment": "", "accumulate": "2",
}  # fmt: skip
TUNED = {"stated": "abc", "digits": {"random": {"learning_rate": 0.1, "batch_size": 32}, "loss_ema": {"batch_size": 8}}}


def write_config(folder: Path, random: Random) -> tuple[Callable[[Path], object], Path]:
    """Write changed settings of a run, or tuned ones of several."""
    read = random.choice([run_spec.read_file, run_spec.read_spec, read_tuned])
    path = folder / "config.toml"
    _write_toml(TUNED if read is read_tuned else SETTINGS, path, random)
    return read, path


def read_tuned(path: Path) -> None:
    """Read tuned settings, and resolve those of each arm."""
    tuned = tuned_settings.read(path)
    experiment = Experiment("try", "?", ("digits",), {"loss_ema": {"selector": "loss_ema"}}, (0,), tuned=tuned)
    for arm in experiment.arms:
        experiment.spec("digits", arm, 0)


CONFIGS = Target("configurations", write_config, lambda made: made[0](made[1]))
