"""`batchsel models`: what models there are."""

from __future__ import annotations

from typing import Any

import click

from batchsel.cli.support.output import print_json
from batchsel.cli.support.registry_commands import described, print_described, print_names
from batchsel.errors import UsageError

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExample:\n  batchsel models show cnn",
)
def models() -> None:
    """List and show models."""


@models.command("list", epilog="\b\nExample:\n  batchsel models list --json")
@_as_json
def list_models(as_json: bool) -> None:
    """List all models."""
    from batchsel import models as library

    note = "Sizes are given in parentheses, as in --model 'mlp(hidden=[128, 64])'."
    print_names(library.names(), library.doc, "models", note, as_json)


@models.command("show", epilog="\b\nExample:\n  batchsel models show mlp")
@click.argument("name")
@_as_json
def show_model(name: str, as_json: bool) -> None:
    """Show what a model is and its parameters."""
    from batchsel import models as library

    what = described(name, library.doc(name))
    for given_by_the_data in ("input_shape", "outputs"):
        what["parameters"].pop(given_by_the_data, None)
    if as_json:
        print_json(what)
    else:
        print_described(what)


@models.command(
    "groups",
    epilog="\b\nExample:\n  batchsel models groups 'mlp(hidden=[64])' --input-shape 13 --outputs 3 --schedule lerac",
)
@click.argument("model")
@click.option("--input-shape", required=True, help="Shape of one sample, as in 32,32,3.")
@click.option("--outputs", required=True, type=click.IntRange(min=1), help="Classes, or 1 for regression.")
@click.option("--groups", type=click.IntRange(min=1), help="Merge the depths into so many groups.")
@click.option("--schedule", help="Show the rates at which the groups start under it, as in 'lerac(0.1)'.")
@click.option("--learning-rate", default=0.1, show_default=True, help="The rate that the schedule starts from.")
@click.option("--batch-size", type=click.IntRange(min=1), help="Samples of an update, if the schedule scales by them.")
@_as_json
def show_groups(
    model: str,
    input_shape: str,
    outputs: int,
    groups: int | None,
    schedule: str | None,
    learning_rate: float,
    batch_size: int | None,
    as_json: bool,
) -> None:
    """Show which layers of a model lie how deep, the groups that learn at rates of their own.

    A model is given as for `batchsel run --model`, as in 'mlp(hidden=[64])'. Rates are those of the first step but for
    what all groups share, such as a warm-up.
    """
    from batchsel import models as library

    library.check(model)
    shape = _shape(input_shape)

    from batchsel.training.runtime.tf_import import import_tensorflow

    import_tensorflow()

    from batchsel.models.compiled import built
    from batchsel.training.optim.layer_groups import layer_groups
    from batchsel.training.optim.layer_rates import rates_at_start

    found = layer_groups(built(model, shape, outputs), groups)
    rates = None if schedule is None else rates_at_start(_by_layer(schedule), found, learning_rate, batch_size)
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


def _by_layer(text: str) -> Any:
    from batchsel.schedules import schedule
    from batchsel.schedules.base import Schedule

    found = schedule(text)
    if not (isinstance(found, Schedule) and found.by_layer):
        raise UsageError(f"--schedule {text!r} gives all layers the same rate. Expected one such as 'lerac'.")
    return found
