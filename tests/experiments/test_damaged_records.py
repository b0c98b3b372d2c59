"""Damaged records: every line is read as a whole, and reports work with it, or it is left out and reported."""

import json
import math
import random
import warnings
from collections.abc import Mapping, Sequence

import pytest
from fuzzing.mutations import WRONG, changed, paths_of
from fuzzing.runs import one_of
from made_up import record_of
from study_records import failure_of

from batchsel.analysis.report import html_report
from batchsel.analysis.report.html_report import render_report
from batchsel.analysis.report.results import compute_results
from batchsel.analysis.report.tables import as_csv, as_values
from batchsel.cli.main import cli
from batchsel.experiments.run import records
from batchsel.experiments.run.validation.typed_json import FieldError, convert

VALUES = [value for value in WRONG if not isinstance(value, float) or math.isfinite(value)]
"""JSON has no others."""
DRAWN = 3
"""Runs of the first report, which has figures; those of all runs are without, for drawing takes most of the time."""
RECORDS = {
    "tuned_mnist": one_of("tuned_mnist", lambda record: "images" in record),
    "large_batches": one_of("large_batches/scaled", lambda record: record.get("noise_scale")),
    "lerac": one_of("lerac_and_blur_cvt13/scaled", lambda record: record.get("snr")),
    "spirals": one_of("small_sets", lambda record: "plane" in record),
    "single": record_of("random", 0, role="single", against=""),
}


def mutants(name, count):
    """Yield paths and changed records; every path with one value, and without it."""
    rng, record = random.Random(name), RECORDS[name]
    paths = list(paths_of(record))
    assert len(paths) > 80
    for place, path in enumerate(rng.sample(paths, min(count, len(paths)))):
        for kind, value in enumerate([..., rng.choice(VALUES), rng.choice(VALUES)]):
            yield path, changed(record | {"started": f"2026-11-21T12:{place:02}:{kind:02}+00:00"}, path, value)


@pytest.fixture
def undrawn(monkeypatch):
    """Make figures without rendering them as SVG, which takes most of the time."""
    for module in ("plots.figures", "report.html_report"):
        monkeypatch.setattr(f"batchsel.analysis.{module}.to_svg", lambda figure, caption: "<svg></svg>")


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.usefixtures("undrawn")
def test_a_changed_field_is_reported_on_or_left_out_by_its_name(name, tmp_path, monkeypatch):
    lines = list(mutants(name, 30))
    (tmp_path / records.FILE).write_text("".join(json.dumps(record) + "\n" for _, record in lines), "utf-8")
    found = records.read_typed(tmp_path)
    assert len(found.runs) + len(found.failures) + len(found.problems) == len(lines)
    assert len(found.problems) > len(lines) / 4
    for item in found.problems:
        path, record = lines[item.line - 1]
        if "\\ud800" in json.dumps(record):  # half of a character: no field can be trusted
            assert item.description.startswith("damaged or half written")
            continue
        assert f"{records.FILE}, line {item.line}: its {path[0]}" in str(item) or item.description.startswith("its ")
    assert records.read(tmp_path).problems == found.problems
    for runs in (found.runs[:DRAWN], *(found.runs[place : place + 40] for place in range(0, len(found.runs), 40))):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results = compute_results(runs, found.failures)
            render_report(runs, [], found.failures, results)
        monkeypatch.setattr(html_report, "render_figures", lambda *arguments: [])
        json.dumps(as_values(*results), allow_nan=False)
        as_csv(*results)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("evaluations", 5, "loss"), "0.5", "its evaluations[5].loss is text, expected a finite number"),
        (("evaluations", 5, "steps"), 2.5, None),
        (("evaluations", 0, "accuracy"), None, "its evaluations[0].accuracy is null"),
        (("counts", "samples"), 1.5, "its counts.samples is a number, expected an integer"),
        (("spec", "target"), "accurate", "its spec.target is 'accurate', which is not a target"),
        (("spec", "batch_size"), 0, "its spec.batch_size is 0, expected at least 1"),
        (("sizes", "train"), 0, "its sizes.train is 0, expected at least 1"),
        (("arm", "role"), "boss", "its arm.role is 'boss', expected one of baseline, arm, control, single"),
        (("machine", "load"), "high", "its machine.load is 'high', expected a number"),
        (("seconds", "training"), -1, "its seconds.training is -1, expected at least 0"),
        (("visits", 1), "many", "its visits[1] is text, expected an integer"),
        (("history", "loss", 0), [], "its history.loss[0] is a list, expected a finite number"),
        (("test", "accuracy"), 2**70, "its test.accuracy is a number, expected a finite number"),
    ],
)
def test_the_message_names_the_field(path, value, message):
    assert records.problem(changed(record_of("random", 0), path, value)) == message


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_numbers_that_are_not_finite_are_refused(number, tmp_path):
    text = json.dumps(record_of("random", 0)).replace('"kept": 1.0', f'"kept": {number}')
    (tmp_path / records.FILE).write_text(text + "\n", "utf-8")
    found = records.read(tmp_path)
    assert (found.runs, len(found.problems)) == ([], 1)
    assert "finite" in str(found.problems[0])


def test_deep_nesting_is_damage(tmp_path):
    (tmp_path / records.FILE).write_text("[" * 100_000 + "\n", "utf-8")
    assert "damaged" in str(records.read(tmp_path).problems[0])


def test_report_and_plot_say_what_they_leave_out(tmp_path, capsys):
    good, bad = record_of("random", 0), changed(record_of("random", 1), ("evaluations", 2, "seconds"), None)
    (tmp_path / records.FILE).write_text(json.dumps(good) + "\n" + json.dumps(bad) + "\n", "utf-8")
    for words in (["report", str(tmp_path)], ["plot", str(tmp_path), "--out", str(tmp_path / "a.svg")]):
        cli.main(words, standalone_mode=False)
        assert "line 2: its evaluations[2].seconds is null; it is left out" in capsys.readouterr().err
    assert "line 2: its evaluations[2].seconds is null" in (tmp_path / "report.html").read_text("utf-8")


def test_lines_after_one_another_with_the_same_problem_are_one_sentence(tmp_path, capsys):
    good = json.dumps(record_of("random", 0))
    lines = ["{", "[", good, "no", "none", "{}"]
    (tmp_path / records.FILE).write_text("\n".join(lines) + "\n", "utf-8")
    cli.main(["report", str(tmp_path)], standalone_mode=False)
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("left out: ")]
    assert [line.partition("records.jsonl, ")[2].partition(":")[0] for line in said] == [
        "lines 1 to 2", "lines 4 to 5", "line 6",
    ]  # fmt: skip


def test_failures_are_checked_too():
    failure = failure_of(record_of("random", 0))
    assert records.problem(failure) is None
    assert records.problem(changed(failure, ("spec", "batch_size"), "x")).startswith("its spec.batch_size is text")


def test_a_field_of_a_list_of_tables_is_named():
    with pytest.raises(FieldError, match=r"its a\[1\] is null, expected an integer"):
        convert(Mapping[str, Sequence[int]], {"a": [1, None]})
