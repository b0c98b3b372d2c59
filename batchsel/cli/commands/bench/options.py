"""Options and progress lines that the benchmarks share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from batchsel.errors import unknown_name

if TYPE_CHECKING:
    from batchsel.benchmarks.tasks import Task

tasks_option = click.option("--task", "tasks", multiple=True, help="Task: mlp, cnn or lstm. Repeatable. [default: all]")
rounds_option = click.option(
    "--rounds", type=click.IntRange(1), default=5, show_default=True, help="Time each arm this often, in turn."
)
quick_option = click.option("--quick", is_flag=True, help="Use few samples and one round: a smoke test, not a result.")


def select_tasks(names: Sequence[str], quick: bool) -> list[Task]:
    """Return tasks by name.

    Args:
        names: The names; all tasks if there is none.
        quick: Whether to take few samples of each.

    Raises:
        UsageError: If a name is unknown.

    Example:
        >>> [task.n for task in select_tasks(["mlp"], quick=True)]
        [512]
    """
    from batchsel.benchmarks.tasks import TASKS

    for name in names:
        if name not in TASKS:
            raise unknown_name("task", name, TASKS)
    return [TASKS[name].quick() if quick else TASKS[name] for name in names or TASKS]


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
