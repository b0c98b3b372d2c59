"""`batchsel datasets`: what data sets there are, and whether theirs are the right bytes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from batchsel.cli.support.card_text import facts_of, summaries
from batchsel.cli.support.fetching import fetch, wanted
from batchsel.cli.support.output import SCHEMA, check_picture, print_columns, save_picture
from batchsel.errors import UserError

if TYPE_CHECKING:
    from batchsel.cards.schema import DatasetCard

_LOOKED_AT = 2000
"""Samples that a picture of data on the disk is drawn from."""
_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_data_dir = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder with one folder for each data set. [default: $BATCHSEL_DATA, else the user's cache]",
)
_offline = click.option("--offline", is_flag=True, help="Never download.")
_plot = click.option("--plot", type=click.Path(dir_okay=False), help="Also draw it, as PNG or SVG; needs the data.")
_name = click.argument("name")


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExample:\n  batchsel datasets list\n  batchsel datasets fetch fashion_mnist",
)
def datasets() -> None:
    """List, show, fetch, verify and convert data sets."""


def _command(name: str, *options: Callable[[Any], Any], example: str) -> Callable[[Any], click.Command]:
    """A command of the group, with its options and an example at the end of its help."""

    def register(function: Callable[..., None]) -> click.Command:
        for option in reversed(options):
            function = option(function)
        return datasets.command(name, epilog=f"\b\nExample:\n  {example}")(function)

    return register


@_command("list", _as_json, _data_dir, example="batchsel datasets list --json")
def list_datasets(as_json: bool, data_dir: Path | None) -> None:
    """List all data sets, and which of them are there."""
    rows = summaries(data_dir)
    if as_json:
        _print_json({"datasets": rows})
        return
    table = [("NAME", "TASK", "TRAIN", "VALID", "TEST", "SHAPE", "TARGET", "DATA")]
    for row in rows:
        numbers = [f"{size:,}" for size in row["sizes"].values()]
        shape = "x".join(map(str, row["input_shape"]))
        missing = wanted(row["missing_bytes"]) if row["fetchable"] else "to be put there by hand"
        table.append((row["name"], row["task"], *numbers, shape, row["target"], row["found"] or missing))
    print_columns(table)


@_command(
    "show", _name, _as_json, _data_dir, _offline, _plot, example="batchsel datasets show digits --plot digits.png"
)
def show_dataset(name: str, as_json: bool, data_dir: Path | None, offline: bool, plot: str | None) -> None:
    """Show the card of a data set, and draw its samples."""
    check_picture(plot, "--plot")
    card = _card(name)
    if plot:
        _draw(card, data_dir, offline, Path(plot))
    if as_json:
        _print_json({**dataclasses.asdict(card), "target": card.target})
        return
    click.echo(f"{card.title} ({card.name})\n\n{card.story}\n")
    print_columns(facts_of(card))
    click.echo("\nTargets")
    print_columns([(f"  {level}", target.text, target.reason) for level, target in card.targets.items()])


@_command(
    "fetch",
    click.argument("names", nargs=-1, required=True, metavar="NAME..."),
    _as_json,
    _data_dir,
    _offline,
    example="batchsel datasets fetch mnist cifar10 --data-dir ~/data",
)
def fetch_datasets(names: tuple[str, ...], as_json: bool, data_dir: Path | None, offline: bool) -> None:
    """Download what is missing of data sets. A download that was interrupted goes on where it stopped."""
    rows = []
    # All cards first: a misspelled name is told before anything is downloaded.
    for card in [_card(name) for name in dict.fromkeys(names)]:
        try:
            rows.append(fetch(card, data_dir, offline))
        except UserError as error:
            if len(names) == 1:
                raise
            click.echo(f"Error: {error}", err=True)
            rows.append({"name": card.name, "error": str(error)})
        else:
            if not as_json:
                click.echo("{name}: {found}".format(**rows[-1]) + (f" in {rows[-1]['path']}" if card.files else ""))
    if as_json:
        _print_json(rows[0] if len(names) == 1 else {"datasets": rows})
    failed = [row["name"] for row in rows if "error" in row]
    if failed:
        raise UserError(f"{len(failed)} of {len(rows)} data sets were not fetched: {', '.join(failed)}. See above.")


@_command("verify", _name, _as_json, _data_dir, example="batchsel datasets verify fashion_mnist")
def verify_dataset(name: str, as_json: bool, data_dir: Path | None) -> None:
    """Read a data set and compare all of it with its card; never downloads."""
    from batchsel import data
    from batchsel.data.duplicates import repeated
    from batchsel.data.verification import DIFFERENT, verify

    card = _card(name)
    dataset, files = verify(card, folder=data_dir)
    twice = repeated(dataset)
    found = data.find(card, folder=data_dir)
    sizes = {part: len(samples) for part, samples in dataset.parts.items()}
    checked = sorted(card.content)
    if as_json:
        facts = {"name": name, "found": found, "sizes": sizes, "checked": checked, "split": dataset.split}
        _print_json({**facts, "files": files, "also in training": twice})
        return
    counts = ", ".join(f"{size:,} {part}" for part, size in sizes.items())
    hashes = f"SHA-256 of {', '.join(checked)}" if checked else "shapes and labels, the card has no hashes"
    click.echo(f"{name} is right: {counts} ({found}; checked: {hashes}).")
    for file, state in files.items():
        if state == DIFFERENT:
            click.echo(f"{file} differs from the one on the card, but what is in it is right.")
    for part, count in twice.items():
        if count:
            click.echo(f"{count:,} of {sizes[part]:,} {part} samples occur in the training part, too.")


@_command("path", _name, _as_json, _data_dir, example="ls $(batchsel datasets path mnist)")
def path_of_dataset(name: str, as_json: bool, data_dir: Path | None) -> None:
    """Print the folder where the files of a data set lie or will lie."""
    from batchsel.data.download.fetch import data_folder

    folder = data_folder(_card(name).folder, data_dir)
    if as_json:
        _print_json({"name": name, "path": str(folder), "exists": folder.is_dir()})
    else:
        click.echo(folder)


@_command(
    "convert",
    _name,
    click.option("--to", "form", required=True, metavar="csv|npz", help="CSV files of samples, or one npz as Keras's."),
    click.option(
        "--out",
        type=click.Path(file_okay=False, path_type=Path),
        help="Folder for the files; it need not exist. [default: one named like the data set]",
    ),
    click.option("--force", is_flag=True, help="Replace files that are there."),
    _as_json,
    _data_dir,
    _offline,
    example="batchsel datasets convert mnist --to csv --out mnist_csv",
)
def convert_dataset(
    name: str, form: str, out: Path | None, force: bool, as_json: bool, data_dir: Path | None, offline: bool
) -> None:
    """Write a data set as other programs read it: training and test part, values as in the files.

    The training part holds the rows of the validation part, too, in the order of the official files. CSV: train.csv
    and test.csv; of images "label,pixel0,pixel1,...", bytes, row by row, the channels of a pixel side by side; of
    tables "label" and the features, not scaled; of texts "label,text". npz: x_train, y_train, x_test and y_test, with
    class numbers; of texts word numbers, and "vocabulary", the words from number 2 on (subwords from 0 on).
    """
    from batchsel.data.convert import convert, files_of

    card, folder = _card(name), out or Path(name)
    there = [path for path in files_of(card.name, form, folder) if path.exists()]
    if there and not force:
        raise UserError(f"already there: {', '.join(map(str, there))}. Give --force to replace, or another --out.")
    dataset = _loaded(card, data_dir, offline)
    files = convert(dataset, form, folder, lambda line: click.echo(line, err=True))
    sizes = {path.name: path.stat().st_size for path in files}
    if as_json:
        _print_json({"name": name, "path": str(folder), "files": sizes})
    else:
        click.echo("\n".join(f"{path}: {sizes[path.name]:,} bytes" for path in files))


def _loaded(card: DatasetCard, data_dir: Path | None, offline: bool) -> Any:
    from batchsel import data
    from batchsel.data.download.progress import download_progress

    if "words" in card.options:  # a vocabulary is learned with TensorFlow, whose start is noisy
        from batchsel.training.runtime.tf_import import import_tensorflow

        import_tensorflow()
    return data.load(card, folder=data_dir, offline=offline, progress=download_progress)


def _draw(card: DatasetCard, data_dir: Path | None, offline: bool, path: Path) -> None:
    import numpy as np

    from batchsel import data
    from batchsel.analysis.plots.dataset import draw_dataset
    from batchsel.experiments.spec.dataset_lookup import some

    dataset = _loaded(card, data_dir, offline)
    train, n = dataset.train, len(dataset.train)
    if isinstance(train, data.Part):
        x, y = train.x, train.y
    else:
        x, y = some(train, np.linspace(0, n - 1, min(n, _LOOKED_AT)).astype(int))
        click.echo(f"drawn from {len(y):,} of {n:,} training samples, which do not lie in memory", err=True)
    save_picture(draw_dataset(x, y, dataset.class_names, dataset.feature_names), path)
    click.echo(f"picture: {path}", err=True)


def _card(name: str) -> DatasetCard:
    from batchsel import cards

    return cards.load("datasets", name)


def _print_json(values: dict[str, Any]) -> None:
    click.echo(json.dumps({"schema": SCHEMA, **values}, ensure_ascii=False, indent=2))
