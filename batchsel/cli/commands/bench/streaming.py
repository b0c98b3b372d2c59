"""`batchsel bench streaming`: compare samples read from disk with samples in memory."""

from __future__ import annotations

import click

from batchsel.cli.commands.bench.options import format_spread, quick_option, rounds_option, show_progress
from batchsel.cli.support.output import json_option, print_columns, print_json


@click.command(epilog="\b\nExample:\n  batchsel bench streaming --rounds 3")
@rounds_option
@quick_option
@json_option
def streaming(rounds: int, quick: bool, as_json: bool) -> None:
    """Compare samples read from disk with samples in memory.

    Reports the speed, and the memory that a large data set takes.
    """
    from batchsel.core.tf_support.tf_import import import_tensorflow

    import_tensorflow()
    from batchsel.benchmarks import streaming as benchmark

    sizes = {"rounds": 1, "n": 2000} if quick else {"rounds": rounds}
    speed = benchmark.measure_speed(**sizes, on_progress=show_progress)
    memory = benchmark.measure_memory(1 << 22) if quick else benchmark.measure_memory()
    if as_json:
        print_json({"quick": quick, "speed": speed, "memory": memory})
        return
    share = format_spread(speed["share_of_the_speed_in_memory"], 3)
    megabytes = {key: memory[f"{key}_bytes"] / 1e6 for key in ("set", "buffer")}
    rise = memory["rise_bytes"]
    print_columns(
        [
            ("speed", f"{share} of that in memory, median of {speed['rounds']} rounds [min, max], n = {speed['n']:,}"),
            ("set", f"{megabytes['set']:.0f} MB, read through a buffer of {megabytes['buffer']:.0f} MB"),
            ("memory", "unknown here" if rise is None else f"rose by {rise / 1e6:.0f} MB during a pass over it"),
        ]
    )
