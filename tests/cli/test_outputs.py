"""Files that commands write: never a folder, an input or another output; devices and standard output are written to."""

import json
import os
import subprocess
import sys

import click
import pytest
from made_up import record_of

from batchsel.cli.main import cli
from batchsel.cli.support.output import OutputFile
from batchsel.experiments.run import runner


@pytest.fixture
def invoke(command):
    return lambda *words: command(*map(str, words))


def commands(group=cli, name=()):
    context = click.Context(group)
    for child in group.list_commands(context):
        command = group.get_command(context, child)
        if isinstance(command, click.Group):
            yield from commands(command, (*name, child))
        else:
            yield (*name, child), command


def test_every_option_that_names_a_figure_or_table_checks_its_path():
    found = {
        (*name, option): isinstance(parameter.type, OutputFile)
        for name, command in commands()
        for parameter in command.params
        for option in parameter.opts
        if option in ("--plot", "--csv") or (option in ("--json", "--out") and parameter.type.name == "file")
    }
    assert len(found) >= 10
    assert all(found.values()), [name for name, right in found.items() if not right]


@pytest.fixture
def records(tmp_path):
    lines = [json.dumps(record_of(arm, seed)) for arm in ("random", "soft_keep") for seed in (0, 1)]
    (tmp_path / "records.jsonl").write_text("\n".join(lines) + "\n")
    return tmp_path / "records.jsonl"


def test_a_table_goes_to_standard_output_and_the_messages_beside_it(invoke, records, tmp_path):
    run = invoke("report", records, "--out", tmp_path / "page.html", "--csv", "-")
    assert run.code == 0, run.err
    assert run.out.splitlines()[0].startswith("dataset,")
    assert "report:" in run.err
    assert "report:" not in run.out
    assert isinstance(json.loads(invoke("report", records, "--out", os.devnull, "--json", "-").out), dict)


@pytest.mark.parametrize("option", ["--out", "--csv", "--json"])
def test_a_report_never_replaces_its_records(invoke, records, option):
    before = records.read_bytes()
    (records.parent / "link").symlink_to(records)
    for path in (records, records.parent / "." / "records.jsonl", records.parent / "link"):
        run = invoke("report", records.parent, option, path)
        assert run.code == 2
        assert "would replace" in run.err
    assert records.read_bytes() == before


def test_two_outputs_need_two_files(invoke, records, tmp_path):
    run = invoke("report", records, "--csv", tmp_path / "a", "--json", tmp_path / "a")
    assert (run.code, (tmp_path / "a").exists()) == (2, False)
    assert "--json would replace what --csv writes" in run.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--dataset", "digits", "--plot"),
        ("map", "--dataset", "digits", "--plot"),
        ("map", "--dataset", "digits", "--out"),
        ("tune", "--dataset", "digits", "--selector", "smart", "--grid", "optimizer=adam", "--out"),
        ("datasets", "show", "iris", "--plot"),
        ("schedules", "show", "cosine", "--plot"),
        ("spirals", "--out"),
    ],
)
def test_folders_and_missing_folders_are_refused_before_any_work(invoke, tmp_path, arguments):
    for path in (tmp_path / "folder.csv", tmp_path / "missing" / "a.png"):
        (tmp_path / "folder.csv").mkdir(exist_ok=True)
        run = invoke(*arguments, path)
        assert run.code == 2, run.err
        assert "cannot write" in run.err or " writes " in run.err
    assert os.listdir(tmp_path) == ["folder.csv"]


@pytest.mark.parametrize("words", [("run", "--budget", "1"), ("compare", "--selector", "random", "--seeds", "1")])
def test_folders_that_take_no_records_are_refused_before_any_run(invoke, tmp_path, monkeypatch, words):
    monkeypatch.setattr(runner, "run", lambda *arguments: pytest.fail("it has run"))
    for name in ("a folder", "a device", "a pipe"):
        (tmp_path / name).mkdir()
    (tmp_path / "a folder" / "records.jsonl").mkdir()
    (tmp_path / "a device" / "records.jsonl").symlink_to(os.devnull)
    os.mkfifo(tmp_path / "a pipe" / "records.jsonl")
    (tmp_path / "a file").touch()
    (tmp_path / "a link").symlink_to("nowhere")
    for name in ("a folder", "a device", "a pipe", "a file/in it", "a link"):
        said = invoke(*words, "--dataset", "iris", "--out", tmp_path / name)
        assert said.code == 1, said.err
        assert "cannot write " in said.err


def test_two_outputs_are_not_mixed_in_one_stream(invoke, records, tmp_path):
    run = invoke("report", records, "--out", tmp_path / "page.html", "--csv", "-", "--json", "/dev/stdout")
    assert (run.code, run.out) == (2, "")
    assert "--csv and --json would be mixed" in run.err
    assert invoke("report", records, "--out", os.devnull, "--csv", os.devnull, "--json", os.devnull).code == 0


def test_a_reader_that_has_seen_enough_is_no_error(records, tmp_path):
    command = [sys.executable, "-m", "batchsel", "plot", str(records), "--out", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""


@pytest.mark.parametrize("ending", ["", ":y", ":delimiter=,:y"])
def test_a_map_does_not_replace_the_data_that_it_is_of(invoke, tmp_path, ending):
    table = tmp_path / "mine.csv"
    table.write_text("a,y\n" + "1,x\n2,z\n" * 20)
    run = invoke("map", "--dataset", f"{table}{ending}", "--out", table)
    assert run.code == 2
    assert "would replace" in run.err


def test_spirals_are_written_through_a_link_and_in_order(invoke, tmp_path):
    (tmp_path / "link.csv").symlink_to("behind.csv")
    assert invoke("spirals", "--samples", 20, "--out", tmp_path / "link.csv").code == 0
    assert (tmp_path / "link.csv").is_symlink()
    assert len((tmp_path / "behind.csv").read_text().splitlines()) == 21


def test_records_of_failed_runs_alone_are_a_page_of_their_reasons(invoke, tmp_path):
    kept = ("schema", "spec", "digest", "arm")
    failed = [{key: record_of(arm, 0)[key] for key in kept} | {"failed": "no memory"} for arm in ("random", "smart")]
    (tmp_path / "records.jsonl").write_text("".join(json.dumps(record) + "\n" for record in failed))
    assert invoke("report", tmp_path).code == 0
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "No run has ended: all 2 failed" in page
    assert "digits, smart, seed 0: no memory" in page
    plot = invoke("plot", tmp_path)
    assert (plot.code, "all 2 failed" in plot.err) == (1, True)


@pytest.mark.parametrize(("code", "told"), [(0, ""), (1, "no browser could be started. The page is")])
def test_a_report_is_shown_in_the_browser_where_there_is_one(invoke, records, tmp_path, monkeypatch, code, told):
    shown = []
    monkeypatch.setattr(click, "launch", lambda path: shown.append(path) or code)
    run = invoke("report", records, "--out", tmp_path / "page.html", "--open")
    assert shown == [str(tmp_path / "page.html")]
    assert run.code == (1 if code else 0)
    assert told in run.err
    assert (tmp_path / "page.html").is_file()
