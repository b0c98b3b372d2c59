"""`batchsel predict` and `batchsel code`: predictions of a run's model, and a run as a Python program."""

from __future__ import annotations

import codecs
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from batchsel.cli.support.output import FIGURE, print_columns, print_json, save_figure
from batchsel.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    from batchsel.experiments.inspect.prediction import Prediction, TrainedRun

_COUNT, _PLOT_COUNT = 10, 25
_NEXT = 2
"""Classes shown after the most likely one."""


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExamples:\n"
    '  batchsel predict runs/sentiment140-random-0-1a2b3c4d "what a day" "never again"\n'
    "  batchsel predict runs/sentiment140-random-0-1a2b3c4d - < texts.txt\n"
    "  batchsel predict runs/fashion_mnist-loss_ema-0-1a2b3c4d --wrong --plot wrong.png",
)
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@click.option(
    "--count", type=click.IntRange(1), help=f"Samples of the test part. [default: {_COUNT}, in a plot {_PLOT_COUNT}]"
)
@click.option("--wrong", is_flag=True, help="Only samples of the test part for which the prediction is wrong.")
@click.option("--plot", type=FIGURE, help="Also plot them, as PNG or SVG; for images.")
@click.option("--data-dir", type=click.Path(file_okay=False), help="Folder of the data, with one folder per data set.")
@click.option("--offline", is_flag=True, help="Never download.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def predict(
    run: Path,
    texts: tuple[str, ...],
    count: int | None,
    wrong: bool,
    plot: Path | None,
    data_dir: str | None,
    offline: bool,
    as_json: bool,
) -> None:
    """Predict with the model of a run, with its weights at the target, or the last if that was not reached.

    RUN is the folder of the run. With a run on texts, each TEXT is classified, or each line of standard input for "-";
    a language model continues it. Without texts, samples of the test part are predicted, at even distances, and shown
    with their true class.
    """
    from batchsel.core.tf_support.tf_import import import_tensorflow
    from batchsel.experiments.run.run_folder import read_settings
    from batchsel.experiments.spec.resolve import check_names

    if texts and (plot or wrong or count):
        raise UsageError("--plot, --wrong and --count are for samples of the test part; leave them or the texts out.")
    given = _read_texts(texts)
    spec = read_settings(run)
    check_names(spec)
    click.echo(f"reading {spec.dataset}", err=True)
    import_tensorflow()
    from batchsel.data.storage.progress import download_progress
    from batchsel.experiments.inspect.prediction import load_run
    from batchsel.experiments.run.run_cache import RunCache

    trained = load_run(run, RunCache(data_dir, offline, download_progress))
    if plot and trained.image_shape is None:
        raise UsageError(f"--plot is for images, and {spec.dataset} has none.")
    if trained.dataset.task == "language_model" and not texts:
        raise UsageError("a language model continues a text. Give its beginning, as in batchsel predict RUN 'I am'.")
    wrong_count, predictions = None, trained.predict_texts(given) if texts else None
    if predictions is None:
        wrong_count, rows = _select_rows(trained, count or (_PLOT_COUNT if plot else _COUNT), wrong)
        predictions = trained.predict_test(rows)
    if plot:
        _plot(trained, predictions, wrong_count, plot)
    if as_json:
        _print_json(run, trained, predictions, wrong_count)
    else:
        _print(run, trained, predictions, wrong_count)


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExamples:\n"
    "  batchsel code runs/digits-loss_ema-0-1a2b3c4d\n"
    "  batchsel code runs/digits-loss_ema-0-1a2b3c4d > train.py",
)
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--data-dir", type=click.Path(file_okay=False), help="Folder of the data, with one folder per data set.")
@click.option("--offline", is_flag=True, help="Never download.")
def code(run: Path, data_dir: str | None, offline: bool) -> None:
    """Print Python code that does the same as a run: the same data, model, choices and evaluations.

    RUN is the folder of the run.
    """
    from batchsel.data.storage.progress import download_progress
    from batchsel.data.user.image_folder import is_image_folder
    from batchsel.data.user.split_files import is_split_files
    from batchsel.data.user.text_folder import is_text_folder
    from batchsel.experiments.inspect.program import write_program
    from batchsel.experiments.run.run_folder import has_vocabulary, read_settings
    from batchsel.experiments.spec.dataset_lookup import find_card
    from batchsel.experiments.spec.resolve import check_names

    spec = read_settings(run)
    check_names(spec)
    card = find_card(spec.dataset, data_dir, offline, download_progress)
    in_memory = is_split_files(spec.dataset) or is_text_folder(spec.dataset)
    on_disk = card.loader in ("class_folders", "image_folder") or (is_image_folder(spec.dataset) and not in_memory)
    has_words = card.task == "classification" and has_vocabulary(run)
    click.echo(write_program(spec, card.task, on_disk, str(run), has_words), nl=False)


