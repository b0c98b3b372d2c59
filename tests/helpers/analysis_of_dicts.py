"""Functions of the analysis for records as they are written, which are parsed first."""

from batchsel.analysis import comparison, outcomes
from batchsel.analysis import target_levels as levels
from batchsel.analysis.plots import figures, schedule_log
from batchsel.analysis.report import html_report, results
from batchsel.analysis.studies import all_studies, study_parts
from batchsel.analysis.studies import noise_scale as noise
from batchsel.experiments.run.parse_record import parse_failures, parse_run, parse_runs


def analyze(records, targets=None, failures=()):
    return comparison.analyze(parse_runs(records), targets, parse_failures(failures))


def outcome(record, target=None):
    return outcomes.outcome(parse_run(record), target)


def value_at(record, metric, axis, limit):
    return outcomes.value_at(parse_run(record), metric, axis, limit)


def target_levels(records):
    return levels.target_levels(parse_runs(records))


def compute_results(records, failures=()):
    return results.compute_results(parse_runs(records), parse_failures(failures))


def render_report(records, problems=(), failures=(), results=None):
    return html_report.render_report(parse_runs(records), problems, parse_failures(failures), results)


def answer_studies(records, failures=(), analysis=None):
    runs = parse_runs(records)
    if analysis is not None:
        runs = study_parts.with_analysis(runs, analysis)
    return all_studies.answer_studies(runs, parse_failures(failures))


def split_into_parts(records, kind, failures=()):
    return study_parts.split_into_parts(parse_runs(records), kind, parse_failures(failures))


def noise_scale(records):
    return noise.noise_scale(parse_runs(records))


def schedule_lines(record):
    return schedule_log.schedule_lines(parse_run(record))


def group_by_arm(records):
    """Return parsed records by arm, in the order of the report."""
    order = [item.arm for item in analyze(records).summaries]
    return figures.group_by_arm(parse_runs(records), order)


def draw(name, arms, palette, failures=()):
    return figures.draw(name, arms, palette, parse_failures(failures))


def only_part(records, kind, failures=()):
    (part,) = split_into_parts(records, kind, failures)
    return part
