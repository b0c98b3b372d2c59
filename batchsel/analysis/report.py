"""The report: one HTML file with everything in it, made from records alone."""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batchsel.analysis import arrivals, chosen, curves, equal, spending
from batchsel.analysis.comparison import Analysis, analyse
from batchsel.analysis.levels import Estimates, estimate
from batchsel.analysis.outcomes import outcome
from batchsel.analysis.overall import overall
from batchsel.analysis.style import Look, svg
from batchsel.analysis.verdict import sentence, sentences, warnings

_TEMPLATE = "report.html.j2"
_MANY = 2


@dataclass(frozen=True)
class Picture:
    """A figure in the report.

    Args:
        name: Its name, as `batchsel plot` knows it.
        words: What it shows.
        svg: The element.
    """

    name: str
    words: str
    svg: str


def report(
    records: Sequence[Mapping[str, Any]],
    problems: Sequence[str] = (),
    failures: Sequence[Any] = (),
    estimates: Estimates | None = None,
) -> str:
    """The report as HTML.

    Args:
        records: Of runs that ended, any number of data sets and arms.
        problems: What was wrong with lines that were left out.
        failures: Records of runs that failed.
        estimates: What `estimate` makes of the records, if it is known already.
    """
    from jinja2 import Environment, select_autoescape

    template = importlib.resources.files("batchsel.analysis").joinpath(_TEMPLATE).read_text("utf-8")
    environment = Environment(autoescape=select_autoescape(default_for_string=True), trim_blocks=True)
    environment.filters["seconds"] = _seconds
    return environment.from_string(template).render(
        _context(records, problems, failures, estimates or estimate(records))
    )


def _context(
    records: Sequence[Mapping[str, Any]], problems: Sequence[str], failures: Sequence[Any], estimates: Estimates
) -> dict[str, Any]:
    analysis, others = estimates
    datasets = list(dict.fromkeys(record["spec"]["dataset"] for record in records))
    about = next((record["about"] for record in records if record.get("about")), {})
    return {
        "question": about.get("question") or f"Runs on {', '.join(datasets)}",
        "command": about.get("command"),
        "verdicts": _verdicts(analysis),
        "controls": [text for text in sentences(analysis) if text.startswith("control")],
        "problems": problems,
        "failures": failures,
        "sections": [_section(name, records, analysis) | {"levels": others.get(name)} for name in datasets],
        "aggregate": _aggregate(analysis) if len(datasets) >= _MANY else None,
        "environment": _environment(records),
        "runs": len(records),
        "started": min(record["started"] for record in records),
        "ended": max(record["started"] for record in records),
    }


def _verdicts(analysis: Analysis) -> list[tuple[str, str, list[str]]]:
    return [(item.verdict, sentence(item), warnings(item)) for item in analysis.comparisons if item.arm.role == "arm"]


def _section(dataset: str, records: Sequence[Mapping[str, Any]], analysis: Analysis) -> dict[str, Any]:
    mine = [record for record in records if record["spec"]["dataset"] == dataset]
    summaries = [item for item in analysis.summaries if item.dataset == dataset]
    pairs = {item.arm.arm: item for item in analysis.comparisons if item.dataset == dataset}
    arms = grouped(mine, [item.arm for item in summaries])
    first = next(iter(arms.values()))
    return {
        "name": dataset,
        "target": first[0]["spec"]["target"],
        "limit": summaries[0].limit,
        "rows": [(item, pairs.get(item.arm)) for item in summaries],
        "equal": equal.table(arms),
        "pictures": pictures(arms, Look(arms)),
        "spec": first[0]["spec"],
        "differences": _differences(arms),
        "sizes": first[0]["sizes"],
        "parameters": first[0].get("parameters"),
    }


def _differences(arms: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, str]:
    """What each arm sets otherwise than the first one."""
    base, *_ = arms.values()
    found = {}
    for name, (record, *_) in arms.items():
        other = {key: value for key, value in record["spec"].items() if value != base[0]["spec"].get(key)}
        found[name] = ", ".join(f"{key} = {value}" for key, value in other.items() if key != "seed")
    return {name: text for name, text in found.items() if text}


