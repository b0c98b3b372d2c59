"""The report: one HTML file with everything in it, made from records alone."""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping, Sequence
from typing import Any

from batchsel.analysis import matched_budget
from batchsel.analysis.comparison import Analysis
from batchsel.analysis.overall import overall
from batchsel.analysis.plots import time_to_target
from batchsel.analysis.plots.figures import FIGURES, OF_STUDIES, RenderedFigure, grouped, pictures
from batchsel.analysis.plots.style import Palette, svg
from batchsel.analysis.studies.studies import without_studied
from batchsel.analysis.studies.study import SCALED, Study
from batchsel.analysis.target_levels import Estimates, estimate
from batchsel.analysis.verdict import sentence, sentences, warnings

_TEMPLATE = "report.html.j2"
_MANY = 2
_OF_SEEDS = {"ratios", "survival", "strip"}
_OF_ARMS = {"curves", "time", "visits", "kept"}


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
    from jinja2 import Environment, FunctionLoader, select_autoescape

    files = importlib.resources.files("batchsel.analysis.report")
    environment = Environment(
        loader=FunctionLoader(lambda name: files.joinpath(name).read_text("utf-8")),
        autoescape=select_autoescape(("html", "j2")),
        trim_blocks=True,
    )
    environment.filters["seconds"] = _seconds
    return environment.get_template(_TEMPLATE).render(
        _context(records, problems, failures, estimates or estimate(records, failures))
    )


def _context(
    records: Sequence[Mapping[str, Any]], problems: Sequence[str], failures: Sequence[Any], estimates: Estimates
) -> dict[str, Any]:
    analysis, others, studies = estimates
    plain = without_studied(analysis, studies)
    datasets = list(dict.fromkeys(record["spec"]["dataset"] for record in records))
    about = next((record["about"] for record in records if record.get("about")), {})
    return {
        "question": about.get("question") or f"Runs on {', '.join(datasets)}",
        "command": about.get("command"),
        "studies": studies,
        "stories": list(dict.fromkeys((study.form == SCALED, study.story) for study in studies)),
        "verdicts": _verdicts(plain),
        "controls": [text for text in sentences(plain) if text.startswith("control")],
        "problems": problems,
        "failures": failures,
        "sections": [_section(name, records, analysis, studies, others.get(name), failures) for name in datasets],
        "aggregate": _aggregate(plain) if len({item.dataset for item in plain.summaries}) >= _MANY else None,
        "environment": _environment(records),
        "runs": len(records),
        "started": min(record["started"] for record in records),
        "ended": max(record["started"] for record in records),
    }


def _verdicts(analysis: Analysis) -> list[tuple[str, str, list[str]]]:
    return [(item.verdict, sentence(item), warnings(item)) for item in analysis.comparisons if item.arm.role == "arm"]


def _section(
    dataset: str,
    records: Sequence[Mapping[str, Any]],
    analysis: Analysis,
    studies: Sequence[Study],
    levels: Any,
    failures: Sequence[Any],
) -> dict[str, Any]:
    mine = [record for record in records if record["spec"]["dataset"] == dataset]
    own = [study for study in studies if study.dataset == dataset]
    summaries = [item for item in analysis.summaries if item.dataset == dataset]
    pairs = {item.arm.arm: item for item in analysis.comparisons if item.dataset == dataset}
    arms = grouped(mine, [item.arm for item in summaries])
    palette, first = Palette(arms), next(iter(arms.values()))
    return {
        "name": dataset,
        "studies": own,
        "study_pictures": pictures(arms, palette, OF_STUDIES, failures),
        "read_again": any(record.get("end") for record in mine),
        "target": first[0]["spec"]["target"],
        "limit": None if summaries[0].mean_seconds is None else summaries[0].limit,
        # A study has another question; what its runs took to a target that none reached would be no detail of it.
        "rows": [(item, pairs.get(item.arm)) for item in summaries if not own or any(run["reached"] for run in mine)],
        "levels": None if own else levels,
        "equal": None if own else matched_budget.table(arms),
        "pictures": pictures(arms, palette, FIGURES.keys() - OF_STUDIES.keys() - _left_out(own)),
        "spec": first[0]["spec"],
        "differences": _differences(arms),
        "sizes": first[0]["sizes"],
        "parameters": first[0].get("parameters"),
    }


def _left_out(studies: Sequence[Study]) -> set[str]:
    """Figures that a study has no use for: of one seed they show nothing, of a sweep of sizes too much."""
    found = set()
    for study in studies:
        found |= _OF_SEEDS if study.seeds < _MANY else set()
        found |= _OF_SEEDS | _OF_ARMS if study.kind == "batch_sizes" else set()
    return found


def _differences(arms: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, str]:
    """What each arm sets otherwise than the first one."""
    base, *_ = arms.values()
    found = {}
    for name, (record, *_) in arms.items():
        other = {key: value for key, value in record["spec"].items() if value != base[0]["spec"].get(key)}
        found[name] = ", ".join(f"{key} = {value}" for key, value in other.items() if key != "seed")
    return {name: text for name, text in found.items() if text}


def _aggregate(analysis: Analysis) -> dict[str, Any]:
    rows = overall(analysis)
    made = time_to_target.draw_profiles({row.arm: row.profile for row in rows}, Palette(row.arm for row in rows))
    words = "performance profiles: on which share of the data sets an arm is within a factor of the best"
    return {"rows": rows, "picture": RenderedFigure("profiles", words, svg(made, words))}


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
