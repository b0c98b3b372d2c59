"""Progress of a run on standard error: a live line on a terminal, else a line for each evaluation."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

MODES = ("auto", "rich", "plain", "off")


@contextmanager
def watching(mode: str, target: str, share: Callable[[dict[str, Any]], float]) -> Iterator[Any]:
    """A function that shows the state of a run, or None.

    Args:
        mode: "auto" (rich on a terminal, plain elsewhere), "rich", "plain" or "off".
        target: What the run is to reach.
        share: Gives the share of the budget that is used up.

    Yields:
        What `RunContext.watch` takes.
    """
    if mode == "auto":
        mode = "rich" if sys.stderr.isatty() else "plain"
    if mode == "rich":
        with _live(target, share) as show:
            yield show
    else:
        yield _plain(target) if mode == "plain" else None


def _metrics(state: dict[str, Any]) -> str:
    counted = ("steps", "samples", "scored", "plans", "seconds")
    evaluation = state["evaluation"] or {}
    return ", ".join(f"{name} {value:.4g}" for name, value in evaluation.items() if name not in counted)


def _plain(target: str) -> Any:
    def show(state: dict[str, Any]) -> None:
        if state["evaluated"]:
            rate = state["steps"] / max(state["seconds"], 1e-9)
            print(
                f"{state['passes']:6.2f} passes  {state['seconds']:8.2f} s  {rate:9,.0f} steps/s  "
                f"{_metrics(state)}  (target {target})",
                file=sys.stderr,
                flush=True,
            )

    return show


@contextmanager
def _live(target: str, share: Callable[[dict[str, Any]], float]) -> Iterator[Any]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        BarColumn(bar_width=16),
        TextColumn("{task.percentage:3.0f}%"),
        TextColumn("{task.description}"),
        TimeRemainingColumn(),
    )
    metric, sign, threshold = re.split("(>=|<=)", target)
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("compiling", total=1.0)

        def show(state: dict[str, Any]) -> None:
            rate = state["steps"] / max(state["seconds"], 1e-9)
            reached = (state["evaluation"] or {}).get(metric)
            value = "..." if reached is None else f"{reached:.4f}"
            words = f"{metric} {value} ({sign}{threshold})  {state['passes']:.1f} passes  {rate:,.0f} steps/s"
            progress.update(task, completed=share(state), description=words)

        yield show
