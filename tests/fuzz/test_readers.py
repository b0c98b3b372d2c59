"""Every reader reads a damaged or hostile file or refuses it with a `UserError`, in little time and memory."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from fuzzing.harness import limited_memory, try_case
from fuzzing.targets import TARGETS

CASES = int(os.environ.get("BATCHSEL_TEST_MUTATIONS", "500"))
"""Cases for each reader; ``make fuzz`` tries 100,000 in all, in processes of their own."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "case" / "cache"))
    (tmp_path / "case").mkdir()
    return tmp_path / "case"


@pytest.mark.parametrize("name", TARGETS)
def test_files_are_read_or_refused(name, folder):
    target, refused = TARGETS[name], 0
    target.prepare()
    with limited_memory():
        for number in range(CASES):
            outcome = try_case(target, number, folder)
            assert not outcome.problem, outcome.problem
            refused += outcome.refused
    assert refused > CASES / 20


def test_the_command_tries_cases_in_processes_of_their_own():
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": f"{root / 'tests/helpers'}{os.pathsep}{root}"}
    command = [sys.executable, "-m", "fuzzing", "--only", "idx", "--cases", "20"]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert found.returncode == 0, found.stdout + found.stderr
    assert re.search(r"^idx +20 ", found.stdout, re.MULTILINE)
    assert subprocess.run([*command[:3], "--case", "3"], env=environment, capture_output=True).returncode == 2
