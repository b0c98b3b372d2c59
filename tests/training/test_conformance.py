"""Random combinations of model, loss, metrics, optimizer, weights and data train as in `model.fit`."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_random_combinations_agree_with_keras():
    # Processes of their own: Keras collects garbage after each combination, slowly where hundreds of tests left graphs.
    commands = [[sys.executable, "conformance.py", "100", "--first", first] for first in ("0", "100")]
    options = {"cwd": ROOT / "tests/helpers", "env": os.environ | {"PYTHONPATH": str(ROOT)}, "text": True}
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options) for command in commands
    ]
    found = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0, 0], "".join(text[-4000:] for text in found)
