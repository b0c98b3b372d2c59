"""The benchmark of peers: each in a process of its own, in turn, and PyTorch only where it is installed."""

import importlib.util
import sys
import types

import pytest

from batchsel.benchmarks import peers


def test_pytorch_is_a_peer_where_it_is_installed(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    without = peers.available()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: types.SimpleNamespace())
    assert [name for name in peers.available() if name not in without] == [
        name for name in peers.PEERS if name.startswith("PyTorch")
    ]
    assert {"model.fit", "random", "random, bf16"} <= set(without)


def test_peers_are_timed_in_turn(monkeypatch):
    monkeypatch.setattr(peers, "available", lambda: ["model.fit, 32 of them unrolled", "random"])
    lines = []
    found = peers.compare("mlp", 2, quick=True, on_progress=lines.append)
    assert list(found) == ["model.fit, 32 of them unrolled", "random"]
    assert all(len(each) == 2 and min(each) > 0 for each in found.values())
    assert lines[-2:] == ["mlp: round 1 of 2", "mlp: round 2 of 2"]


def test_a_peer_that_fails_is_named(monkeypatch):
    monkeypatch.setattr(peers, "available", lambda: ["random"])
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(RuntimeError, match=r"the benchmark of random ended with exit code 1\."):
        peers.compare("mlp", 1)
