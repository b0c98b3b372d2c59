"""`batchsel spirals`: generate points on Archimedean spirals, as a table and as a figure."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from batchsel.cli.support.output import OutputFile, check_distinct_outputs, print_beside, save_figure
from batchsel.core.filesystem.atomic_write import atomic_write

if TYPE_CHECKING:
    import numpy as np

_TABLES = (".csv", ".npz")
_FIGURES = (".png", ".svg", ".pdf")


@click.command(
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
    epilog="\b\nExample:\n  batchsel spirals --arms 3 --out spirals.csv --plot spirals.png --difficulty",
)
@click.option("--arms", default=2, help="Number of arms and classes, k.")
@click.option("--turns", default=2.0, help="Turns of each arm about the center.")
@click.option("--samples", default=2000, help="Number of points.")
@click.option("--noise", default=0.02, help="Standard deviation of the Gaussian noise, for an outer radius of 1.")
@click.option("--seed", default=0, help="Seed of noise and order.")
@click.option("--difficulty", is_flag=True, help="Add the distance of each point to the nearest other arm.")
@click.option("--out", type=OutputFile(*_TABLES), help="Write FILE.csv or FILE.npz.")
@click.option("--plot", type=OutputFile(*_FIGURES), help="Plot into FILE.png, .svg or .pdf.")
def spirals(difficulty: bool, out: Path | None, plot: Path | None, **numbers: Any) -> None:
    """Generate points on Archimedean spirals r = a + b * theta.

    Without --out and --plot, print the table. A CSV file has the columns x1, x2, label and, with --difficulty,
    difficulty; an npz file has the arrays x, y and difficulty. Both can be read back as data sets, without difficulty,
    which is made from the label.
    """
    check_distinct_outputs({"--out": out, "--plot": plot})
    from batchsel.data.sets import spirals as generator

    arms, turns = numbers["arms"], numbers["turns"]
    x, y = generator.make_spirals(**numbers)
    columns = {"x": x, "y": y}
    if difficulty:
        columns["difficulty"] = generator.difficulty(x, y, arms=arms, turns=turns)
    if out is None and plot is None:
        _write_csv(sys.stdout.buffer, **columns)
    if out is not None:
        _write_table(out, columns)
        print_beside(f"{out}: {len(x)} points on {arms} arms", out)
    if plot is not None:
        title = "{arms} arms, {turns:g} turns, noise {noise:g}, n = {samples}, seed {seed}".format(**numbers)
        _plot(plot, columns, title)
        print_beside(f"{plot}: {title}", plot)


def _write_table(path: Path, columns: dict[str, Any]) -> None:
    import numpy as np

    with atomic_write(path) as beside, beside.open("wb") as stream:
        if path.suffix.lower() == ".npz":
            np.savez(stream, **columns)
        else:
            _write_csv(stream, **columns)


def _write_csv(stream: BinaryIO, x: np.ndarray, y: np.ndarray, difficulty: np.ndarray | None = None) -> None:
    from batchsel.data.builders.tables import SPIRAL_COLUMNS

    extra = [] if difficulty is None else [difficulty]
    header = SPIRAL_COLUMNS[: 3 + len(extra)]
    stream.write(f"{','.join(header)}\n".encode())
    for first, second, label, *more in zip(*x.T, y, *extra, strict=True):
        # Nine digits restore a float32 to the last bit.
        values = [f"{first:.9g}", f"{second:.9g}", str(label), *(f"{value:.9g}" for value in more)]
        stream.write(f"{','.join(values)}\n".encode())


def _plot(path: Path, columns: dict[str, np.ndarray], title: str) -> None:
    from batchsel.analysis.plots.spirals import spirals_figure

    save_figure(spirals_figure(**columns, title=title), path)
