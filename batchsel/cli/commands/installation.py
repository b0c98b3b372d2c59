"""`batchsel doctor` and `batchsel completion`: check the installation, and complete commands in a shell."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from batchsel.cli.support.output import json_option, print_columns, print_json
from batchsel.core.tf_support.tf_import import import_tensorflow

_HELP = {"help_option_names": ["-h", "--help"]}
_COMPLETION = {
    "bash": 'eval "$(_BATCHSEL_COMPLETE=bash_source batchsel)"',
    "zsh": 'eval "$(_BATCHSEL_COMPLETE=zsh_source batchsel)"',
    "fish": "_BATCHSEL_COMPLETE=fish_source batchsel | source",
}
_STRIDED = """
import tensorflow as tf
x, kernel = tf.zeros([32, 64, 64, 8]), tf.zeros([1, 1, 8, 16])
with tf.GradientTape() as tape:
    tape.watch([x, kernel])
    y = tf.nn.conv2d(x, kernel, 2, "SAME")
tape.gradient(y, [x, kernel])
"""
"""The gradient of a 1x1 convolution with stride 2, which with oneDNN ends the process on some machines."""


@click.command(context_settings=_HELP, epilog="\b\nExample:\n  batchsel completion bash >> ~/.bashrc")
@click.argument("shell", type=click.Choice(sorted(_COMPLETION)))
def completion(shell: str) -> None:
    """Print the line that turns on completion, for the start-up file of SHELL."""
    click.echo(_COMPLETION[shell])


@click.command(context_settings=_HELP, epilog="\b\nExample:\n  batchsel doctor --json")
@json_option
def doctor(as_json: bool) -> None:
    """Show versions, devices, threads and folders, and try a run of at most five seconds."""
    from batchsel.data import data_folder
    from batchsel.experiments.run import environment

    facts: dict[str, Any] = {**environment.versions(), **environment.machine()}
    if not as_json:
        click.echo("checking devices and trying a short run ...", err=True)
    import_tensorflow()
    from batchsel.training.model.distributed.scope import list_devices
    from batchsel.training.runtime.devices import describe_device, devices, threads

    facts["device"] = describe_device()
    facts |= {"devices": ", ".join(devices()), **{f"{name} threads": count for name, count in threads().items()}}
    facts["devices of a run"] = _describe_devices(list_devices())
    facts["data folder"] = str(data_folder("NAME").parent)
    facts["strided 1x1 convolutions"] = _try_strided_convolution()
    facts |= _short_run()
    if as_json:
        print_json(facts)
        return
    print_columns([(name, str(value)) for name, value in facts.items()])


def _describe_devices(names: list[str]) -> str:
    """Return the devices that a run can use, and how it would."""
    if len(names) == 1:
        return f"{names[0]}, the only one"
    return f"{', '.join(names)}; {names[0]} by default, all with --devices all"


def _try_strided_convolution() -> str:
    """Try the operation in a process of its own, which may end with it."""
    done = subprocess.run([sys.executable, "-c", _STRIDED], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if done.returncode == 0:
        return "work"
    return (
        "end the process below TensorFlow (no model of batchsel has them; for others, set TF_ENABLE_ONEDNN_OPTS=0, or"
        " take the stride before the convolution: x[:, ::2, ::2])"
    )


def _short_run() -> dict[str, Any]:
    from batchsel import cards
    from batchsel.experiments.run.runner import RunContext, run
    from batchsel.experiments.spec.resolve import resolve

    given = {"budget": "5 seconds", "selector": "loss_ema"}
    spec = resolve(given, {}, cards.load("datasets", "spirals"))
    with tempfile.TemporaryDirectory() as folder:
        record = run(spec, RunContext(out=Path(folder)))
    return {
        "short run": f"{spec.target} {'reached' if record['reached'] else 'not reached'}",
        "steps per second": round(record["counts"]["steps"] / max(record["seconds"]["training"], 1e-9)),
        "compiled by": "XLA" if record["xla"] else "TensorFlow (graph mode)",
    }
