"""Text forms that were accepted, built by TensorFlow: what was checked before must not fail then."""

from __future__ import annotations

import contextlib
from pathlib import Path
from random import Random
from typing import Any

from batchsel.errors import UserError
from fuzzing.harness import Target
from fuzzing.written import REGISTRIES, random_call


def write_form(folder: Path, random: Random) -> tuple[str, str]:
    """Return a kind and a text form that its check accepts."""
    kind = random.choice(["selector", "schedule", "augmentation", "curriculum"])
    registry, check = REGISTRIES[kind]
    for _ in range(30):
        text = " | ".join(random_call(registry, random) for _ in range(random.choice([1, 1, 2])))
        with contextlib.suppress(UserError):
            check(text)
            break
    return kind, text


def build(made: tuple[str, str]) -> Any:
    """Build the object that a text form stands for, and write it as a text again."""
    from batchsel.schedules.resolver import schedule
    from batchsel.selectors.resolver import resolve as selector
    from batchsel.transforms.augmentation.resolver import resolve as augmentation
    from batchsel.transforms.curricula.resolver import resolve as curriculum

    kind, text = made
    resolvers = {"selector": selector, "schedule": schedule, "augmentation": augmentation, "curriculum": curriculum}
    return repr(resolvers[kind](text))


def prepare() -> None:
    """Import what all of them need."""
    for kind, text in (
        ("selector", "random"),
        ("schedule", "linear"),
        ("augmentation", "flip"),
        ("curriculum", "blur"),
    ):
        build((kind, text))


BUILT = Target("text forms, built", write_form, build, prepare=prepare)
