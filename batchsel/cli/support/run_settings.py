"""Options of commands that train: settings, derived from their declaration in `RunSpec`, and trackers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from batchsel.cli.support.user_data import KINDS, Columns, user_data_name
from batchsel.errors import UsageError
from batchsel.experiments.run.run_folder import CHECKPOINT, CONFIG
from batchsel.experiments.spec.run_spec import RunSpec, read_file, read_spec
from batchsel.experiments.spec.settings import declared_settings
from batchsel.experiments.spec.user_code import go_on_with_code
from batchsel.training.callbacks.packages import TRACKERS, require

EPOCHS = "epochs"
"""Option for a budget in epochs, in the words of Keras."""
_TRACKER_OPTIONS = {
    "tensorboard": ("[DIR]", "Log to TensorBoard, in this folder. [default: the folder of the run]"),
    "mlflow": ("[URI]", "Log to MLflow, stored here. [default: MLFLOW_TRACKING_URI]"),
    "wandb": ("[PROJECT]", "Log to Weights & Biases; WANDB_MODE=offline keeps it here. [default: WANDB_PROJECT]"),
}


def setting_options(
    *, skip: tuple[str, ...] = (), environment: bool = True
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that adds an option for every setting of a run.

    The command receives those that were given as one argument, a dict `settings`.

    Args:
        skip: Settings that the command states itself.
        environment: Whether settings are also read from BATCHSEL_<NAME>.
    """
    chosen = [each for each in declared_settings(RunSpec) if each.option and each.name not in skip]

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def command(*arguments: Any, **options: Any) -> Any:
            given = {each.name: options.pop(each.name) for each in chosen}
            settings = {name: value for name, value in given.items() if value is not None}
            if (epochs := options.pop(EPOCHS, None)) is not None:
                settings["budget"] = _budget_of_epochs(epochs)
            return function(*arguments, settings=settings, **options)

        for each in reversed(chosen):
            command = click.option(
                each.name,
                each.option,
                type=each.kind,
                default=None,
                envvar=each.variable if environment else None,
                help=each.help,
            )(command)
        if any(each.name == "budget" for each in chosen):
            text = "Budget in epochs of the selector: --epochs 8 is --budget '8 epochs'."
            command = click.option(EPOCHS, "--epochs", type=float, help=text)(command)
        return command

    return decorate


def tracker_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option for each tracker; the command receives those that were given as one argument, `trackers`.

    A tracker whose package is not installed is refused before anything is read.

    Args:
        function: The command.
    """

    @functools.wraps(function)
    def command(*arguments: Any, **options: Any) -> Any:
        places = {name: options.pop(name) for name in TRACKERS}
        trackers = {name: place for name, place in places.items() if place is not None}
        for name in trackers:
            require(name)
        return function(*arguments, trackers=trackers, **options)

    for name in reversed(TRACKERS):
        metavar, text = _TRACKER_OPTIONS[name]
        option = click.option(f"--{name}", is_flag=False, flag_value="", default=None, metavar=metavar, help=text)
        command = option(command)
    return command


def _budget_of_epochs(epochs: float) -> str:
    """Return the budget that --epochs states, which wins over one of the environment."""
    if click.get_current_context().get_parameter_source("budget") is ParameterSource.COMMANDLINE:
        raise UsageError("--budget and --epochs are both given. Leave out one of them.")
    return f"{epochs:g} epochs"


def require_dataset(name: str | None) -> str:
    """Return the name of the data set.

    Raises:
        UsageError: If there is none.
    """
    if name is None:
        from batchsel import cards

        raise UsageError(f"which data set? Give --dataset NAME; known: {', '.join(cards.names('datasets'))}.")
    return name


def resolve_new_run(
    settings: Mapping[str, Any],
    config: str | None,
    columns: Columns,
    file: str | None,
    data_dir: str | None,
    offline: bool,
) -> RunSpec:
    """Return the settings of a new run: options win over the configuration, and that over the card.

    Args:
        settings: Settings that were given as options, or in the environment.
        config: Configuration file, or None.
        columns: Columns of the data set, if it is a table.
        file: User data, or None.
        data_dir: Folder of the data, or None for the default ones.
        offline: Whether downloads are forbidden.

    Raises:
        UserError: If a setting is wrong, or the data set is unknown.
    """
    from batchsel.data.storage.progress import download_progress
    from batchsel.experiments.spec.dataset_lookup import check_target, find_card
    from batchsel.experiments.spec.resolve import resolve

    stated = read_file(config) if config else {}
    dataset = require_dataset(settings.get("dataset") or stated.get("dataset"))
    if file or dataset in KINDS:
        is_lm = dataset == "lm_text"
        dataset = user_data_name(dataset, file, columns.text)
        columns = columns._replace(text=None) if is_lm and file else columns
    dataset = columns.add_to(dataset)
    check_target(dataset, settings.get("target") or stated.get("target"))
    card = find_card(dataset, data_dir, offline, download_progress, lambda line: click.echo(line, err=True))
    spec = resolve({**settings, "dataset": dataset}, stated, card)
    if spec.train_share < 1:
        click.echo(
            f"train_share {spec.train_share:g} is that of the training part; validation ({card.sizes.validation:,}) and"
            f" test ({card.sizes.test:,}) stay whole, and evaluating them may take longer than training",
            err=True,
        )
    return spec


def resolve_resumed_run(
    folder: Path, settings: Mapping[str, Any], config: str | None, changed_code: bool = False
) -> RunSpec:
    """Return the settings of an interrupted run.

    Args:
        folder: Its folder.
        settings: Settings that were given; those of the environment are ignored.
        config: Configuration file, which must be None.
        changed_code: Whether to go on with Python files that have changed; the settings then hold both hashes.

    Raises:
        UserError: If there is no interrupted run, other settings are given, or Python files that it uses have changed.
    """
    if not (folder / CONFIG).is_file() or not (folder / CHECKPOINT).is_file():
        raise UsageError(f"{folder} holds no interrupted run ({CONFIG} and {CHECKPOINT}). Expected runs/NAME.")
    # Settings of the environment are defaults; those of the run win over them.
    source = click.get_current_context().get_parameter_source
    changed = [name for name in (*settings, EPOCHS) if source(name) is ParameterSource.COMMANDLINE]
    if changed or config:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in changed) or "--config"
        raise UsageError(f"--resume keeps the settings of the run. Leave out {options}.")
    return go_on_with_code(read_spec(folder / CONFIG), folder, changed_code)