def _read_texts(texts: tuple[str, ...]) -> list[str]:
    if "-" not in texts:
        return list(texts)
    raw = sys.stdin.buffer.read()
    marked = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        # Only line breaks end a text; str.splitlines would cut at others, such as U+2028.
        lines = io.StringIO(raw.decode("utf-16" if marked else "utf-8-sig"), newline=None)
    except UnicodeDecodeError as error:
        raise UsageError(f"standard input is not UTF-8 text: byte {error.object[error.start]:#04x}.") from error
    found = [text for line in lines if (text := line.strip())]
    if not found:
        raise UsageError("there is no text on standard input. Expected one text per line.")
    return [text for given in texts for text in (found if given == "-" else [given])]


def _select_rows(trained: TrainedRun, count: int, wrong: bool) -> tuple[int | None, np.ndarray]:
    """Return the number of wrong predictions, if only those are wanted, and the rows to show."""
    import numpy as np

    from batchsel.experiments.inspect.prediction import take_evenly

    size = len(trained.dataset.test)
    click.echo(f"predicting {size if wrong else min(count, size):,} samples of the test part", err=True)
    if not wrong:
        return None, take_evenly(count, np.arange(size))
    rows = trained.wrong_rows()
    return len(rows), take_evenly(count, rows)


def _plot(trained: TrainedRun, predictions: list[Prediction], wrong_count: int | None, path: Path) -> None:
    import numpy as np

    from batchsel.analysis.plots.predictions import draw_predictions

    if not predictions:
        click.echo("no plot: there is nothing to show", err=True)
        return
    x, _ = trained.test_samples(np.array([one.sample for one in predictions]))
    predicted = [f"{one.predicted} {one.probabilities[str(one.predicted)]:.2f}" for one in predictions]
    truth = [str(one.true) if one.wrong else "" for one in predictions]
    total = f"{len(trained.dataset.test):,} test samples" if wrong_count is None else f"{wrong_count:,} wrong ones"
    title = f"{trained.spec.model} on {trained.spec.dataset}, {len(predicted)} of {total}: predicted class, probability"
    save_figure(draw_predictions(x.reshape(-1, *(trained.image_shape or ())), predicted, truth, title), path)
    click.echo(f"figure: {path}", err=True)


def _print_json(run: Path, trained: TrainedRun, predictions: list[Prediction], wrong_count: int | None) -> None:
    known = [{name: value for name, value in one._asdict().items() if value is not None} for one in predictions]
    weights = {"weights": "target" if trained.at_target else "last", "samples": trained.samples}
    counts = {} if wrong_count is None else {"wrong": wrong_count, "test": len(trained.dataset.test)}
    print_json({"run": str(run), "dataset": trained.spec.dataset, **weights, **counts, "predictions": known})


def _print(run: Path, trained: TrainedRun, predictions: list[Prediction], wrong_count: int | None) -> None:
    spec = trained.spec
    which, missed = ("those at the target", "") if trained.at_target else ("the last", ", which was not reached")
    weights = f"{which}, after {trained.samples:,} samples (target {spec.target}{missed})"
    facts = [("run", f"{run}: {spec.model} on {spec.dataset}"), ("weights", weights)]
    if wrong_count is not None:
        facts.append(("wrong", f"{wrong_count:,} of {len(trained.dataset.test):,} samples of the test part"))
    print_columns(facts)
    if predictions:
        click.echo()
        print_columns(_table(predictions))
    for one in predictions:
        if one.known_words == 0:
            click.echo(f"the run knows no word of {one.text!r}: its prediction means nothing", err=True)


def _table(predictions: list[Prediction]) -> list[tuple[str, ...]]:
    """Return header and rows, without empty columns."""
    header = ("SAMPLE", "TRUE", "PREDICTED", "", "PROBABILITY", "NEXT", "TEXT")
    rows = [header, *map(_cells, predictions)]
    shown = [column for column in range(len(header)) if any(row[column] for row in rows[1:])]
    return [tuple(row[column] for column in shown) for row in rows]


def _cells(one: Prediction) -> tuple[str, ...]:
    first, *others = sorted(one.probabilities.items(), key=lambda item: -item[1]) or [("", 0.0)]
    return (
        "" if one.sample is None else str(one.sample),
        "" if one.true is None else _format(one.true),
        " ".join(_format(one.predicted).split()),
        "wrong" if one.wrong else "",
        f"{first[1]:.3f}" if one.probabilities else "",
        ", ".join(f"{name} {share:.3f}" for name, share in others[:_NEXT]),
        " ".join((one.text or "").split()),
    )


def _format(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"
