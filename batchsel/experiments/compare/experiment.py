"""Experiment: question, data sets, arms, seeds and budget, stated before anything is run. Needs no TensorFlow."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from statistics import mean, median
from typing import Any

from batchsel.cards.experiment_cards import BASELINE, CONTROLS, ExperimentCard
from batchsel.errors import UsageError
from batchsel.experiments.run.arms import PRUNING_SHARE, Arm, Job, Role, record_key
from batchsel.experiments.spec.budget import Budget
from batchsel.experiments.spec.dataset_lookup import check_target, find_card
from batchsel.experiments.spec.resolve import resolve
from batchsel.experiments.spec.run_spec import RunSpec
from batchsel.schedules import is_constant

MAX_SEEDS = 1_000_000
"""Largest number of seeds; tuning uses those from here on."""


@dataclass(frozen=True)
class Experiment:
    """Arms to be compared with a baseline, mostly shuffling, on paired seeds.

    Args:
        name: Name of its folder.
        question: Question that it is to answer.
        datasets: Names of the data sets.
        arms: Settings of each arm by name; at least its selector. The baseline "random" is added if it is missing.
        seeds: Seeds that all arms are run on.
        settings: Settings of all arms, which win over the cards' defaults.
        controls: Controls to run, of `CONTROLS`.
        tuned: Settings that tuning found for each data set and arm; they win over all others.
        baseline: Name of the arm that the others are compared with.
        levels: Level of each factor, for each arm built from factors.

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
        if not self.datasets or not self.seeds or not self.arms:
            raise UsageError("an experiment needs a data set, a seed, and an arm.")
        if len(self.seeds) > MAX_SEEDS:
            raise UsageError(f"an experiment has at most {MAX_SEEDS:,} seeds, got {len(self.seeds):,}.")
        if self.baseline != BASELINE and self.baseline not in self.arms:
            raise UsageError(f"the baseline {self.baseline!r} is not one of the arms: {', '.join(self.arms)}.")
        if self.repeat_name in self.arms:
            raise UsageError(f"the name {self.repeat_name!r} is that of a control. Give the arm another one.")
        for name, arm in self.arms.items():
            if "seed" in arm or "dataset" in arm:
                raise UsageError(f"arm {name!r}: seeds and data sets are those of the experiment, not of an arm.")
        first = self.arms.get(self.baseline, {"selector": "random"})
        if not set(self.arms) - {self.baseline}:
            object.__setattr__(self, "controls", ())  # one strategy on several seeds claims nothing to be controlled
        object.__setattr__(self, "arms", {self.baseline: first, **self.arms})

    @classmethod
    def from_card(cls, card: ExperimentCard, seeds: int | None = None) -> Experiment:
        """Return the experiment that a card states.

        Args:
            card: The card, or its scaled form.
            seeds: Number of seeds, or None for the card's.
        """
        own = {name: getattr(card, name) for name in ("settings", "controls", "baseline", "levels")}
        return cls(card.name, card.question, card.datasets, card.arms, range(seeds or card.seeds), **own)

    @property
    def repeat_name(self) -> str:
        """Name of the control that runs the baseline once more."""
        return f"{self.baseline} again"

    def digest(self) -> str:
        """Return the start of a SHA-256 over everything but the seeds, so that seeds can be added."""
        arms = {name: dict(arm) for name, arm in self.arms.items()}
        stated = [sorted(self.datasets), arms, dict(self.settings), self.tuned]
        stated += [self.baseline] if self.baseline != BASELINE else []
        return hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()[:8]

    def jobs(self) -> list[Job]:
        """Return the runs of the baseline (twice, if that control is on) and the arms, shuffled within each seed.

        Raises:
            UserError: If a setting is wrong or a name unknown.
        """
        jobs = []
        for dataset in self.datasets:
            specs = self.first_specs(dataset)
            for seed in self.seeds:
                block = [
                    # Settings depend on the seed in nothing else, and to resolve them takes longer than to copy them.
                    Job(arm, dataclasses.replace(spec, seed=seed), seed == self.seeds[0])
                    for arm, spec in specs.items()
                ]
                jobs += _shuffle(block, dataset, seed)
        return jobs

    def first_specs(self, dataset: str) -> dict[Arm, RunSpec]:
        """Return the settings of the first seed of the baseline, the arms, and the baseline once more if that is on.

        Args:
            dataset: Name of the data set.

        Raises:
            UserError: If a setting is wrong or a name unknown.
        """
        specs = {self._arm(name): self.spec(dataset, name, self.seeds[0]) for name in self.arms}
        if "again" in self.controls:
            again = Arm(self.repeat_name, Role.CONTROL, "", self.baseline)
            specs[again] = next(spec for arm, spec in specs.items() if arm.name == self.baseline)
        return specs

    def spec(self, dataset: str, arm: str, seed: int, changes: Mapping[str, Any] | None = None) -> RunSpec:
        """Return the settings of a run.

        Args:
            dataset: Name of the data set.
            arm: Name of the arm.
            seed: The seed.
            changes: Settings that win over those of the arm, or None.
        """
        own = {**self.arms[arm], **self.tuned.get(dataset, {}).get(arm, {}), **(changes or {})}
        budget = Budget.parse(own.get("budget", self.settings.get("budget", 1)))
        if budget.unit in ("seconds", "epochs"):
            raise UsageError(
                f"arms are compared on a budget of passes or samples; one of {budget.unit} is not the same for all."
                " Give passes, as in '8 passes': for shuffling a pass is what Keras calls an epoch."
            )
        given = {"run_on": True, **self.settings, **own, "dataset": dataset, "seed": seed}
        check_target(dataset, given.get("target"))
        card = find_card(dataset)
        spec = resolve(given, {}, card)
        if not spec.evaluate_every:
            return resolve({**given, "evaluate_every": _evaluation_interval(spec, card)}, {}, card)
        return spec

    def control_jobs(self, records: Sequence[Mapping[str, Any]]) -> list[Job]:
        """Return the runs of the controls that depend on the results of the arms.

        Args:
            records: Records of the jobs of `jobs`.
        """
        known = {(record["spec"]["dataset"], *record_key(record)) for record in records}
        jobs = []
        for dataset in self.datasets:
            controls = self._controls(dataset, [record for record in records if record["spec"]["dataset"] == dataset])
            # Settings depend on the seed in nothing else, as in `jobs`.
            base = self.spec(dataset, self.baseline, self.seeds[0])
            specs = [
                (arm, dataclasses.replace(self.spec(dataset, source, self.seeds[0]), **changes))
                for arm, source, changes in controls
            ]
            for seed in self.seeds:
                if (dataset, self.baseline, dataclasses.replace(base, seed=seed).digest()) not in known:
                    continue
                block = [Job(arm, dataclasses.replace(spec, seed=seed)) for arm, spec in specs]
                jobs += _shuffle(block, dataset, seed)
        return jobs

    def _controls(self, dataset: str, records: Sequence[Mapping[str, Any]]) -> list[tuple[Arm, str, dict[str, Any]]]:
        """Return the controls of a data set, each with the arm whose settings it has, and its changes to them."""
        # Arms may train on other shares of the data; the controls but one are the baseline's.
        n = next((record["sizes"]["train"] for record in records if record["arm"]["name"] == self.baseline), 1)
        base = self.spec(dataset, self.baseline, self.seeds[0])
        controls = []
        for name in self.arms:
            mine = [record for record in records if record["arm"]["name"] == name]
            if name == self.baseline or not mine:
                continue
            limit = _horizon(mine, base.evaluate_every * n)
            is_shorter = not is_constant(base.schedule) and limit < Budget.parse(base.budget).samples(n)
            if "horizon" in self.controls and is_shorter:
                arm = Arm(f"{self.baseline}, horizon of {name}", Role.CONTROL, name, self.baseline)
                controls.append((arm, self.baseline, {"budget": f"{limit} samples"}))
            kept = round(sum(record["kept"] for record in mine) / len(mine), 2)
            if kept >= PRUNING_SHARE:
                continue
            if "rs2" in self.controls:
                arm = Arm(f"rs2, share of {name}", Role.CONTROL, name, self.baseline)
                controls.append((arm, self.baseline, {"selector": f"rs2({kept})"}))
            if "schedule" in self.controls and (shares := _pass_shares(mine)):
                levels = dict(self.levels.get(name, {}))
                arm = Arm(f"random, schedule of {name}", Role.CONTROL, name, self.baseline, levels)
                # Settings of the arm itself, so that nothing differs but which samples are chosen.
                controls.append((arm, name, {"selector": f"scheduled_subset({shares})"}))
        return controls

    def _arm(self, name: str) -> Arm:
        levels = dict(self.levels.get(name, {}))
        if name == self.baseline:
            return Arm(name, Role.BASELINE, levels=levels)
        return Arm(name, Role.ARM, against=self.baseline, levels=levels)


