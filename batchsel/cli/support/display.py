"""Progress of a run on standard error: a live line on a terminal, else a line for each evaluation."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

MODES = ("auto", "rich", "plain", "off")
COUNTED = ("steps", "samples", "scored", "plans", "seconds")
"""Entries of an evaluation that are not metrics."""

State = dict[str, Any]
Show = Callable[[State], None]
Say = Callable[[str], None]


@contextmanager
def watch(mode: str, target: str, used_share: Callable[[State], float]) -> Iterator[tuple[Show | None, Say]]:
    """Open a progress display, for `RunContext.watch` and `RunContext.on_wait`.

    Args:
        mode: "auto" (rich on a terminal, plain elsewhere), "rich", "plain" or "off".
        target: Target of the run.
        used_share: Function that returns the used share of the budget.

    Yields:
        A function that shows the state of a run, or None; and one that shows a line about what it waits for.
    """
    if mode == "auto":
        mode = "rich" if sys.stderr.isatty() else "plain"
    if mode == "rich":
        with _live(target, used_share) as functions:
            yield functions
    else:
        yield (_plain(target) if mode == "plain" else None), _say


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _metrics(state: State) -> str:
    evaluation = state["evaluation"] or {}
    return ", ".join(f"{name} {value:.4g}" for name, value in evaluation.items() if name not in COUNTED)


def _plain(target: str) -> Show:
    def show(state: State) -> None:
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
def _live(target: str, used_share: Callable[[State], float]) -> Iterator[tuple[Show, Say]]:
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

        def show(state: State) -> None:
            rate = state["steps"] / max(state["seconds"], 1e-9)
            value = (state["evaluation"] or {}).get(metric)
            shown = "..." if value is None else f"{value:.4f}"
            text = f"{metric} {shown} ({sign}{threshold})  {state['passes']:.1f} passes  {rate:,.0f} steps/s"
            progress.update(task, completed=used_share(state), description=text)

        def say(line: str) -> None:
            # Above the live line, which is too short for it and says only what the run does.
            progress.console.print(line, markup=False, highlight=False, soft_wrap=True)
            progress.update(task, description="waiting")

        yield show, say
