"""Options and progress lines that the benchmarks share."""

from __future__ import annotations

from collections.abc import Mapping

import click

rounds_option = click.option(
    "--rounds", type=click.IntRange(1), default=5, show_default=True, help="Time each arm this often, in turn."
)
quick_option = click.option("--quick", is_flag=True, help="Use few samples and one round: a smoke test, not a result.")


def show_progress(line: str) -> None:
    """Print a line on standard error."""
    click.echo(line, err=True)


def format_spread(ratio: Mapping[str, float], digits: int) -> str:
    """Return the median of a ratio with its minimum and maximum.

    Example:
        >>> format_spread({"median": 1.25, "min": 1.0, "max": 1.5}, 2)
        '1.25 [1.00, 1.50]'
    """
    return f"{ratio['median']:.{digits}f} [{ratio['min']:.{digits}f}, {ratio['max']:.{digits}f}]"
