"""Output of commands: JSON, columns, and figures in files."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from batchsel.errors import UsageError, UserError

if TYPE_CHECKING:
    from batchsel.experiments.run.records import Problem

SCHEMA = 1
"""Schema of the JSON objects that commands print."""
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object, with its `schema`.

    Example:
        >>> print_json({"names": []})
        {"schema": 1, "names": []}
    """
    click.echo(json.dumps({"schema": SCHEMA, **value}))


def print_columns(rows: Sequence[Sequence[str]]) -> None:
    """Print rows of cells in columns, the last one ragged.

    Example:
        >>> print_columns([("a", "b"), ("long", "c")])
        a     b
        long  c
    """
    for line in format_columns(rows):
        click.echo(line)


def format_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of cells as lines in columns, the last one ragged.

    Example:
        >>> format_columns([("a", "b"), ("long", "c")])
        ['a     b', 'long  c']
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def print_notes(problems: Iterable[Problem], notes: Iterable[str]) -> list[str]:
    """Print on standard error what was left out of records and which of several records of a run count.

    Args:
        problems: Lines that were left out.
        notes: Sentences without an end.

    Returns:
        All of them, for a report.
    """
    left_out, notes = list(_join(problems)), list(notes)
    for line in left_out:
        click.echo(f"left out: {line}", err=True)
    for note in notes:
        click.echo(f"note: {note}.", err=True)
    return left_out + notes


def _join(problems: Iterable[Problem]) -> Iterator[str]:
    """Yield a text for each problem, and one for lines that follow one another with the same: files of another kind."""
    for _, group in itertools.groupby(enumerate(problems), lambda each: _run_of_lines(*each)):
        first, *others = (problem for _, problem in group)
        yield f"{first.path}, lines {first.line} to {others[-1].line}: {first.description}" if others else str(first)


def _run_of_lines(place: int, problem: Problem) -> tuple[Path, int, str]:
    return problem.path, problem.line - place, problem.description


class OutputFile(click.ParamType):
    """A file that a command writes, checked before anything is computed for it.

    ``-`` stands for standard output. Links are followed; devices and pipes are written as they are.

    Args:
        suffixes: Endings of the name, each with its dot; none to take any.

    Example:
        >>> OutputFile(".png", ".svg").convert("curves.jpg", None, None)
        Traceback (most recent call last):
        batchsel.errors.UsageError: the file writes .png or .svg, got 'curves.jpg'.
    """

    name = "file"

    def __init__(self, *suffixes: str) -> None:
        self._suffixes = suffixes

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path.

        Raises:
            UsageError: If it cannot be written or has another ending.
        """
        from batchsel.core.filesystem.atomic_write import STANDARD_OUTPUT, check_output, is_stream

        option = param.opts[0] if param is not None and param.opts else "the file"
        path = STANDARD_OUTPUT if value == "-" else Path(value)
        if self._suffixes and path.suffix.lower() not in self._suffixes and not is_stream(path):
            raise UsageError(f"{option} writes {join_words(self._suffixes)}, got {str(value)!r}.")
        try:
            check_output(path)
        except UserError as error:
            raise UsageError(f"{option}: {error}") from error
        return path


FIGURE = OutputFile(".png", ".svg")


def join_words(words: Sequence[str]) -> str:
    """Return words as a list of alternatives.

    Example:
        >>> join_words([".png", ".svg", ".pdf"])
        '.png, .svg or .pdf'
    """
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


def check_distinct_outputs(outputs: Mapping[str, Path | None], inputs: Iterable[Path] = ()) -> None:
    """Check that no output would replace another one or what is read.

    Args:
        outputs: Options and their files.
        inputs: Files that are read.

    Raises:
        UsageError: If one would.

    Example:
        >>> check_distinct_outputs({"--csv": Path("a"), "--json": Path("./a")})
        Traceback (most recent call last):
        batchsel.errors.UsageError: --json would replace what --csv writes. Choose another file.
    """
    from batchsel.core.filesystem.atomic_write import is_stream

    streams: dict[str, str] = {}
    taken = {os.path.realpath(path): f"{path} that is read" for path in inputs}
    for option, path in outputs.items():
        if path is None:
            continue
        if is_stream(path):
            if str(path) in streams and str(path) != os.devnull:
                raise UsageError(f"{streams[str(path)]} and {option} would be mixed. Choose a file for one of them.")
            streams[str(path)] = option
            continue
        place = os.path.realpath(path)
        if place in taken:
            raise UsageError(f"{option} would replace {taken[place]}. Choose another file.")
        taken[place] = f"what {option} writes"


def print_beside(text: str, *outputs: Path | None) -> None:
    """Print a line on outputs that were written; on standard error if one is a stream, which holds its content.

    Args:
        text: The line.
        outputs: The files; None for one that was not asked for.
    """
    from batchsel.core.filesystem.atomic_write import is_stream

    click.echo(text, err=any(path is not None and is_stream(path) for path in outputs))


def save_figure(figure: Any, path: Path) -> None:
    """Write a Matplotlib figure in the format of its suffix, PNG where a device has none."""
    from batchsel.core.filesystem.atomic_write import atomic_write

    with atomic_write(path) as beside:
        figure.savefig(beside, format=path.suffix.lstrip(".").lower() or "png", dpi=160)
