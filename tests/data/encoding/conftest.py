"""The command line as a fixture, in an empty folder."""

import pytest
from command_line import CommandLine


@pytest.fixture
def command(monkeypatch, capfd, tmp_path):
    monkeypatch.chdir(tmp_path)
    return CommandLine(monkeypatch, capfd)
