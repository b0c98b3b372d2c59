"""`batchsel models`: list and show models, and their groups of layers."""

from __future__ import annotations

from typing import Any

import click

from batchsel.cli.support.output import json_option, print_json
from batchsel.cli.support.registry_commands import Catalog, list_command, show_command
from batchsel.errors import UsageError


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExample:\n  batchsel models show cnn",
)
def models() -> None:
    """List and show models."""


def _catalog() -> Catalog:
    from batchsel import models as library

    return Catalog(library.names(), library.doc)


models.add_command(
    list_command("models", _catalog, note="Set sizes in parentheses, as in --model 'mlp(hidden=[128, 64])'.")
)
# The data set gives these two.
models.add_command(show_command("models", "a model", _catalog, example="mlp", omit=("input_shape", "outputs")))


@models.command(
    "groups",
    epilog="\b\nExamples:\n  batchsel models groups 'mlp(hidden=[64])' --input-shape 13 --outputs 3 --schedule lerac\n"
    "  batchsel models groups resnet18 --input-shape 32,32,3 --outputs 10 --schedule \"lerac(groups='blocks')\"",
)
@click.argument("model")
@click.option("--input-shape", required=True, help="Shape of one sample, as in 32,32,3.")
@click.option("--outputs", required=True, type=click.IntRange(min=1), help="Classes, or 1 for regression.")
@click.option("--groups", help="Group by blocks or stages, or merge the depths into this many groups.")
@click.option("--schedule", help="Also show the learning rate at which each group starts, as in 'lerac(0.1)'.")
@click.option("--learning-rate", default=0.1, show_default=True, help="Base learning rate of the schedule.")
@click.option("--batch-size", type=click.IntRange(min=1), help="Samples of an update, if the schedule scales by them.")
@json_option
def show_groups(
    model: str,
    input_shape: str,
    outputs: int,
    groups: str | None,
    schedule: str | None,
    learning_rate: float,
    batch_size: int | None,
    as_json: bool,
) -> None:
    """Show the layers of MODEL grouped by depth: the groups that have their own learning rates.

    MODEL is written as for `batchsel run --model`, as in 'mlp(hidden=[64])'. Rates are those of the first step, without
    factors that all groups share, such as a warm-up, in the groups that the schedule has.
    """
    if groups is not None and schedule is not None:
        raise UsageError(
            f"the schedule states its groups, as in lerac(groups={_grouping(groups)!r}). Leave out --groups."
        )
    from batchsel import models as library

    library.check(model)
    shape = _shape(input_shape)

    from batchsel.core.tf_support.tf_import import import_tensorflow

    import_tensorflow()

    from batchsel.models.building import build_initialized
    from batchsel.training.optim.layer_groups import layer_groups
    from batchsel.training.optim.layer_rates import initial_layer_rates

    by_layer = None if schedule is None else _by_layer(schedule)
    grouping = by_layer.layer_grouping if by_layer else _grouping(groups)
    found = layer_groups(build_initialized(model, shape, outputs), grouping)
    rates = None if by_layer is None else initial_layer_rates(by_layer, found, learning_rate, batch_size)
    if as_json:
        print_json({"model": model, "groups": found.rows(rates)})
        return
    click.echo(found.table(rates))


def _shape(text: str) -> tuple[int, ...]:
    try:
        shape = tuple(int(side) for side in text.split(","))
    except ValueError:
        shape = (0,)
    if min(shape) < 1:
        raise UsageError(f"--input-shape must be whole numbers with commas between them, as in 32,32,3, got {text!r}.")
    return shape


def _grouping(text: str | None) -> int | str | None:
    return int(text) if text is not None and text.isdecimal() and len(text) < 10 else text


def _by_layer(text: str) -> Any:
    from batchsel.schedules import schedule
    from batchsel.schedules.base import Schedule

    found = schedule(text)
    if not (isinstance(found, Schedule) and found.by_layer):
        raise UsageError(f"--schedule {text!r} has one rate for all layers. Expected one by layer, such as 'lerac'.")
    return found
