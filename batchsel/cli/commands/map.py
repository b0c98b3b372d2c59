"""`batchsel map`: what training says of every sample of a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from batchsel.cli.support.output import check_figure_path, save_figure

_SUSPECTS = 20


@click.command(
    "map",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExamples:\n"
    "  batchsel map --dataset digits --out map.csv --plot map.png\n"
    "  batchsel map --dataset fashion_mnist --budget 4 --plot map.svg\n"
    "  batchsel map --dataset digits --budget 5 --models 10",
)
@click.option("--dataset", required=True, help="Data set with classes.")
@click.option("--model", help="Model. [default: the card's]")
@click.option("--budget", help="'8 passes' or '480000 samples'. [default: the card's]")
@click.option("--batch-size", type=int, help="Samples of a step.")
@click.option("--learning-rate", type=float, help="Peak learning rate.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the run.")
@click.option(
    "--models",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Models to train, one seed after the other, and average over: EL2N is steadier over ten.",
)
@click.option("--out", type=click.Path(dir_okay=False), default="map.csv", show_default=True, help="A line a sample.")
@click.option("--plot", type=click.Path(dir_okay=False), help="Also draw it, as PNG or SVG.")
@click.option("--data-dir", type=click.Path(file_okay=False), help="Folder of the data, one folder for each set.")
@click.option("--offline", is_flag=True, help="Never download.")
def dataset_map(
    dataset: str, models: int, out: str, plot: str | None, data_dir: str | None, offline: bool, **settings: Any
) -> None:
    """Train with plain shuffling and write what that says of every sample.

    Columns: confidence and variability of the probability of its class (dataset cartography), share of times it was
    right, forgetting events, EL2N, last loss. Samples of least confidence are those whose label may be wrong.
    """
    from batchsel.experiments.spec import dataset_lookup
    from batchsel.experiments.spec.spec import check_names, resolve
    from batchsel.training.runtime.tf_import import import_tensorflow

    check_figure_path(plot, "--plot")
    card = dataset_lookup.card_of(dataset, data_dir, offline)
    target = {} if card.target else {"target": "loss<=0"}  # a map has no use for one
    spec = resolve({"dataset": dataset, "selector": "mapping", **target, **settings}, {}, card)
    check_names(spec)
    import_tensorflow()
    from batchsel.data.download.progress import download_progress
    from batchsel.experiments.inspect.dataset_map import draw_map, write_csv
    from batchsel.experiments.run.run_cache import RunCache

    run_cache = RunCache(data_dir, offline, download_progress)
    found = draw_map(spec, run_cache, models)
    write_csv(Path(out), found)
    click.echo(f"map: {out}, {len(found.label):,} samples")
    if plot:
        _plot(Path(plot), found, run_cache.dataset(dataset))
        click.echo(f"picture: {plot}")


def _plot(path: Path, found: Any, dataset: Any) -> None:
    import numpy as np

    from batchsel.analysis.plots.dataset_map import draw_dataset_map
    from batchsel.experiments.spec.dataset_lookup import whole

    images, captions, suspects = None, [], found.suspects()[:_SUSPECTS]
    x = np.asarray(whole(dataset.train)[0][suspects])
    if x.ndim == 4 and x.dtype == np.uint8:
        images = x
        captions = [f"{dataset.class_names[found.label[i]]} ({i})" for i in suspects]
    made = draw_dataset_map(found.confidence, found.variability, found.correctness, images, captions)
    save_figure(made, path)
