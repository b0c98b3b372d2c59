"""`batchsel bench`: measure the speed of the loop, of devices, planning, schedules and streaming on this machine."""

from __future__ import annotations

import click

from batchsel.cli.commands.bench.devices import devices
from batchsel.cli.commands.bench.loop import loop
from batchsel.cli.commands.bench.peers import peers
from batchsel.cli.commands.bench.planning import planning
from batchsel.cli.commands.bench.schedules import schedules
from batchsel.cli.commands.bench.streaming import streaming


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExamples:\n  batchsel bench loop --task mlp\n  batchsel bench planning --n 100000 --selector loss_ema",
)
def bench() -> None:
    """Measure the training loop, its peers, devices, planning, schedules or streaming on this machine."""


for _command in (devices, loop, peers, planning, schedules, streaming):
    bench.add_command(_command)
