"""Records: written records are read back, damaged ones are reported, parsed ones keep everything."""

import copy
import json
import multiprocessing
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import record_of

from batchsel.analysis.final_metrics import final_results
from batchsel.errors import UserError
from batchsel.experiments.run import records
from batchsel.experiments.run.parse_record import parse_failure, parse_run, parse_runs

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=50, deadline=None)
@given(extras=st.lists(st.dictionaries(st.text(max_size=8).map("own_{}".format), JSON, max_size=4), max_size=4))
def test_records_are_read_as_written(tmp_path_factory, extras):
    folder = tmp_path_factory.mktemp("records")
    written = [record_of("random", seed) | extra for seed, extra in enumerate(extras)]
    for record in written:
        records.append(folder, record)
    found = records.read(folder) if written else records.Records([], [], [])
    assert found == (written, [], [])


NEEDED = (
    "spec", "digest", "arm", "versions", "machine", "sizes", "reached", "crossing", "first_crossing", "test", "counts",
    "kept", "visits", "seconds", "selection", "evaluations", "history", "contended", "started",
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_line_is_reported_and_the_others_are_read(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("records")
    written = [record_of("random", seed) for seed in range(3)]
    lines = [json.dumps(record).encode() for record in written]
    victim = data.draw(st.integers(0, 2))
    damage = data.draw(st.sampled_from(["cut", "garbage", "other schema", "no key", "wrong type", "list", "bytes"]))
    broken = copy.deepcopy(written[victim])
    if damage == "cut":
        lines[victim] = lines[victim][: data.draw(st.integers(1, len(lines[victim]) - 1))]
    elif damage == "garbage":
        lines[victim] = b"not a record"
    elif damage == "bytes":
        lines[victim] = b"\xff\xfe" + lines[victim]
    elif damage == "list":
        lines[victim] = b"[1, 2]"
    else:
        key = data.draw(st.sampled_from(sorted(NEEDED)))
        broken |= {"schema": 99} if damage == "other schema" else {key: "17" if key == "kept" else 17.5}
        if damage == "no key":
            del broken[key]
        lines[victim] = json.dumps(broken).encode()
    (folder / records.FILE).write_bytes(b"\n".join(lines) + b"\n")
    found = records.read(folder)
    assert found.runs == [record for number, record in enumerate(written) if number != victim]
    (problem,) = found.problems
    assert problem.line == victim + 1
    assert f"records.jsonl, line {victim + 1}: " in str(problem)


def test_a_missing_crossing_is_a_problem():
    record = record_of("random", 0) | {"reached": True, "crossing": None}
    assert records.problem(record) == "its crossing is null, though the run reached its target"


def test_an_evaluation_without_counts_is_a_problem():
    record = record_of("random", 0)
    record["evaluations"] = [{"accuracy": 1.0}]
    assert records.problem(record) == "its evaluations[0].steps is missing"


def test_the_description_of_the_study_is_optional_and_checked():
    old, arm = record_of("random", 0), {"name": "random", "role": "baseline", "control_of": "", "against": ""}
    study = {"question": "?", "story": "A test.", "form": "scaled", "analysis": {"kind": "factorial", "points": 0.5}}
    assert records.problem(old | {"arm": arm}) is None
    assert records.problem(old | {"arm": arm | {"levels": {"blur": "off"}}, "about": study}) is None
    assert records.problem(old | {"arm": arm | {"levels": {"batch_size": 2}}}) == (
        "its arm.levels.batch_size is a number, expected text"
    )
    assert records.problem(old | {"about": {"analysis": 3}}) == "its about.analysis is a number, expected a table"


def test_an_incomplete_last_line_is_terminated(tmp_path):
    first, second = record_of("random", 0), record_of("random", 1)
    (tmp_path / records.FILE).write_bytes(json.dumps(first).encode() + b'\n{"schema": 2, "spe')
    records.append(tmp_path, second)
    found = records.read(tmp_path)
    assert found.runs == [first, second]
    assert [problem.line for problem in found.problems] == [2]


def test_concatenated_files_are_read_like_separate_ones(tmp_path):
    for name in "ab":
        records.append(tmp_path / name, record_of(name, 0))
    joined = tmp_path / "joined.jsonl"
    joined.write_bytes(b"".join((tmp_path / name / records.FILE).read_bytes() for name in "ab"))
    assert records.read(joined) == records.read(tmp_path / "a", tmp_path / "b")


def test_a_missing_file_is_named_in_the_error(tmp_path):
    with pytest.raises(UserError, match="cannot read the records .*nothing"):
        records.read(tmp_path / "nothing")


def _write(folder, name, times):
    for seed in range(times):
        records.append(folder, record_of(name, seed) | {"own_long": name * 20_000})


def test_writers_never_interleave(tmp_path):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(tmp_path, name, 15)) for name in "abc"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    found = records.read(tmp_path)
    assert not found.problems
    assert sorted((record["arm"]["name"], record["spec"]["seed"]) for record in found.runs) == [
        (name, seed) for name in "abc" for seed in range(15)
    ]


def test_a_full_disk_leaves_the_file_unchanged(tmp_path, monkeypatch):
    records.append(tmp_path, record_of("random", 0))
    before = (tmp_path / records.FILE).read_bytes()
    real, calls = os.write, []

    def some(descriptor, data):
        calls.append(len(data))
        if len(calls) > 2:
            raise OSError(28, "No space left on device")
        return real(descriptor, data[:100])

    monkeypatch.setattr(os, "write", some)
    with pytest.raises(UserError, match="No space left on device"):
        records.append(tmp_path, record_of("random", 1))
    assert len(calls) == 3
    assert (tmp_path / records.FILE).read_bytes() == before


def test_a_line_written_in_pieces_is_complete(tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:1000]))
    records.append(tmp_path, record_of("random", 1))
    monkeypatch.undo()
    assert records.read(tmp_path).runs == [record_of("random", 1)]


