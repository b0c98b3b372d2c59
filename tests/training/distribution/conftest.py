"""Processes for tests on two devices: TensorFlow divides the CPU only before it starts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

_HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def on_two_devices():
    """Return a function that calls one of `device_runs`, or another module here, in a new process; it returns the same."""

    def call(function, *arguments, module="device_runs", status=0):
        command = [sys.executable, str(_HERE / f"{module}.py"), function, *map(str, arguments)]
        done = subprocess.run(
            command, env=os.environ | {"BATCHSEL_CPU_DEVICES": "2"}, capture_output=True, text=True, timeout=1200
        )
        assert done.returncode == status, done.stderr
        return json.loads(done.stdout.splitlines()[-1]) if status == 0 else None

    return call
