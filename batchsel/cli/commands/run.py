"""`batchsel run`: one run on a data set, to its target."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from batchsel.cli.support import display
from batchsel.cli.support.output import FIGURE, print_json, save_figure
from batchsel.cli.support.run_settings import resolve_new_run, resolve_resumed_run, setting_options, tracker_options
from batchsel.cli.support.summary import describe, summarize
from batchsel.cli.support.user_data import Columns, column_options
from batchsel.core.tf_support.tf_import import import_tensorflow
from batchsel.errors import UsageError, UserError, working_on
from batchsel.experiments.run.run_folder import CHECKPOINT, CONFIG, check_run_name
from batchsel.experiments.spec.budget import Budget
from batchsel.experiments.spec.run_spec import RunSpec, to_toml


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
@setting_options()
@column_options
@click.option("--file", help="User data, with --dataset table, images or lm_text: a file or a folder.")
@click.option("--config", type=click.Path(dir_okay=False), help="TOML file of these settings; options win over it.")
@click.option("--data-dir", type=click.Path(file_okay=False), help="Folder of the data, with one folder per data set.")
@click.option("--offline", is_flag=True, help="Never download.")
@click.option("--out", type=click.Path(file_okay=False), default="runs", show_default=True, help="Folder for results.")
@click.option("--name", help="Name of the run and of its folder. [default: data set, selector, seed and a digest]")
@click.option("--resume", type=click.Path(), help="Folder of an interrupted run to resume.")
@click.option(
    "--changed-code", is_flag=True, help="With --resume: go on although Python files that the run uses have changed."
)
@click.option("--restart", is_flag=True, help="Delete the checkpoint of an interrupted run in the same folder.")
@click.option("--plot", type=FIGURE, help="Plot the run, as PNG or SVG.")
@click.option(
    "--measure",
    "diagnostics",
    multiple=True,
    metavar="NAME",
    help="Also measure, off the clock: end (training and test part with the last weights), noise_scale (of gradients),"
    " snr (of the features of layers). May be repeated.",
)
@tracker_options
@click.option("--progress", type=click.Choice(display.MODES), default="auto", help="Form of the progress display.")
@click.option("--json", "as_json", is_flag=True, help="Print the record as one JSON object.")
@click.option("--print-config", is_flag=True, help="Print the resolved settings as TOML, and stop.")
@click.pass_context
def run(
    click_context: click.Context,
    settings: dict[str, Any],
    columns: Columns,
    file: str | None,
    config: str | None,
    data_dir: str | None,
    offline: bool,
    out: str,
    resume: str | None,
    changed_code: bool,
    restart: bool,
    plot: Path | None,
    diagnostics: tuple[str, ...],
    name: str | None,
    trackers: dict[str, str],
    progress: str,
    as_json: bool,
    print_config: bool,
) -> None:
    """Train on a data set until its target is reached, and report how long that took.

    Exit code 3 if the budget ends before the target is reached, 130 after Ctrl-C, 143 or 129 after SIGTERM or SIGHUP;
    after these the run can be resumed from its checkpoint.
    """
    from batchsel.experiments.run.records import check_folder
    from batchsel.experiments.spec.resolve import check_diagnostics, check_names

    check_diagnostics(diagnostics)
    if resume and restart:
        raise UsageError("--resume goes on from the checkpoint that --restart deletes. Leave one of them out.")
    if resume and name:
        raise UsageError("--resume keeps the name of the run. Leave out --name.")
    check_run_name(name)
    if resume:
        spec = resolve_resumed_run(Path(resume), settings, config, changed_code)
    else:
        spec = resolve_new_run(settings, config, columns, file, data_dir, offline)
    check_names(spec)
    if print_config:
        click.echo(to_toml(spec), nl=False)
        return
    run_folder = Path(resume) if resume else Path(out) / (name or spec.identity())
    check_folder(run_folder.parent)
    if not as_json:
        click.echo("\n".join(describe(spec, run_folder / CONFIG)))
    options = {
        "data_folder": data_dir, "offline": offline, "trackers": trackers, "diagnostics": diagnostics,
        "resume": resume is not None, "restart": restart, "name": name or "",
    }  # fmt: skip
    record = _run(spec, run_folder, progress, options)
    _report(record, run_folder.parent, plot, as_json)
    click_context.exit(0 if record["reached"] else 3)


def _run(spec: RunSpec, folder: Path, progress: str, options: dict[str, Any]) -> dict[str, Any]:
    budget = Budget.parse(spec.budget)

    def used_share(state: dict[str, Any]) -> float:
        return budget.share(state["progress"], state["seconds"])

    with display.watch(progress, spec.target, used_share) as (watch, on_wait):
        import_tensorflow()
        from batchsel.data.storage.progress import download_progress
        from batchsel.experiments.run.runner import RunContext, run
        from batchsel.training.runtime.devices import describe_device

        on_wait(describe_device())
        context = RunContext(
            folder.parent, folder=folder, download_progress=download_progress, watch=watch, on_wait=on_wait, **options
        )
        try:
            with working_on(f"training {spec.model} on {spec.dataset} with {spec.selector}"):
                return run(spec, context)
        except (KeyboardInterrupt, UserError) as error:
            if (folder / CHECKPOINT).is_file():
                _report_checkpoint(error, folder)
            raise


def _report_checkpoint(error: BaseException, folder: Path) -> None:
    from batchsel.training import TrainingError

    if isinstance(error, KeyboardInterrupt):
        click.echo(f"\ninterrupted; resume with: batchsel run --resume {folder}", err=True)
    elif isinstance(error, TrainingError):
        click.echo(f"the last checkpoint before it is kept: {folder / CHECKPOINT}", err=True)


def _report(record: dict[str, Any], out: Path, plot: Path | None, as_json: bool) -> None:
    if plot:
        from batchsel.analysis.plots.run import run_figure
        from batchsel.experiments.run.parse_record import parse_run

        save_figure(run_figure(parse_run(record)), plot)
    if as_json:
        print_json(record)
        return
    click.echo("\n".join(summarize(record)))
    click.echo(f"record: {out / 'records.jsonl'}" + (f"   figure: {plot}" if plot else ""))