COMMITTED = Path(__file__).parents[2] / "experiments"


def test_committed_records_parse_and_keep_every_value():
    for path in sorted(COMMITTED.rglob(records.FILE)):
        found = records.read(path)
        assert found.problems == []
        for raw, record in zip(found.runs, parse_runs(found.runs), strict=True):
            assert record.spec.values == raw["spec"]
            assert [point.values for point in record.evaluations] == raw["evaluations"]
            assert (record.seconds.training, record.counts.samples) == (
                raw["seconds"]["training"],
                raw["counts"]["samples"],
            )
            assert (record.analysis, record.arm.levels) == (
                raw["about"].get("analysis", {}),
                raw["arm"].get("levels", {}),
            )
            assert record.extra == {}


def test_stalls_are_read_where_a_record_states_them():
    assert parse_run(record_of("random", 0)).stalled_seconds == 0
    raw = record_of("random", 0) | {"stalls": {"count": 2, "seconds": 3.5}}
    record = parse_run(raw)
    assert (record.stalled_seconds, record.extra) == (3.5, {})
    with pytest.raises(UserError, match=r"its stalls.seconds is text, expected a finite number"):
        parse_run(raw | {"stalls": {"count": 2, "seconds": "long"}})


def test_unknown_keys_are_kept():
    raw = record_of("random", 0) | {"novel": {"a": 1}}
    raw["spec"] |= {"new_setting": 3}
    raw["counts"] |= {"new_count": 5}
    record = parse_run(raw)
    assert record.extra == {"novel": {"a": 1}}
    assert record.spec.values["new_setting"] == 3
    assert record.counts.samples == raw["counts"]["samples"]


def test_a_record_without_a_needed_part_is_reported():
    raw = record_of("random", 0)
    del raw["sizes"]["train"]
    with pytest.raises(UserError, match="its sizes.train is missing"):
        parse_run(raw)


def test_final_results_are_those_of_the_end_of_the_budget():
    reached, missed = (parse_run(record_of("random", 0, crossing=crossing)) for crossing in (400, None))
    assert final_results(missed) == missed.test
    assert final_results(reached) is None
    ended = record_of("random", 0) | {"end": {"test": {"accuracy": 0.8}}}
    assert final_results(parse_run(ended)) == {"accuracy": 0.8}


def test_failures_parse_without_a_complete_spec():
    raw = {"schema": 2, "failed": "out of luck", "spec": {"seed": 3}, "digest": "", "arm": {"name": "random"}}
    record = parse_failure(raw)
    assert (record.failed, record.spec.seed, record.arm.role, record.about) == ("out of luck", 3, "single", None)
