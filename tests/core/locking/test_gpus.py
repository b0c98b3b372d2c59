"""GPUs of a machine: those that there are, those that a process may use, and how they are named."""

import pytest

from batchsel.core.locking import gpus


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Make a machine with four GPUs out of files."""
    monkeypatch.delenv(gpus.VISIBLE, raising=False)
    monkeypatch.delenv(gpus.SIMULATED, raising=False)
    monkeypatch.setattr(gpus, "_DEVICES", tmp_path / "dev")
    monkeypatch.setattr(gpus, "_DRIVER", tmp_path / "driver")
    (tmp_path / "dev").mkdir()
    for name in ("nvidia0", "nvidia1", "nvidia2", "nvidia3", "nvidiactl", "nvidia-uvm", "null"):
        (tmp_path / "dev" / name).touch()
    for place, bus in enumerate(("0000:0a:00.0", "0000:1b:00.0", "0000:2c:00.0", "0000:3d:00.0")):
        folder = tmp_path / "driver" / bus
        folder.mkdir(parents=True)
        (folder / "information").write_text(f"Model: \t\t made up\nGPU UUID: \t GPU-{place}{place}ab-cd\n")


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "0123"), ("", ""), ("-1", ""), ("2", "2"), ("3,1", "31"), ("0,-1,2", "0"), ("1,9,2", "1"), (" 1 , 2", "12"),
        ("GPU-22ab-cd", "2"), ("GPU-33,GPU-00ab", "30"), ("1,1", "1"),
    ],
)  # fmt: skip
def test_visible_ones_are_those_that_cuda_would_use(text, expected, monkeypatch):
    if text is not None:
        monkeypatch.setenv(gpus.VISIBLE, text)
    assert gpus.installed() == list("0123")
    assert gpus.visible() == list(expected)


def test_a_machine_without_has_none(tmp_path, monkeypatch):
    monkeypatch.delenv(gpus.SIMULATED, raising=False)
    monkeypatch.setattr(gpus, "_DEVICES", tmp_path)
    monkeypatch.setenv(gpus.VISIBLE, "0,1")
    assert gpus.installed() == gpus.visible() == []
    monkeypatch.setenv(gpus.SIMULATED, "2")
    assert gpus.installed() == gpus.visible() == ["0", "1"]
