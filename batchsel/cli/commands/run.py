"""`batchsel run`: one run on a data set, to its target."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from batchsel.cli.support import display
from batchsel.cli.support.output import check_figure_path
from batchsel.cli.support.user_data import OWN, own_data
from batchsel.errors import UsageError, UserError
from batchsel.training.runtime.tf_import import import_tensorflow

_SETTINGS = (
    (
        "--dataset",
        str,
        "Data set: a name, see `batchsel datasets list`; or ./mine.csv:label, ./pictures, ./mine.txt, ./mine.py:load, "
        "tfds:NAME.",
    ),
    ("--model", str, "Model, as in mlp or 'mlp(hidden=[64, 64])' or ./mine.py:build."),
    ("--selector", str, "Selector: a name or a pipe, see `batchsel selectors list`; or ./mine.py:Mine."),
    ("--batch-size", int, "Samples of a step."),
    ("--optimizer", str, "Optimizer, as in adam or 'sgd(momentum=0.9)'."),
    ("--learning-rate", float, "Peak learning rate."),
    ("--schedule", str, "Learning rate over the budget, as in 'cosine | warmup(0.05)'; see `batchsel schedules list`."),
    ("--budget", str, "'8 passes', '480000 samples' or '30 seconds'."),
    ("--target", str, "As in 'accuracy>=0.91', 'loss<=0.3', or a level of the card: easy, medium, hard."),
    ("--seed", int, "Seed of weights and choices. [default: 0]"),
    ("--evaluations", int, "Points of the evaluation grid over the budget. [default: 40]"),
    ("--label-noise", float, "Share of the training labels made wrong on purpose. [default: 0]"),
    ("--label-noise-kind", str, "symmetric (any other class) or asymmetric (the next). [default: symmetric]"),
    ("--imbalance", float, "Size of the first training class over that of the last. [default: 1, as it is]"),
    ("--train-share", float, "Share of the training part to train on, always the same samples. [default: 1]"),
    ("--label-smoothing", float, "Smooth labels in training; every loss but that of training is without. [default: 0]"),
    ("--augment", str, "Changes of the training samples, as in 'crop(4) | flip'; see `batchsel augmentations list`."),
    (
        "--curriculum",
        str,
        "How samples look over time, as in 'blur(sigma=1.0, until=0.2)'; see `batchsel curricula list`.",
    ),
    ("--accumulate", str, "Batches of one update: 4, or growing as in 'grow(2, at=[0.5, 0.75])'. [default: 1]"),
    ("--compile", str, "How the loop is compiled: auto, graph or xla. [default: auto]"),
)
_SWITCHES = (
    ("--deterministic/--no-deterministic", "Make TensorFlow's operations deterministic."),
    ("--mixed-precision/--no-mixed-precision", "Compute in 16 bits where that is safe."),
    ("--cut-padding/--no-cut-padding", "Cut batches of padded sequences to the longest in them."),
)


def settings(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that a spec is made of; each is also read from BATCHSEL_<NAME>.

    Args:
        function: The command.
    """
    for declaration, text in reversed(_SWITCHES):
        name = declaration.split("/")[0].lstrip("-").replace("-", "_")
        function = click.option(declaration, default=None, envvar=f"BATCHSEL_{name.upper()}", help=text)(function)
    for declaration, kind, text in reversed(_SETTINGS):
        name = declaration.lstrip("-").replace("-", "_")
        function = click.option(declaration, type=kind, envvar=f"BATCHSEL_{name.upper()}", help=text)(function)
    return function


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExamples:\n"
    "  batchsel run --dataset digits --selector loss_ema\n"
    "  batchsel run --dataset fashion_mnist --selector 'loss_ema | mix(0.2)' --target hard --seed 3\n"
    "  batchsel run --dataset ./mine.csv --label species --target 'accuracy>=0.9'\n"
    "  batchsel run --dataset lm_text --file book.txt --target 'perplexity<=80'\n"
    "  batchsel run --dataset digits --measure end --measure noise_scale\n"
    "  batchsel run --resume runs/fashion_mnist-loss_ema-0-1a2b3c4d",
)
@settings
@click.option("--label", help="Of a CSV, TSV or Parquet file as data set: the column that holds the label.")
@click.option("--file", "own", help="Data of your own, with --dataset table, images or lm_text: a file, or a folder.")
@click.option("--config", type=click.Path(dir_okay=False), help="TOML file of these settings; options win over it.")
@click.option("--data-dir", type=click.Path(file_okay=False), help="Folder of the data, one folder for each set.")
@click.option("--offline", is_flag=True, help="Never download.")
@click.option("--out", type=click.Path(file_okay=False), default="runs", show_default=True, help="Folder for results.")
@click.option("--resume", type=click.Path(), help="Go on with an interrupted run: its folder.")
@click.option("--plot", type=click.Path(dir_okay=False), help="Write a picture of the run, PNG or SVG.")
@click.option(
    "--measure",
    "measures",
    multiple=True,
    metavar="NAME",
    help="What to measure besides, off the clock: end (training and test part with the last weights), noise_scale (of"
    " gradients), snr (of the features of layers). May be given again.",
)
@click.option("--tensorboard", is_flag=True, help="Write TensorBoard logs into the run's folder.")
@click.option("--progress", type=click.Choice(display.MODES), default="auto", help="How progress is shown.")
@click.option("--json", "as_json", is_flag=True, help="Print the record as one JSON object.")
@click.option("--print-config", is_flag=True, help="Print the resolved settings as TOML, and stop.")
@click.pass_context
def run(
    context: click.Context,
    config: str | None,
    data_dir: str | None,
    offline: bool,
    out: str,
    resume: str | None,
    plot: str | None,
    measures: tuple[str, ...],
    tensorboard: bool,
    progress: str,
    label: str | None,
    own: str | None,
    as_json: bool,
    print_config: bool,
    **given: Any,
) -> None:
    """Train on a data set until its target is reached, and say how long that took.

    Exit code 3 if the budget ends before the target is reached, 130 after Ctrl-C.
    """
    from batchsel.experiments.spec import spec as specs
    from batchsel.experiments.spec.diagnostic_names import check_measures

    check_measures(measures)
    spec = _resumed(resume, given, config) if resume else _resolved(given, label, own, config, data_dir, offline)
    if print_config:
        click.echo(specs.to_toml(spec), nl=False)
        return
    specs.check_names(spec)
    _check_plot(plot)
    folder = Path(resume).parent if resume else Path(out)
    if not as_json:
        click.echo(specs.to_toml(spec))
    record = _run(spec, folder, progress, data_dir, offline, resume, tensorboard, measures)
    _finish(record, folder, plot, as_json)
    context.exit(0 if record["reached"] else 3)


