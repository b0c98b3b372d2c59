"""Records of the same run: which of them counts does not depend on the order of the lines, and is said."""

import itertools
import json
import math

import pytest
from made_up import record_of
from study_records import failure_of

from batchsel.cli.main import cli
from batchsel.cli.support.experiment_options import report_result
from batchsel.experiments.compare.run_experiment import Result
from batchsel.experiments.run import records
from batchsel.experiments.run.arms import record_key
from batchsel.experiments.run.parse_record import parse_failures, parse_runs
from batchsel.experiments.run.validation.duplicates import choose, choose_by_key


def made(seed=0, arm="smart", started="2026-11-21T12:00:00+00:00", **options):
    return record_of(arm, seed, **options) | {"started": started}


LATE = made(seconds_each=1.0, started="2026-11-23T12:00:00+00:00")
EARLY = made(seconds_each=2.0, started="2026-11-22T12:00:00+00:00")
SHARED = made(seconds_each=3.0, started="2026-11-21T12:00:00+00:00", contended=True)


@pytest.mark.parametrize("order", list(itertools.permutations([LATE, EARLY, SHARED])))
def test_the_earliest_run_alone_on_the_device_counts_in_any_order(order):
    (chosen,), failures, notes = choose(parse_runs(order))
    assert (chosen.started, chosen.seconds.training) == (EARLY["started"], EARLY["seconds"]["training"])
    assert failures == []
    assert notes[0].startswith("digits, smart: recorded several times with different outcomes for seed 0; ")
    assert list(choose_by_key(order, record_key).values()) == [EARLY]


def test_records_alike_but_for_their_values_are_ordered_by_their_contents():
    pair = [made(seconds_each=1.0), made(seconds_each=2.0)]
    assert choose(parse_runs(pair)).runs == choose(parse_runs(pair[::-1])).runs
    assert choose_by_key(pair, record_key) == choose_by_key(pair[::-1], record_key)


def test_copies_of_a_line_are_dropped_without_a_note():
    assert choose(parse_runs([LATE, LATE])) == (parse_runs([LATE]), [], [])


def test_a_later_success_removes_the_failure():
    failed = [failure_of(made(seed)) for seed in (0, 0, 1)]
    chosen = choose(parse_runs([made(0)]), parse_failures(failed))
    assert [failure.spec.seed for failure in chosen.failures] == [1]
    assert len(choose([], parse_failures(failed)).failures) == 2


def identric_mean(low, high):
    return math.exp((high * math.log(high) - low * math.log(low)) / (high - low) - 1)


def test_a_report_is_the_same_for_any_order_of_its_files_and_says_what_counts(tmp_path, capsys):
    base = [record_of("random", seed) for seed in range(3)]
    arm = [made(seed, crossing=700) for seed in range(3)]
    again = [made(seed, crossing=700, seconds_each=9.0, started="2026-11-25T12:00:00+00:00") for seed in range(3)]
    results = []
    for place, lines in enumerate(([*base, *arm, *again], [*again, *arm, *base])):
        path = tmp_path / str(place) / records.FILE
        path.parent.mkdir()
        path.write_text("".join(json.dumps(record) + "\n" for record in lines), "utf-8")
        cli.main(["report", str(path), "--json", str(path.parent / "r.json")], standalone_mode=False)
        results.append(json.loads((path.parent / "r.json").read_text())["comparisons"])
        assert "digits, smart: recorded several times" in capsys.readouterr().err
        assert "for seeds 0, 1, 2" in (path.parent / "report.html").read_text("utf-8")
    assert results[0] == results[1]
    # Crossings lie between two evaluations: the ratio is that of the geometric means of all times in between.
    assert results[0][0]["time"]["value"] == pytest.approx(identric_mean(6, 7) / identric_mean(3, 4))


def test_compare_and_experiment_say_which_records_count_and_what_is_left_out(tmp_path, capsys):
    arm, again = made(crossing=700), made(crossing=700, seconds_each=9.0, started="2026-11-25T12:00:00+00:00")
    other = made(arm="of another comparison"), made(arm="of another comparison", seconds_each=5.0)
    lines = [json.dumps(record) for record in (record_of("random", 0), again, arm, *other)]
    (tmp_path / records.FILE).write_text("\n".join([*lines, '{"half a li', ""]), "utf-8")
    report_result(Result([record_of("random", 0), arm], []), tmp_path, as_json=True)
    said = capsys.readouterr().err
    assert said.count("note: ") == 1
    assert "note: digits, smart: recorded several times with different outcomes for seed 0; of each, the run" in said
    assert "left out: " in said
    assert "line 6: damaged or half written" in said
    assert "digits, smart: recorded several times" in (tmp_path / "report.html").read_text("utf-8")


def test_runs_with_other_settings_are_no_duplicates():
    first, second = record_of("infobatch", 0, crossing=400), record_of("infobatch", 0, crossing=900)
    second["digest"] = "f" * 64
    assert len(choose(parse_runs([first, second])).runs) == 2
    control = {"role": "control", "against": "random", "control_of": "infobatch"}
    short = [record_of("short", 0, crossing=crossing, **control) for crossing in (400, 900)]
    short[1]["digest"] = "f" * 64
    assert len(choose(parse_runs(short)).runs) == 1
    other = [short[0] | {"about": {"question": "one?"}}, short[1] | {"about": {"question": "two?"}}]
    assert len(choose(parse_runs(other)).runs) == 2
