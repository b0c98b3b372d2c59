"""GPUs of this machine, found without TensorFlow, which would take hold of them.

A GPU is named by its number in the order of the PCI bus, as ``CUDA_VISIBLE_DEVICES`` names it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"
SIMULATED = "BATCHSEL_SIMULATED_GPUS"
"""Environment variable: a number of GPUs to pretend, so that runs are handed out as on a machine that has them."""
_DEVICES = Path("/dev")
_DRIVER = Path("/proc/driver/nvidia/gpus")


def simulated() -> int:
    """Return the number of GPUs that are only pretended; 0 if real ones count."""
    text = os.environ.get(SIMULATED, "")
    return int(text) if text.isdecimal() else 0


def installed() -> list[str]:
    """Return all GPUs of the machine, or of the container.

    Example:
        >>> isinstance(installed(), list)
        True
    """
    if count := simulated():
        return [str(number) for number in range(count)]
    found = [re.fullmatch(r"nvidia(\d+)", path.name) for path in _DEVICES.glob("nvidia*")]
    return [str(number) for number in range(sum(match is not None for match in found))]


def visible() -> list[str]:
    """Return the GPUs that this process may use: all, or those that ``CUDA_VISIBLE_DEVICES`` names.

    Like CUDA, it ignores everything from the first name on that is none of a GPU.
    """
    every = installed()
    text = os.environ.get(VISIBLE)
    if text is None:
        return every
    by_uuid = _numbers_by_uuid()
    chosen: list[str] = []
    for name in map(str.strip, text.split(",")):
        number = next((known for uuid, known in by_uuid.items() if name and uuid.startswith(name)), name)
        if number not in every or number in chosen:
            break
        chosen.append(number)
    return chosen


def environment(number: str) -> dict[str, str]:
    """Return the environment variables with which a process uses one GPU.

    Args:
        number: Number of the GPU.

    Example:
        >>> environment("3")
        {'CUDA_DEVICE_ORDER': 'PCI_BUS_ID', 'CUDA_VISIBLE_DEVICES': '3'}
    """
    return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", VISIBLE: number}


def _numbers_by_uuid() -> dict[str, str]:
    """Return the numbers of GPUs by their UUIDs, as far as the driver tells them."""
    numbers = {}
    for place, folder in enumerate(sorted(_DRIVER.glob("*"))):
        try:
            text = (folder / "information").read_text("utf-8")
        except OSError:
            continue
        if match := re.search(r"^GPU UUID:\s*(\S+)", text, re.MULTILINE):
            numbers[match[1]] = str(place)
    return numbers
