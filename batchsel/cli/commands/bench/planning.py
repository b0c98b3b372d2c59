"""`batchsel bench planning`: measure the cost of planning, by selector and size of the data set."""

from __future__ import annotations

import click

from batchsel.cli.support.output import json_option, print_columns, print_json


@click.command(epilog="\b\nExample:\n  batchsel bench planning --n 10000 --n 1000000 --selector loss_ema")
@click.option(
    "--n", "sizes", type=click.IntRange(1), multiple=True, help="Samples. Repeatable. [default: 10^4 to 10^7]"
)
@click.option(
    "--selector", "selectors", multiple=True, help="Selector. Repeatable. [default: all that use the history of losses]"
)
@json_option
def planning(sizes: tuple[int, ...], selectors: tuple[str, ...], as_json: bool) -> None:
    """Measure the cost of planning.

    Reports, for each selector and size of the data set, microseconds for each chosen sample, seconds a pass, bytes a
    sample, and peak memory of a plan.
    """
    from batchsel.selectors import text

    for selector in selectors:
        text.check(selector)
    from batchsel.core.tf_support.tf_import import import_tensorflow

    import_tensorflow()
    from batchsel.benchmarks import planning as benchmark

    costs = benchmark.planning_costs(selectors or benchmark.history_methods(), sizes or benchmark.SIZES)
    if as_json:
        print_json({"planning": [cost._asdict() for cost in costs]})
        return
    rows = [("selector", "n", "us a chosen sample", "s a pass", "bytes a sample", "peak MB")]
    for cost in costs:
        each, a_pass = f"{cost.microseconds:.4f}", f"{cost.seconds_a_pass:.3g}"
        peak = "" if cost.peak_megabytes is None else f"{cost.peak_megabytes:.0f}"
        rows.append((cost.selector, f"{cost.n:,}", each, a_pass, f"{cost.bytes_a_sample:.0f}", peak))
    print_columns(rows)