def grouped(records: Sequence[Mapping[str, Any]], order: Sequence[str]) -> dict[str, list[Mapping[str, Any]]]:
    """Records by arm.

    Args:
        records: Of one data set.
        order: Names of the arms as they are to be shown.
    """
    found: dict[str, list[Mapping[str, Any]]] = {name: [] for name in order}
    for record in records:
        found[record["arm"]["name"]].append(record)
    return found


def pictures(arms: Mapping[str, Sequence[Mapping[str, Any]]], look: Look) -> list[Picture]:
    """All figures that the records of a data set allow.

    Args:
        arms: Records of each arm.
        look: Colours.
    """
    found = []
    for name, (words, draw) in FIGURES.items():
        made = draw(arms, look)
        if made is not None:
            dataset = next(iter(arms.values()))[0]["spec"]["dataset"]
            found.append(Picture(name, words, svg(made, f"{dataset}: {words}")))
    return found


def _outcomes(arms: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, list[Any]]:
    return {name: [outcome(record) for record in records] for name, records in arms.items()}


def _target(arms: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    return next(iter(arms.values()))[0]["spec"]["target"]


def _ratios(arms: Mapping[str, Sequence[Mapping[str, Any]]], look: Look) -> Any:
    comparisons = analyse([record for records in arms.values() for record in records]).comparisons
    return arrivals.draw_ratios(comparisons, look) if comparisons else None


FIGURES = {
    "ratios": ("time and samples ratio of each arm to its baseline, with 95 % intervals", _ratios),
    "curves": (
        "mean over seeds of the target's metric, with 95 % bands, over seconds, samples and passes",
        lambda arms, look: curves.draw_courses(arms, _target(arms), look),
    ),
    "survival": (
        "Kaplan-Meier curves: share of the runs that have reached the target",
        lambda arms, look: arrivals.draw_survival(_outcomes(arms), look),
    ),
    "strip": ("every run: when it reached the target", lambda arms, look: arrivals.draw_strip(_outcomes(arms), look)),
    "time": ("where the time of a run went", lambda arms, look: spending.draw_spending(arms)),
    "visits": ("how often samples were trained on in a run", spending.draw_visits),
    "kept": ("share of the data that each arm kept", spending.draw_kept),
    "learning_rate": ("the learning rate", curves.draw_learning_rates),
    "images": ("the samples that were chosen most and least often", chosen.draw_images),
    "plane": ("what was chosen where, and the decision boundary at the end", chosen.draw_plane),
}
"""Every figure by name: what it shows, and the function of records by arm and colours that draws it."""


def _aggregate(analysis: Analysis) -> dict[str, Any]:
    rows = overall(analysis)
    made = arrivals.draw_profiles({row.arm: row.profile for row in rows}, Look(row.arm for row in rows))
    words = "performance profiles: on which share of the data sets an arm is within a factor of the best"
    return {"rows": rows, "picture": Picture("profiles", words, svg(made, words))}


def _environment(records: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What the runs were made with; every value that occurs."""
    found: dict[str, list[str]] = {}
    for record in records:
        machine = {key: value for key, value in record["machine"].items() if key != "load"}
        for key, value in {**record["versions"], **machine, "XLA": record.get("xla")}.items():
            text = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
            text = ", ".join(map(str, value)) if isinstance(value, list) else text
            if text not in found.setdefault(key, []):
                found[key].append(text)
    loads = [record["machine"]["load"] for record in records if record["machine"].get("load") is not None]
    load = {"load average": f"{min(loads):.2f} to {max(loads):.2f}"} if loads else {}
    return {key: "; ".join(values) for key, values in found.items()} | load


def _seconds(value: float | None) -> str:
    return "–" if value is None or value == float("inf") else f"{value:.3g}"
