"""An experiment: question, data sets, arms, seeds and budget, stated before anything is run. Needs no TensorFlow."""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from batchsel.cards.experiment_cards import BASELINE, CONTROLS, ExperimentCard
from batchsel.errors import UsageError
from batchsel.experiments.compare import arms as roles
from batchsel.experiments.compare.arms import Arm
from batchsel.experiments.compare.jobs import Job, key_of
from batchsel.experiments.spec import dataset_lookup
from batchsel.experiments.spec.budget import Budget
from batchsel.experiments.spec.card_settings import resolve
from batchsel.experiments.spec.spec import RunSpec
from batchsel.schedules import is_constant

_PRUNES = 0.95
"""An arm that keeps less than this share of the data is compared with a random part of that size."""


@dataclass(frozen=True)
class Experiment:
    """Arms to be compared with a baseline, mostly shuffling, on paired seeds.

    Args:
        name: Name of its folder.
        question: What it is to answer.
        datasets: Names of the data sets.
        arms: Settings of each arm by name; at least its selector. The baseline "random" is added if it is missing.
        seeds: Seeds that all arms are run on.
        settings: Settings of all arms, over the cards' defaults.
        controls: Of `CONTROLS` those that are run too.
        tuned: For each data set and arm the settings that tuning found, over all others.
        baseline: Name of the arm that the others are compared with.
        levels: Of each arm made by factors, the level of each factor.

    Raises:
        UsageError: If there is nothing to compare, or a name is taken.

    Example:
        >>> experiment = Experiment("try", "?", ("digits",), {"smart": {"selector": "smart"}}, (0, 1))
        >>> sorted(experiment.arms)
        ['random', 'smart']
    """

    name: str
    question: str
    datasets: Sequence[str]
    arms: Mapping[str, Mapping[str, Any]]
    seeds: Sequence[int]
    settings: Mapping[str, Any] = field(default_factory=dict)
    controls: Sequence[str] = CONTROLS
    tuned: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    baseline: str = BASELINE
    levels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.datasets or not self.seeds or not set(self.arms) - {self.baseline}:
            raise UsageError(f"an experiment needs a data set, a seed, and an arm besides {self.baseline}.")
        if self.baseline != BASELINE and self.baseline not in self.arms:
            raise UsageError(f"the baseline {self.baseline!r} is none of the arms: {', '.join(self.arms)}.")
        if self.again in self.arms:
            raise UsageError(f"the name {self.again!r} is that of a control; give the arm another one.")
        for name, arm in self.arms.items():
            if "seed" in arm or "dataset" in arm:
                raise UsageError(f"arm {name!r}: seeds and data sets are those of the experiment, not of an arm.")
        first = self.arms.get(self.baseline, {"selector": "random"})
        object.__setattr__(self, "arms", {self.baseline: first, **self.arms})

    @classmethod
    def of(cls, card: ExperimentCard, seeds: int | None = None) -> Experiment:
        """What a card states.

        Args:
            card: The card, or its scaled form.
            seeds: How many seeds, or None for the card's.
        """
        own = {name: getattr(card, name) for name in ("settings", "controls", "baseline", "levels")}
        return cls(card.name, card.question, card.datasets, card.arms, range(seeds or card.seeds), **own)

    @property
    def again(self) -> str:
        """The name of the control that runs the baseline once more."""
        return f"{self.baseline} again"

    def digest(self) -> str:
        """The start of a SHA-256 over everything that is stated but seeds, so that seeds can be added."""
        arms = {name: dict(arm) for name, arm in self.arms.items()}
        stated = [sorted(self.datasets), arms, dict(self.settings), self.tuned]
        stated += [self.baseline] if self.baseline != BASELINE else []
        return hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()[:8]

    def jobs(self) -> list[Job]:
        """The runs of the baseline (twice, if that is wanted) and of the arms, in random order within each seed.

        Raises:
            UserError: If a setting is wrong or a name unknown.
        """
        arms = [self._arm(name) for name in self.arms]
        if "again" in self.controls:
            arms.append(Arm(self.again, roles.CONTROL, "", self.baseline))
        found = []
        for dataset in self.datasets:
            for seed in self.seeds:
                found += _shuffled(
                    [Job(arm, self._own(dataset, arm.name, seed), seed == self.seeds[0]) for arm in arms], dataset, seed
                )
        return found

    def spec(self, dataset: str, arm: str, seed: int, changes: Mapping[str, Any] | None = None) -> RunSpec:
        """The settings of a run.

        Args:
            dataset: Name of the data set.
            arm: Name of the arm.
            seed: The seed.
            changes: Settings over those of the arm, or None.
        """
        own = {**self.arms[arm], **self.tuned.get(dataset, {}).get(arm, {}), **(changes or {})}
        if Budget.parse(own.get("budget", self.settings.get("budget", 1))).unit == "seconds":
            raise UsageError(
                "arms are compared on a budget of passes or samples; one of seconds is not the same for all."
            )
        given = {"run_on": True, **self.settings, **own, "dataset": dataset, "seed": seed}
        card = dataset_lookup.card_of(dataset)
        spec = resolve(given, card)
        if not spec.evaluate_every:
            return resolve({**given, "evaluate_every": _grid(spec, card)}, card)
        return spec

    def control_jobs(self, records: Sequence[Mapping[str, Any]]) -> list[Job]:
        """The runs of the controls that depend on how the arms did.

        Args:
            records: Of the jobs of `jobs`.
        """
        known = {(record["spec"]["dataset"], *key_of(record)) for record in records}
        found = []
        for dataset in self.datasets:
            arms = self._controls(dataset, [record for record in records if record["spec"]["dataset"] == dataset])
            for seed in self.seeds:
                if (dataset, self.baseline, self.spec(dataset, self.baseline, seed).digest()) not in known:
                    continue
                jobs = [Job(arm, self._changed(dataset, seed, changes)) for arm, changes in arms]
                found += _shuffled(jobs, dataset, seed)
        return found

    def _controls(self, dataset: str, records: Sequence[Mapping[str, Any]]) -> list[tuple[Arm, dict[str, Any]]]:
        # Arms may train on other shares of the data; the controls are the baseline's.
        n = next((record["sizes"]["train"] for record in records if record["arm"]["name"] == self.baseline), 1)
        base = self.spec(dataset, self.baseline, self.seeds[0])
        found = []
        for name in self.arms:
            mine = [record for record in records if record["arm"]["name"] == name]
            if name == self.baseline or not mine:
                continue
            limit = _horizon(mine, base.evaluate_every * n)
            if (
                "horizon" in self.controls
                and not is_constant(base.schedule)
                and limit < Budget.parse(base.budget).samples(n)
            ):
                arm = Arm(f"{self.baseline}, horizon of {name}", roles.CONTROL, name, self.baseline)
                found.append((arm, {"budget": f"{limit} samples"}))
            kept = round(sum(record["kept"] for record in mine) / len(mine), 2)
            if "rs2" in self.controls and kept < _PRUNES:
                arm = Arm(f"rs2, share of {name}", roles.CONTROL, name, self.baseline)
                found.append((arm, {"selector": f"rs2({kept})"}))
        return found

    def _arm(self, name: str) -> Arm:
        levels = dict(self.levels.get(name, {}))
        if name == self.baseline:
            return Arm(name, roles.BASELINE, levels=levels)
        return Arm(name, roles.ARM, against=self.baseline, levels=levels)

    def _own(self, dataset: str, arm: str, seed: int) -> RunSpec:
        return self.spec(dataset, self.baseline if arm == self.again else arm, seed)

    def _changed(self, dataset: str, seed: int, changes: Mapping[str, Any]) -> RunSpec:
        base = self.spec(dataset, self.baseline, seed)
        return RunSpec(**{**base.values(), **changes})


def _grid(spec: RunSpec, card: Any) -> float:
    """Passes between evaluations, so that an arm with another budget is looked at as often."""
    n = max(1, round(card.sizes.train * spec.train_share))
    return Budget.parse(spec.budget).samples(n) / n / spec.evaluations


def _horizon(records: Sequence[Mapping[str, Any]], every: float) -> int:
    """The samples that an arm typically needs: up to its crossing, and the evaluation that confirmed it."""
    needed = [(record["crossing"] or record["counts"])["samples"] for record in records]
    return math.ceil((math.ceil(median(needed) / every - 1e-9) + 1) * every)


def _shuffled(jobs: list[Job], dataset: str, seed: int) -> list[Job]:
    return random.Random(f"batchsel order {dataset} {seed}").sample(jobs, len(jobs))
