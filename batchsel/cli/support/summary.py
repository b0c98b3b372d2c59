"""Summary of a run in a few lines."""

from __future__ import annotations

from dataclasses import MISSING
from pathlib import Path
from typing import Any

from batchsel.cli.support.display import COUNTED
from batchsel.experiments.spec.run_spec import RunSpec
from batchsel.experiments.spec.settings import declared_settings

_SHOWN = {"seed", "run_on"}
"""Settings that have a place in the description of a run."""


def describe(spec: RunSpec, config: Path) -> list[str]:
    """Return what a run is about to do, three lines of text: data and model, training, and its end.

    Args:
        spec: The settings.
        config: File that holds all of them.

    Example:
        >>> spec = RunSpec("digits", "mlp", "random", 32, "adam", 1e-3, "linear", "20 passes", "accuracy>=0.9")
        >>> for line in describe(spec, Path("runs/mine/config.toml")):
        ...     print(line)
        digits: mlp, selector random, seed 0
        adam, learning rate 0.001, linear, batches of 32
        to accuracy>=0.9 in 20 passes at most; all settings: runs/mine/config.toml
    """
    usual = f"learning rate {spec.learning_rate:g}, {spec.schedule}, batches of {spec.batch_size}"
    ends = "for {0.budget}, past {0.target}" if spec.run_on else "to {0.target} in {0.budget} at most"
    return [
        f"{spec.dataset}: {spec.model}, selector {spec.selector}, seed {spec.seed}",
        ", ".join([spec.optimizer, usual, *_unusual(spec)]),
        f"{ends.format(spec)}; all settings: {config}",
    ]


def _unusual(spec: RunSpec) -> list[str]:
    """Return the other settings that are not at their defaults, in words."""
    found = []
    for each in declared_settings(RunSpec):
        value = getattr(spec, each.name)
        if each.default is MISSING or not each.option or each.name in _SHOWN or value == each.default:
            continue
        name = each.name.replace("_", " ")
        found.append(name if value is True else f"{name} {value}")
    return found


def summarize(record: dict[str, Any]) -> list[str]:
    """Return a summary of a run, lines of text.

    Args:
        record: The record of the run.
    """
    return [_headline(record), *_details(record), *_diagnostics(record), *_times(record)]


def _headline(record: dict[str, Any]) -> str:
    spec = record["spec"]
    name = f"{spec['dataset']}, {spec['selector']}, seed {spec['seed']}: {spec['target']}"
    if record["reached"]:
        return f"{name} reached after {record['crossing']['seconds']:.3g} s"
    return f"{name} NOT reached within {spec['budget']} ({record['seconds']['training']:.3g} s)"


def _details(record: dict[str, Any]) -> list[str]:
    point = record["crossing"] or {**record["counts"], **(record["evaluations"] or [{}])[-1]}
    passes = point["samples"] / record["sizes"]["train"]
    counts = f"{point['steps']:,} steps, {point['samples']:,} samples, {passes:.2f} passes"
    if point["scored"]:
        counts += f", {point['scored']:,} samples scored"
    where = "at the crossing" if record["reached"] else "at the end"
    return [
        f"  counts      {counts}",
        f"  validation  {_metrics(point)} ({where})",
        f"  test        {_metrics(record['test'])} (read once)",
        *_wrong_labels(record),
    ]


def _wrong_labels(record: dict[str, Any]) -> list[str]:
    if "wrong_labels" not in record:
        return []
    shares = record["wrong_labels"]
    return [f"  labels      {shares['data']:.1%} wrong on purpose, {shares['trained']:.1%} of those trained on"]


def _diagnostics(record: dict[str, Any]) -> list[str]:
    lines = []
    if "end" in record:
        end = record["end"]
        lines.append(f"  at the end  test {_metrics(end['test'])}; training {_metrics(end['train'])}")
    if record.get("noise_scale"):
        first, last = (_noise_scale(record["noise_scale"][place]) for place in (0, -1))
        lines.append(f"  noise scale {first}, then {last}")
    if record.get("snr", {}).get("stages"):
        stage = record["snr"]["stages"][0]
        known = [value for value in stage["db"] if value is not None] or [0.0]
        lines.append(
            f"  features    {min(known):.1f} to {max(known):.1f} dB {_when(stage)}, by layer, relative to the last"
        )
    return lines


def _noise_scale(stage: dict[str, Any]) -> str:
    value = "unknown (noise hides the gradient)" if stage["scale"] is None else f"{stage['scale']:,.3g} samples"
    return f"{value} {_when(stage)}"


def _when(stage: dict[str, Any]) -> str:
    return f"after {stage['samples']:,} samples" if stage["samples"] else "before training"


def _metrics(values: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {value:.4f}" for name, value in values.items() if name not in COUNTED and value is not None
    )


def _times(record: dict[str, Any]) -> list[str]:
    seconds = record["seconds"]
    training, selection = seconds["training"], sum(record["selection"].values())
    share = selection / max(training, 1e-9)
    outside = ", ".join(
        f"{name} {value:.2g} s" for name, value in seconds.items() if name != "training" and value >= 0.005
    )
    return [
        f"  clock       {training:.3g} s, including {selection:.2g} s of selection ({share:.1%}, timed separately)",
        *_stalls(record),
        f"  outside     {outside or 'nothing'}",
    ]


def _stalls(record: dict[str, Any]) -> list[str]:
    if "stalls" not in record:
        return []
    count, seconds = record["stalls"]["count"], record["stalls"]["seconds"]
    times = "once" if count == 1 else f"{count} times"
    return [
        f"  NOTE        the process stood still {times}, {seconds:.3g} s of these (stopped, or its machine was paused)"
    ]
