"""The command line as a fixture, in an empty folder and without settings of the environment."""

import os

import pytest
from command_line import CommandLine


@pytest.fixture
def command(monkeypatch, capfd, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("BATCHSEL_") and name != "BATCHSEL_DATA":
            monkeypatch.delenv(name)
    return CommandLine(monkeypatch, capfd)
