"""`batchsel datasets`: list, show, fetch, verify and convert data sets."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from batchsel.cli.support.card_text import card_facts, summarize_cards
from batchsel.cli.support.fetching import describe_missing, fetch
from batchsel.cli.support.output import FIGURE, SCHEMA, json_option, print_columns, save_figure
from batchsel.errors import UsageError, UserError

if TYPE_CHECKING:
    from batchsel.cards.schema import DatasetCard

_PLOTTED = 2000
"""Samples that a plot of data on disk shows at most."""
_SMALL_BYTES = 100_000_000
_data_dir = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder with one folder for each data set. [default: $BATCHSEL_DATA, else the user cache]",
)
_offline = click.option("--offline", is_flag=True, help="Never download.")
_plot = click.option("--plot", type=FIGURE, help="Also plot samples, as PNG or SVG; needs the data.")
_name = click.argument("name")


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExample:\n  batchsel datasets list\n  batchsel datasets fetch fashion_mnist",
)
def datasets() -> None:
    """List, show, fetch, verify and convert data sets."""


def _command(name: str, *options: Callable[[Any], Any], example: str) -> Callable[[Any], click.Command]:
    """Return a decorator that adds a command to the group, with options and an example in its help."""

    def register(function: Callable[..., None]) -> click.Command:
        for option in reversed(options):
            function = option(function)
        return datasets.command(name, epilog=f"\b\nExample:\n  {example}")(function)

    return register


@_command("list", json_option, _data_dir, example="batchsel datasets list --json")
def list_datasets(as_json: bool, data_dir: Path | None) -> None:
    """List all data sets and the state of their files."""
    rows = summarize_cards(data_dir)
    if as_json:
        _print_json({"datasets": rows})
        return
    table: list[tuple[str, ...]] = [("NAME", "TASK", "TRAIN", "VALID", "TEST", "SHAPE", "TARGET", "DATA")]
    for row in rows:
        numbers = [f"{size:,}" for size in row["sizes"].values()]
        shape = "x".join(map(str, row["input_shape"]))
        missing = describe_missing(row["missing_bytes"]) if row["fetchable"] else "to be put there by hand"
        table.append((row["name"], row["task"], *numbers, shape, row["target"], row["found"] or missing))
    print_columns(table)


@_command(
    "show", _name, json_option, _data_dir, _offline, _plot, example="batchsel datasets show digits --plot digits.png"
)
def show_dataset(name: str, as_json: bool, data_dir: Path | None, offline: bool, plot: Path | None) -> None:
    """Show the card of a data set, and plot its samples."""
    from batchsel.data.user.references import has_no_card

    card = _find_card(name, data_dir, offline)
    if plot:
        _plot_samples(name if has_no_card(name) else card, data_dir, offline, plot)
    if as_json:
        _print_json({**dataclasses.asdict(card), "target": card.target})
        return
    click.echo(f"{card.title} ({card.name})\n\n{card.story}\n")
    print_columns(card_facts(card))
    if not card.targets:
        return
    click.echo("\nTargets")
    print_columns([(f"  {level}", target.text, target.reason) for level, target in card.targets.items()])


@_command(
    "fetch",
    click.argument("names", nargs=-1, metavar="NAME..."),
    click.option(
        "--all-small", is_flag=True, help=f"All whose files are known to be at most {_SMALL_BYTES // 10**6} MB."
    ),
    json_option,
    _data_dir,
    _offline,
    example="batchsel datasets fetch mnist cifar10 --data-dir ~/data\n  batchsel datasets fetch --all-small",
)
def fetch_datasets(
    names: tuple[str, ...], all_small: bool, as_json: bool, data_dir: Path | None, offline: bool
) -> None:
    """Download missing files of data sets. Interrupted downloads resume."""
    if all_small:
        names += tuple(_small_names())
    if not names:
        raise UsageError("nothing to fetch. Name data sets, as `batchsel datasets list` shows them, or --all-small.")
    rows = []
    # All cards first: a misspelled name is reported before anything is downloaded.
    for card in [_load_card(name) for name in dict.fromkeys(names)]:
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


def _small_names() -> list[str]:
    """Return the data sets with files to download that are small."""
    from batchsel import cards

    every = [cards.load("datasets", name) for name in cards.names("datasets")]
    return [
        card.name
        for card in every
        if card.files and sum(file.bytes or _SMALL_BYTES + 1 for file in card.files) <= _SMALL_BYTES
    ]


@_command("verify", _name, json_option, _data_dir, example="batchsel datasets verify fashion_mnist")
def verify_dataset(name: str, as_json: bool, data_dir: Path | None) -> None:
    """Read a data set and compare all of it with its card, without downloading."""
    from batchsel import data
    from batchsel.data.verification import DIFFERENT, RIGHT, count_duplicates, verify

    card = _load_card(name)
    dataset, files, checked = verify(card, folder=data_dir)
    twice = count_duplicates(dataset)
    found = data.find(card, folder=data_dir)
    sizes = {part: len(samples) for part, samples in dataset.splits.items()}
    if as_json:
        facts = {"name": name, "found": found, "sizes": sizes, "checked": checked, "split": dataset.split_fingerprint}
        _print_json({**facts, "files": files, "also in training": twice})
        return
    counts = ", ".join(f"{size:,} {part}" for part, size in sizes.items())
    whole = [file for file, state in files.items() if state == RIGHT]
    if checked:
        click.echo(f"{name} is right: {counts} ({found}; checked: SHA-256 of {', '.join(checked)}).")
    elif whole:
        click.echo(
            f"{name} is right: {counts} ({found}; checked: SHA-256 of the file{'s' * (len(whole) > 1)}"
            f" {', '.join(whole)})."
        )
    else:
        click.echo(
            f"{name} is whole: {counts} ({found}). Its content is not compared: the card has no hash of this form."
        )
    for file, state in files.items():
        if state == DIFFERENT:
            click.echo(f"{file} differs from the one on the card, but its content is right.")
    for part, count in twice.items():
        if count:
            click.echo(f"{count:,} of {sizes[part]:,} {part} samples also occur in the training part.")


@_command("path", _name, json_option, _data_dir, example="ls $(batchsel datasets path mnist)")
def print_dataset_path(name: str, as_json: bool, data_dir: Path | None) -> None:
    """Print the folder for the files of a data set."""
    from batchsel.data.download.fetch import data_folder

    folder = data_folder(_load_card(name).folder, data_dir)
    if as_json:
        _print_json({"name": name, "path": str(folder), "exists": folder.is_dir()})
    else:
        click.echo(folder)


@_command(
    "convert",
    _name,
    click.option(
        "--to", "form", required=True, metavar="csv|npz", help="CSV files of samples, or one npz like those of Keras."
    ),
    click.option(
        "--out",
        type=click.Path(file_okay=False, path_type=Path),
        help="Folder for the files, created if missing. [default: the name of the data set]",
    ),
    click.option("--force", is_flag=True, help="Replace existing files."),
    json_option,
    _data_dir,
    _offline,
    example="batchsel datasets convert mnist --to csv --out mnist_csv",
)
def convert_dataset(
    name: str, form: str, out: Path | None, force: bool, as_json: bool, data_dir: Path | None, offline: bool
) -> None:
    """Write the parts of a data set, or of your own data, as CSV or npz, for other programs.

    Values are those of the files. The training part includes the rows of a validation part that was carved from it, in
    the order of the official files; an official one is written apart. CSV: train.csv, test.csv and valid.csv; for
    images "label,pixel0,pixel1,...", bytes, row by row, the channels of a pixel side by side; for tables "label" and
    the features, not scaled; for texts "label,text". npz: x_train, y_train, x_test and y_test, with class numbers; for
    texts word numbers, and "vocabulary", the words from number 2 on (subwords from 0 on). What was written can be read
    back: `batchsel run --dataset ./mnist_csv`.
    """
    from batchsel.data.convert import convert, output_paths
    from batchsel.data.user.references import has_no_card

    card = name if has_no_card(name) else _find_card(name, data_dir, offline)
    title = _plain_name(name)
    folder = out or Path(title if title == name else f"{title}_{form}")
    possible = output_paths(title, form, folder, ("train", "validation", "test"))
    there = [path for path in possible if path.exists()]
    if there and not force:
        raise UserError(f"already there: {', '.join(map(str, there))}. Give --force to replace them, or another --out.")
    dataset = dataclasses.replace(_load(card, data_dir, offline), name=title)
    files = convert(dataset, form, folder, lambda line: click.echo(line, err=True))
    sizes = {path.name: path.stat().st_size for path in files}
    if as_json:
        _print_json({"name": name, "path": str(folder), "files": sizes})
    else:
        click.echo("\n".join(f"{path}: {sizes[path.name]:,} bytes" for path in files))


def _find_card(name: str, data_dir: Path | None, offline: bool) -> DatasetCard:
    """Return the card of a data set, or one with general defaults for a user's own data."""
    from batchsel.experiments.spec.dataset_lookup import find_card

    return find_card(name, None if data_dir is None else str(data_dir), offline)