def _resolved(
    given: dict[str, Any], label: str | None, own: str | None, config: str | None, data_dir: str | None, offline: bool
) -> Any:
    from batchsel import cards
    from batchsel.data.builders.user_images import is_folder, load_folder
    from batchsel.data.builders.user_table import is_table, load_table
    from batchsel.data.download.progress import download_progress
    from batchsel.data.sets.lm_text import is_text
    from batchsel.experiments.spec import dataset_lookup
    from batchsel.experiments.spec import spec as specs

    file = specs.read_file(config) if config else {}
    dataset = given["dataset"] or file.get("dataset")
    if dataset is None:
        known = ", ".join(cards.names("datasets"))
        raise UsageError(f"which data set? Give --dataset NAME; known: {known}.")
    if own or dataset in OWN:
        dataset = given["dataset"] = own_data(dataset, own)
    if label and (is_text(dataset) or is_folder(dataset) or not ("." in dataset or "/" in dataset)):
        raise UsageError(f"--label names the column of a table; {dataset} is none. Leave it out.")
    if label:
        dataset = given["dataset"] = f"{dataset}:{label}"
    if is_table(dataset):
        for column in load_table(dataset)[1]:
            click.echo(column.text, err=True)
    elif is_folder(dataset):
        for line in load_folder(dataset, progress=download_progress)[1]:
            click.echo(line, err=True)
    return specs.resolve(given, file, dataset_lookup.card_of(dataset, data_dir, offline))


def _resumed(resume: str, given: dict[str, Any], config: str | None) -> Any:
    from batchsel.experiments.spec import spec as specs

    path = Path(resume) / "config.toml"
    if not path.is_file() or not (Path(resume) / "checkpoint.npz").is_file():
        raise UsageError(f"{resume} holds no interrupted run (config.toml and checkpoint.npz). Expected runs/NAME.")
    # Settings of the environment are defaults; those of the run win over them.
    source = click.get_current_context().get_parameter_source
    changed = [name for name in given if source(name) is click.core.ParameterSource.COMMANDLINE]
    if changed or config:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in changed) or "--config"
        raise UsageError(f"--resume goes on with the run's own settings; leave out {named}.")
    return specs.RunSpec(**specs.read_file(path))


def _check_plot(plot: str | None) -> None:
    check_figure_path(plot, "--plot")
    if plot and not Path(plot).resolve().parent.is_dir():
        raise UsageError(f"--plot {plot!r}: there is no folder {str(Path(plot).parent)!r}.")


def _run(
    spec: Any,
    out: Path,
    progress: str,
    data_dir: str | None,
    offline: bool,
    resume: str | None,
    tensorboard: bool,
    measures: tuple[str, ...],
) -> dict[str, Any]:
    from batchsel.experiments.spec.budget import Budget

    def share(state: dict[str, Any]) -> float:
        return Budget.parse(spec.budget).share(state["passes"], state["samples"], state["seconds"])

    with display.watching(progress, spec.target, share) as watch:
        import_tensorflow()
        from batchsel.data.download.progress import download_progress
        from batchsel.experiments.run.runner import RunContext, run

        context = RunContext(
            out,
            data_dir,
            offline,
            resume=resume is not None,
            folder=None if resume is None else Path(resume),
            tensorboard=tensorboard,
            measures=measures,
            download_progress=download_progress,
            watch=watch,
        )
        try:
            return run(spec, context)
        except (KeyboardInterrupt, UserError) as error:
            folder = Path(resume) if resume else out / spec.identity()
            if (folder / "checkpoint.npz").is_file():
                _say_what_is_left(error, folder)
            raise


def _say_what_is_left(error: BaseException, folder: Path) -> None:
    from batchsel.training import TrainingError

    if isinstance(error, KeyboardInterrupt):
        click.echo(f"\ninterrupted; go on with: batchsel run --resume {folder}", err=True)
    elif isinstance(error, TrainingError):
        click.echo(f"the last checkpoint before it is kept: {folder / 'checkpoint.npz'}", err=True)


def _finish(record: dict[str, Any], out: Path, plot: str | None, as_json: bool) -> None:
    from batchsel.cli.support.output import print_json
    from batchsel.cli.support.summary import lines

    if plot:
        from batchsel.analysis.plots.run import save_run_figure
        from batchsel.core.files import atomic_write
        from batchsel.experiments.run.parse_record import parse_run

        with atomic_write(Path(plot)) as beside:
            save_run_figure(parse_run(record), beside)
    if as_json:
        print_json(record)
        return
    click.echo("\n".join(lines(record)))
    click.echo(f"record: {out / 'records.jsonl'}" + (f"   picture: {plot}" if plot else ""))
