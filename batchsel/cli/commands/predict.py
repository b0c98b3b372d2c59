"""`batchsel predict`: what the model of a run says of texts, or of samples of the test part."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from batchsel.cli.support.output import check_figure_path, print_columns, print_json, save_figure
from batchsel.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    from batchsel.experiments.inspect.prediction import Prediction, TrainedRun

_FEW, _GRID = 10, 25
_NEXT = 2
"""Classes that are named behind the likeliest."""


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExamples:\n"
    '  batchsel predict runs/sentiment140-random-0-1a2b3c4d "what a day" "never again"\n'
    "  batchsel predict runs/sentiment140-random-0-1a2b3c4d - < texts.txt\n"
    "  batchsel predict runs/fashion_mnist-loss_ema-0-1a2b3c4d --wrong --plot wrong.png",
)
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@click.option("--count", type=click.IntRange(1), help=f"Samples of the test part. [default: {_FEW}, of a plot {_GRID}]")
@click.option("--wrong", is_flag=True, help="Only samples of the test part for which the prediction is wrong.")
@click.option("--plot", type=click.Path(dir_okay=False), help="Also draw them, as PNG or SVG; for pictures.")
@click.option("--data-dir", type=click.Path(file_okay=False), help="Folder of the data, one folder for each set.")
@click.option("--offline", is_flag=True, help="Never download.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def predict(
    run: Path,
    texts: tuple[str, ...],
    count: int | None,
    wrong: bool,
    plot: str | None,
    data_dir: str | None,
    offline: bool,
    as_json: bool,
) -> None:
    """Say what the model of a run predicts, with its weights at the target, or the last if that was not reached.

    RUN is the folder of the run. Of a run on texts, each TEXT is classified, or each line of standard input for "-"; a
    language model goes on with it.
    Without texts, samples of the test part are, at even distances, and what is right is shown, too.
    """
    from batchsel.experiments.run.run_folder import settings_of
    from batchsel.experiments.spec.spec import check_names
    from batchsel.training.runtime.tf_import import import_tensorflow

    check_figure_path(plot, "--plot")
    if texts and (plot or wrong or count):
        raise UsageError("--plot, --wrong and --count are for samples of the test part; leave them or the texts out.")
    given = _given(texts)
    spec = settings_of(run)
    check_names(spec)
    click.echo(f"reading {spec.dataset}", err=True)
    import_tensorflow()
    from batchsel.data.download.progress import download_progress
    from batchsel.experiments.inspect.prediction import load_run
    from batchsel.experiments.run.run_cache import RunCache

    trained = load_run(run, RunCache(data_dir, offline, download_progress))
    if plot and trained.picture_shape is None:
        raise UsageError(f"--plot is for pictures, and {spec.dataset} has none.")
    if trained.dataset.task == "language_model" and not texts:
        raise UsageError("a language model goes on with a text: give its beginning, as in batchsel predict RUN 'I am'.")
    number_wrong, predictions = None, trained.of_texts(given) if texts else None
    if predictions is None:
        number_wrong, rows = _rows(trained, count or (_GRID if plot else _FEW), wrong)
        predictions = trained.of_test(rows)
    if plot:
        _draw(trained, predictions, number_wrong, Path(plot))
    _print(run, trained, predictions, number_wrong, as_json)


def _given(texts: tuple[str, ...]) -> list[str]:
    if "-" not in texts:
        return list(texts)
    try:
        lines = sys.stdin.buffer.read().decode().splitlines()
    except UnicodeDecodeError as error:
        raise UsageError(f"standard input is no UTF-8 text: byte {error.object[error.start]:#04x}.") from error
    found = [line.strip() for line in lines if line.strip()]
    if not found:
        raise UsageError("there is no text on standard input. Expected a text a line.")
    return [text for place in texts for text in (found if place == "-" else [place])]


def _rows(trained: TrainedRun, count: int, wrong: bool) -> tuple[int | None, np.ndarray]:
    """How many of the test part are wrong, if that is asked for, and the rows to show."""
    import numpy as np

    from batchsel.experiments.inspect.prediction import evenly

    size = len(trained.dataset.test)
    click.echo(f"predicting {size if wrong else min(count, size):,} samples of the test part", err=True)
    if not wrong:
        return None, evenly(count, np.arange(size))
    rows = trained.wrong_rows()
    return len(rows), evenly(count, rows)


def _draw(trained: TrainedRun, predictions: list[Prediction], number_wrong: int | None, path: Path) -> None:
    import numpy as np

    from batchsel.analysis.plots.predictions import draw_predictions

    if not predictions:
        click.echo("no picture: there is nothing to show", err=True)
        return
    x, _ = trained.test_samples(np.array([one.sample for one in predictions]))
    said = [f"{one.predicted} {one.probabilities[one.predicted]:.2f}" for one in predictions]
    right = [str(one.true) if one.wrong else "" for one in predictions]
    of = f"{len(trained.dataset.test):,} test samples" if number_wrong is None else f"{number_wrong:,} wrong ones"
    title = f"{trained.spec.model} on {trained.spec.dataset}, {len(said)} of {of}: predicted class, its probability"
    save_figure(draw_predictions(x.reshape(-1, *trained.picture_shape), said, right, title), path)
    click.echo(f"picture: {path}", err=True)


def _print(
    run: Path, trained: TrainedRun, predictions: list[Prediction], number_wrong: int | None, as_json: bool
) -> None:
    spec, size = trained.spec, len(trained.dataset.test)
    if as_json:
        known = [{name: value for name, value in one._asdict().items() if value is not None} for one in predictions]
        weights = {"weights": "target" if trained.at_target else "last", "samples": trained.samples}
        found = {} if number_wrong is None else {"wrong": number_wrong, "test": size}
        print_json({"run": str(run), "dataset": spec.dataset, **weights, **found, "predictions": known})
        return
    which, missed = ("those at the target", "") if trained.at_target else ("the last", ", which was not reached")
    weights = f"{which}, after {trained.samples:,} samples (target {spec.target}{missed})"
    facts = [("run", f"{run}: {spec.model} on {spec.dataset}"), ("weights", weights)]
    if number_wrong is not None:
        facts.append(("wrong", f"{number_wrong:,} of {size:,} samples of the test part"))
    print_columns(facts)
    if predictions:
        click.echo()
        print_columns(_table(predictions))
    for one in predictions:
        if one.known_words == 0:
            click.echo(f"the run knows no word of {one.text!r}: its prediction says nothing", err=True)


def _table(predictions: list[Prediction]) -> list[tuple[str, ...]]:
    """Header and rows, without the columns that nothing is known for."""
    header = ("SAMPLE", "TRUE", "PREDICTED", "", "PROBABILITY", "NEXT", "TEXT")
    rows = [header, *map(_cells, predictions)]
    shown = [place for place in range(len(header)) if any(row[place] for row in rows[1:])]
    return [tuple(row[place] for place in shown) for row in rows]


def _cells(one: Prediction) -> tuple[str, ...]:
    first, *others = sorted(one.probabilities.items(), key=lambda item: -item[1]) or [("", 0.0)]
    return (
        "" if one.sample is None else str(one.sample),
        "" if one.true is None else _short(one.true),
        " ".join(_short(one.predicted).split()),
        "wrong" if one.wrong else "",
        f"{first[1]:.3f}" if one.probabilities else "",
        ", ".join(f"{name} {share:.3f}" for name, share in others[:_NEXT]),
        " ".join((one.text or "").split()),
    )


def _short(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"