def _plain_name(name: str) -> str:
    """Return a name for files: that of a card, or the last part of a path without its ending and options."""
    from batchsel.data.user.references import has_no_card

    return re.split(r"[.:]", Path(name).name)[0] or "data" if has_no_card(name) else name


def _load(card: DatasetCard | str, data_dir: Path | None, offline: bool) -> Any:
    from batchsel import data
    from batchsel.data.storage.progress import download_progress

    if (
        not isinstance(card, str) and "words" in card.options
    ):  # a vocabulary is learned with TensorFlow, whose start is noisy
        from batchsel.core.tf_support.tf_import import import_tensorflow

        import_tensorflow()
    return data.load(card, folder=data_dir, offline=offline, progress=download_progress)


def _plot_samples(card: DatasetCard | str, data_dir: Path | None, offline: bool, path: Path) -> None:
    import numpy as np

    from batchsel import data
    from batchsel.analysis.plots.dataset import draw_dataset
    from batchsel.experiments.spec.dataset_lookup import take_samples

    dataset = _load(card, data_dir, offline)
    train, n = dataset.train, len(dataset.train)
    if isinstance(train, data.Split):
        x, y = train.x, train.y
    else:
        x, y = take_samples(train, np.linspace(0, n - 1, min(n, _PLOTTED)).astype(int))
        click.echo(f"plotted from {len(y):,} of {n:,} training samples, which are not in memory", err=True)
    save_figure(draw_dataset(x, y, dataset.class_names, dataset.feature_names), path)
    click.echo(f"figure: {path}", err=True)


def _load_card(name: str) -> DatasetCard:
    from batchsel.experiments.spec.card_problems import load_dataset_card

    return load_dataset_card(name)


def _print_json(values: dict[str, Any]) -> None:
    click.echo(json.dumps({"schema": SCHEMA, **values}, ensure_ascii=False, indent=2))