def _evaluation_interval(spec: RunSpec, card: Any) -> float:
    """Return passes between evaluations, so that an arm with another budget is evaluated as often."""
    n = max(1, round(card.sizes.train * spec.train_share))
    return Budget.parse(spec.budget).samples(n) / n / spec.evaluations


def _horizon(records: Sequence[Mapping[str, Any]], every: float) -> int:
    """Return the samples that an arm typically needs: up to its crossing, and the evaluation that confirmed it."""
    needed = [(record["crossing"] or record["counts"])["samples"] for record in records]
    return math.ceil((math.ceil(median(needed) / every - 1e-9) + 1) * every)


def _pass_shares(records: Sequence[Mapping[str, Any]]) -> list[float]:
    """Return the share of the data that each pass of an arm held, the mean over seeds; empty if that is not recorded.

    Passes that only some seeds came to are those of these seeds.
    """
    runs = [[size / record["sizes"]["train"] for size in record.get("pass_samples", ())] for record in records]
    means = [mean(share for share in shares if share is not None) for shares in zip_longest(*runs)]
    return [min(1.0, max(round(share, 3), 0.001)) for share in means]


def _shuffle(jobs: list[Job], dataset: str, seed: int) -> list[Job]:
    return random.Random(f"batchsel order {dataset} {seed}").sample(jobs, len(jobs))
