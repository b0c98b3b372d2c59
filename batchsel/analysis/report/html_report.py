"""Report: one self-contained HTML file, created from records alone."""

from __future__ import annotations

import functools
import importlib.resources
from collections.abc import Mapping, Sequence
from typing import Any

from batchsel.analysis.comparison import Analysis
from batchsel.analysis.groups import base_dataset, split_groups
from batchsel.analysis.matched_budget import matched_budget
from batchsel.analysis.overall import overall
from batchsel.analysis.plots import time_to_target
from batchsel.analysis.plots.figures import FIGURES, STUDY_FIGURES, RenderedFigure, group_by_arm, render_figures
from batchsel.analysis.plots.style import Palette, to_svg
from batchsel.analysis.report.results import Results, compute_results
from batchsel.analysis.report.single_runs_section import single_run_sections, summary_of_single_runs
from batchsel.analysis.single_runs import SINGLE
from batchsel.analysis.studies.all_studies import exclude_studied
from batchsel.analysis.studies.study import SCALED, Study
from batchsel.analysis.target_levels import TargetLevel
from batchsel.analysis.verdict import power_notes, sentence, sentences, uncompared, warnings
from batchsel.experiments.run.record_parts import About
from batchsel.experiments.run.run_record import FailureRecord, RunRecord

_TEMPLATE = "report.html.j2"
_MANY = 2
_OF_SEEDS = {"ratios", "survival", "strip"}
_OF_ARMS = {"curves", "history", "time", "visits", "kept"}


def render_report(
    records: Sequence[RunRecord],
    problems: Sequence[str] = (),
    failures: Sequence[FailureRecord] = (),
    results: Results | None = None,
) -> str:
    """Render the report as HTML.

    Args:
        records: Records of runs that ended, of any number of data sets and arms.
        problems: Descriptions of lines that were left out.
        failures: Records of runs that failed.
        results: Results of `compute_results` for these records, if they are known already.
    """
    return _template().render(_context(records, problems, failures, results or compute_results(records, failures)))


@functools.cache
def _template() -> Any:
    from jinja2 import Environment, FunctionLoader, select_autoescape

    files = importlib.resources.files("batchsel.analysis.report")
    environment = Environment(
        loader=FunctionLoader(lambda name: files.joinpath(name).read_text("utf-8")),
        autoescape=select_autoescape(("html", "j2")),
        trim_blocks=True,
    )
    environment.filters["seconds"] = _seconds
    return environment.get_template(_TEMPLATE)


def _context(
    records: Sequence[RunRecord], problems: Sequence[str], failures: Sequence[FailureRecord], results: Results
) -> dict[str, Any]:
    analysis, levels, studies, singles, finals = results
    single_runs = [record for record in records if record.arm.role == SINGLE]
    compared, failed = split_groups([record for record in records if record.arm.role != SINGLE], failures)
    records = [*compared, *single_runs]
    plain = exclude_studied(analysis, studies)
    alone = {record.arm.name for record in single_runs}
    datasets = list(dict.fromkeys(record.spec.dataset for record in records))
    abouts = [record.about for record in records if record.about] or [About()]
    questions = list(dict.fromkeys(about.question for about in abouts if about.question))
    commands = list(dict.fromkeys(about.command for about in abouts if about.command))
    names = list(dict.fromkeys(map(base_dataset, [*records, *failed])))
    started = sorted(record.started for record in records)
    return {
        "question": questions[0] if len(questions) == 1 else f"Runs on {', '.join(names)}",
        "questions": questions if len(questions) > 1 else [],
        "command": "\n".join(commands),
        "studies": studies,
        "stories": list(dict.fromkeys((study.form == SCALED, study.story) for study in studies)),
        "verdicts": _verdicts(plain),
        "remarks": uncompared(plain),
        "controls": [text for text in sentences(plain) if text.startswith("control")],
        "problems": problems,
        "failures": failures,
        "sections": [
            _section(name, compared, analysis, studies, levels.get(name), failed)
            | {"finals": [row for row in finals if row.dataset == name and row.arm not in alone]}
            for name in datasets
            if any(record.spec.dataset == name for record in compared)
        ],
        "singles": summary_of_single_runs(singles) if singles else "",
        "single_sections": single_run_sections(singles, finals),
        "aggregate": _aggregate(plain) if len({item.dataset for item in plain.summaries}) >= _MANY else None,
        "environment": _environment(records),
        "runs": len(records),
        "failed_runs": len(failures),
        "period": f"{started[0]} to {started[-1]}" if started else "",
    }


