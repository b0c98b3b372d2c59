"""`batchsel map`: a data map, what training shows about every sample of a data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from batchsel.cli.support.output import FIGURE, OutputFile, check_distinct_outputs, print_beside, save_figure
from batchsel.cli.support.run_settings import require_dataset, setting_options
from batchsel.cli.support.user_data import Columns, column_options

if TYPE_CHECKING:
    from batchsel.data import Dataset
    from batchsel.experiments.inspect.dataset_map import DatasetMap

_SUSPECTS = 20


@click.command(
    "map",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExamples:\n"
    "  batchsel map --dataset digits --out map.csv --plot map.png\n"
    "  batchsel map --dataset fashion_mnist --budget 4 --plot map.svg\n"
    "  batchsel map --dataset digits --budget 5 --models 10\n"
    "  batchsel map --dataset ./mine.csv --label species",
)
@click.option(
    "--models",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Models to train, one seed after the other, and average over: EL2N is steadier over ten.",
)
@click.option(
    "--out",
    type=OutputFile(),
    default="map.csv",
    show_default=True,
    help="CSV file, one line per sample.",
)
@click.option("--plot", type=FIGURE, help="Also plot it, as PNG or SVG.")
@column_options
@setting_options(skip=("selector",))
@click.option("--data-dir", type=click.Path(file_okay=False), help="Folder of the data, with one folder per data set.")
@click.option("--offline", is_flag=True, help="Never download.")
def dataset_map(
    models: int,
    out: Path,
    plot: Path | None,
    columns: Columns,
    settings: dict[str, Any],
    data_dir: str | None,
    offline: bool,
) -> None:
    """Train with plain shuffling and write what that shows about every sample.

    Columns: confidence and variability of the probability of its class (dataset cartography), share of times it was
    right, forgetting events (all its presentations if it was never right), EL2N after a quarter of the budget, last
    loss, and the name of its class; its row in the file, from 0, where that is known; for texts also the text. Samples
    of least confidence are those whose label may be wrong.
    Training takes the whole budget and is not evaluated, so target and evaluations have no effect.
    """
    from batchsel.core.tf_support.tf_import import import_tensorflow
    from batchsel.data.user.references import source_paths
    from batchsel.experiments.spec.dataset_lookup import find_card
    from batchsel.experiments.spec.resolve import check_names, resolve

    dataset = columns.add_to(require_dataset(settings.get("dataset")))
    check_distinct_outputs({"--out": out, "--plot": plot}, source_paths(dataset))
    card = find_card(dataset, data_dir, offline)
    target = {} if card.target else {"target": "loss<=0"}  # a map has no use for one
    spec = resolve({**target, **settings, "dataset": dataset, "selector": "mapping"}, {}, card)
    check_names(spec)
    import_tensorflow()
    from batchsel.data.storage.progress import download_progress
    from batchsel.experiments.inspect.dataset_map import draw_map, write_csv
    from batchsel.experiments.run.run_cache import RunCache

    run_cache = RunCache(data_dir, offline, download_progress)
    found = draw_map(spec, run_cache, models)
    samples = run_cache.dataset(spec)
    write_csv(out, found, samples)
    print_beside(f"map: {out}, {len(found.label):,} samples", out)
    if plot:
        _plot(plot, found, samples)
        print_beside(f"figure: {plot}", plot)


def _plot(path: Path, found: DatasetMap, dataset: Dataset) -> None:
    import numpy as np

    from batchsel.analysis.plots.dataset_map import draw_dataset_map
    from batchsel.experiments.spec.dataset_lookup import load_arrays

    images, captions, suspects = None, [], found.suspects()[:_SUSPECTS]
    x = np.asarray(load_arrays(dataset.train)[0][suspects])
    if x.ndim == 4 and x.dtype == np.uint8:
        images = x
        captions = [f"{dataset.class_names[found.label[i]]} ({i})" for i in suspects]
    figure = draw_dataset_map(found.confidence, found.variability, found.correctness, images, captions)
    save_figure(figure, path)
