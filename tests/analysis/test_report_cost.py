"""Cost of large reports: nothing is computed twice, and time and memory stay in proportion to the records."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest
from made_up import record_of, some_records
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from batchsel.analysis import outcomes
from batchsel.analysis.plots import style
from batchsel.analysis.plots.figures import group_by_arm, render_figures
from batchsel.analysis.plots.style import Palette
from batchsel.analysis.report.html_report import render_report
from batchsel.analysis.report.results import compute_results
from batchsel.experiments.run.parse_record import parse_runs

MOST = 14
"""CPU time of the command over that of `json.loads` on its records."""
COMMAND = """
import sys, time
from batchsel.cli.main import cli
cli.main(["report", sys.argv[1]], standalone_mode=False)
with open("/proc/self/status") as file:  # the peak that getrusage states is also that of the process before
    peak = next(line.split()[1] for line in file if line.startswith("VmHWM"))
print(time.process_time(), peak)
"""
ARMS = {"random": 1.0, "smart": 0.8}


def counted(monkeypatch, where, name):
    """Count the calls of a function from now on; the first entry of the list is their number."""
    calls, function = [0], getattr(where, name)

    def count(*arguments, **keywords):
        calls[0] += 1
        return function(*arguments, **keywords)

    monkeypatch.setattr(where, name, count)
    return calls


def test_each_outcome_is_computed_once_and_each_figure_laid_out_and_drawn_once(monkeypatch):
    records = parse_runs(
        record_of(arm, seed, crossing=int(factor * (600 + 20 * seed)), points=15)
        for arm, factor in ARMS.items()
        for seed in range(30)
    )
    computed = counted(monkeypatch, outcomes, "_compute_outcome")
    laid_out = counted(monkeypatch, ConstrainedLayoutEngine, "execute")
    drawn = counted(monkeypatch, Figure, "draw")
    page = render_report(records, results=compute_results(records))
    figures = page.count("<svg")
    assert figures >= 8
    assert (computed[0], laid_out[0], drawn[0]) == (len(records), figures, figures)


def test_outcomes_of_other_targets_are_their_own():
    (record,) = parse_runs([record_of("random", 0, crossing=700)])
    first, second = (outcomes.outcome(record, target) for target in (None, "accuracy>=0.5"))
    assert (first.samples, second.samples) == (700, 500)
    assert outcomes.outcome(record, "accuracy>=0.9") is first


def test_figures_are_laid_out_as_matplotlib_does_it_when_saving(monkeypatch):
    def rendered():
        made = []
        for dataset in ("digits", "spirals"):
            runs = [run for run in parse_runs(some_records()) if run.spec.dataset == dataset]
            arms = group_by_arm(runs, dict.fromkeys(run.arm.name for run in runs))
            made += render_figures(arms, Palette(arms))
        return {(figure.name, place): figure.svg for place, figure in enumerate(made)}

    ours = rendered()
    monkeypatch.setattr(style, "_lay_out_for_svg", lambda fig: None)
    assert ours == rendered()
    assert len(ours) > 15


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Records of 5,000 seeds of two arms."""
    generator = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("large")
    with open(folder / "records.jsonl", "w") as file:
        for arm, factor in ARMS.items():
            crossings = np.clip(np.ceil(8 * factor * np.exp(generator.normal(0, 0.1, 5000))), 1, 14).astype(int) * 100
            lines = {at: json.dumps(record_of(arm, 77777, crossing=int(at), points=15)) for at in set(crossings)}
            digest = record_of(arm, 77777, points=15)["digest"]
            for seed, at in enumerate(crossings):
                line = lines[at].replace('"seed": 77777', f'"seed": {seed}')
                file.write(line.replace(digest, f"{seed:064x}") + "\n")
    return folder


@pytest.mark.slow
def test_a_report_of_ten_thousand_runs_takes_little_more_than_reading_them(large):
    start = time.process_time()
    for line in (large / "records.jsonl").read_text().splitlines():
        json.loads(line)
    reading = time.process_time() - start
    done = subprocess.run([sys.executable, "-c", COMMAND, str(large)], check=True, capture_output=True, text=True)
    seconds, kilobytes = map(float, done.stdout.split()[-2:])
    assert "smart is faster" in (large / "report.html").read_text("utf-8")
    assert kilobytes < 1 << 20
    assert seconds < MOST * reading