def _verdicts(analysis: Analysis) -> list[tuple[str, str, list[str]]]:
    return [(item.verdict, sentence(item), warnings(item)) for item in analysis.comparisons if item.arm.role == "arm"]


def _section(
    dataset: str,
    records: Sequence[RunRecord],
    analysis: Analysis,
    studies: Sequence[Study],
    levels: Sequence[TargetLevel] | None,
    failures: Sequence[FailureRecord],
) -> dict[str, Any]:
    own = [record for record in records if record.spec.dataset == dataset]
    own_studies = [study for study in studies if study.dataset == dataset]
    summaries = [item for item in analysis.summaries if item.dataset == dataset]
    pairs = {item.arm.arm: item for item in analysis.comparisons if item.dataset == dataset}
    ended = {record.arm.name for record in own}
    arms = group_by_arm(own, [item.arm for item in summaries if item.arm in ended])
    palette, first = Palette(arms), next(iter(arms.values()))
    return {
        "name": dataset,
        "studies": own_studies,
        "study_figures": render_figures(arms, palette, STUDY_FIGURES, failures),
        "read_again": any(record.end for record in own),
        "target": first[0].spec.target,
        "limit": None if summaries[0].mean_seconds is None else summaries[0].limit,
        # A study has another question; the time to a target that no run reached says nothing about it.
        "rows": [
            (item, pairs.get(item.arm)) for item in summaries if not own_studies or any(run.reached for run in own)
        ],
        "power": [] if own_studies else power_notes(analysis, dataset),
        "levels": None if own_studies else levels,
        "matched_budget": None if own_studies else matched_budget(arms),
        "figures": render_figures(
            arms,
            palette,
            FIGURES.keys() - STUDY_FIGURES.keys() - {"loss"} - _omitted(own_studies, own),
            (),
            list(pairs.values()),
        ),
        "spec": first[0].spec.values,
        "differences": _differences(arms),
        "sizes": first[0].sizes,
        "parameters": first[0].parameters,
    }


def _omitted(studies: Sequence[Study], runs: Sequence[RunRecord]) -> set[str]:
    """Return figures that do not help: with one seed they show nothing, in a sweep of sizes too much.

    Those of times to the target show nothing where no run reached it.
    """
    omitted = set() if any(run.reached for run in runs) else set(_OF_SEEDS)
    for study in studies:
        omitted |= _OF_SEEDS if study.seeds < _MANY else set()
        omitted |= _OF_SEEDS | _OF_ARMS if study.kind == "batch_sizes" else set()
    return omitted


def _differences(arms: Mapping[str, Sequence[RunRecord]]) -> dict[str, str]:
    """Return the settings in which each arm differs from the first."""
    base = next(iter(arms.values()))[0].spec.values
    differences = {}
    for name, (record, *_) in arms.items():
        other = {key: value for key, value in record.spec.values.items() if value != base.get(key)}
        differences[name] = ", ".join(f"{key} = {value}" for key, value in other.items() if key != "seed")
    return {name: text for name, text in differences.items() if text}


def _aggregate(analysis: Analysis) -> dict[str, Any] | None:
    rows = overall(analysis)
    if not rows:
        return None
    made = time_to_target.draw_profiles({row.arm: row.profile for row in rows}, Palette(row.arm for row in rows))
    caption = "performance profiles: on which share of the data sets an arm is within a factor of the best"
    return {"rows": rows, "figure": RenderedFigure("profiles", caption, to_svg(made, caption))}


def _environment(records: Sequence[RunRecord]) -> dict[str, str]:
    """Return versions and machines of the runs, with every value that occurs."""
    found: dict[str, list[str]] = {}
    last: dict[str, Any] = {}
    for record in records:
        values = {**record.versions, **record.machine, "XLA": record.xla, "load": None}
        if values == last:  # most are, and to compare their texts takes long
            continue
        last = values
        for key, value in values.items():
            if key == "load":
                continue
            text = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
            text = ", ".join(map(str, value)) if isinstance(value, list) else text
            if text not in found.setdefault(key, []):
                found[key].append(text)
    loads = [record.machine["load"] for record in records if record.machine.get("load") is not None]
    load = {"load average": f"{min(loads):.2f} to {max(loads):.2f}"} if loads else {}
    return {key: "; ".join(values) for key, values in found.items()} | load


def _seconds(value: float | None) -> str:
    return "–" if value is None or value == float("inf") else f"{value:.3g}"
