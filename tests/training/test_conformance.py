"""Random combinations of model, loss, metrics, optimizer, weights and data train as in `model.fit`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("first", [0, 100])
def test_random_combinations_agree_with_keras(first):
    # A process of its own: Keras collects garbage after each combination, slowly where hundreds of tests left graphs.
    command = [sys.executable, "conformance.py", "100", "--first", str(first)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    found = subprocess.run(command, cwd=ROOT / "tests/helpers", env=environment, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr[-2000:]
