"""Every command and every program of the README and of the first page runs as it is written."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import CommandLine
from sklearn.datasets import load_iris

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "docs/start.md"]
MAX_LINES = 120
WRITES_A_TABLE = 'python -c "from sklearn.datasets import load_iris; load_iris(as_frame=True).frame'


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / page).read_text("utf-8"), re.DOTALL | re.MULTILINE)


def commands(page):
    """Return the commands of batchsel on a page, in their order, each as a list of words."""
    lines = [line for block in blocks(page, "console") for line in block.splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("batchsel ")]


def make_targets(page):
    lines = [
        line for language in ("console", "bash") for block in blocks(page, language) for line in block.splitlines()
    ]
    return {line.split()[1] for line in lines if line.startswith("make ")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Provide a folder with the files that the pages mention: a table, and the selector of the README."""
    folder = tmp_path_factory.mktemp("walk")
    load_iris(as_frame=True).frame.to_csv(folder / "mine.csv", index=False)
    (function,) = [block for block in blocks("README.md", "python") if "def hardest" in block]
    (folder / "mine.py").write_text(function.partition("\n\n\nbatchsel.fit")[0], "utf-8")
    return folder


@pytest.mark.parametrize(
    ("page", "words"), [(page, words) for page in PAGES for words in commands(page)], ids=lambda value: str(value)[:60]
)
def test_command_runs(page, words, folder, monkeypatch, capfd):
    monkeypatch.chdir(folder)
    result = CommandLine(monkeypatch, capfd)(*words)
    assert result.code == 0, result.err
    assert result.out or "--out" in words


@pytest.mark.parametrize("page", PAGES)
def test_programs_run(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks(page, "python"):
        exec(compile(block, page, "exec"), names)
    assert names["history"].history["val_accuracy"][-1] > 0.8


def test_the_table_of_the_first_page_is_written_as_it_says(folder, tmp_path):
    (line,) = [line for block in blocks("docs/start.md", "bash") for line in block.splitlines() if "load_iris" in line]
    assert line.startswith(WRITES_A_TABLE)
    subprocess.run([sys.executable, *shlex.split(line)[1:]], cwd=tmp_path, check=True)
    assert (tmp_path / "mine.csv").read_text() == (folder / "mine.csv").read_text()
    assert np.loadtxt(tmp_path / "mine.csv", delimiter=",", skiprows=1).shape == (150, 5)


@pytest.mark.parametrize("page", PAGES)
def test_make_has_the_targets_of_the_pages(page):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert make_targets(page) <= targets
    recipe = re.search(r"^run:.*\n\t\$\(BIN\)/batchsel (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert shlex.split(recipe[1])[:5] == ["run", "--dataset", "digits", "--selector", "loss_ema"]


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= MAX_LINES
