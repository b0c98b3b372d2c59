"""`batchsel`: the group of all commands, which are imported when they are called."""

from __future__ import annotations

import importlib
import os
import sys

import click

from batchsel.errors import UsageError, UserError

_COMMANDS = {
    "augmentations": ("augmentations:augmentations", "List and show augmentations."),
    "bench": ("bench:bench", "Measure the loop against model.fit."),
    "compare": ("compare:compare", "Compare selectors with shuffling on paired seeds."),
    "completion": ("completion:completion", "Print the line that switches on completion in a shell."),
    "curricula": ("curricula:curricula", "List and show curricula."),
    "datasets": ("datasets:datasets", "List, show, fetch, verify and convert data sets."),
    "doctor": ("doctor:doctor", "Show versions, devices and folders, and try a short run."),
    "experiment": ("experiment:experiment", "Run the experiment that a card states."),
    "map": ("map:dataset_map", "Train once and write what it says of every sample."),
    "models": ("models:models", "List and show models."),
    "plot": ("report:plot", "Make a figure out of records."),
    "predict": ("predict:predict", "Say what the model of a run predicts, for texts or test samples."),
    "report": ("report:report", "Make a report out of records: one HTML file."),
    "run": ("run:run", "Train on a data set until a target is reached."),
    "schedules": ("schedules:schedules", "List, show and draw schedules of the learning rate."),
    "selectors": ("selectors:selectors", "List and show selectors."),
    "tune": ("tune:tune", "Find the best settings of each arm, on seeds that are never scored."),
    "spirals": ("spirals:spirals", "Make spirals: points, and a picture of them."),
}


class _Lazy(click.Group):
    """Imports a command when it is needed, so that help is there at once."""

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module, attribute = _COMMANDS[name][0].split(":")
        return getattr(importlib.import_module(f"batchsel.cli.commands.{module}"), attribute)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[name][1]) for name in self.list_commands(context)])

    def resolve_command(self, context: click.Context, arguments: list[str]) -> tuple:
        name = arguments[0]
        if name not in _COMMANDS and not name.startswith("-"):
            from batchsel.errors import unknown_name

            raise unknown_name("command", name, _COMMANDS)
        return super().resolve_command(context, arguments)


@click.command(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExamples:\n  batchsel run --dataset digits --selector loss_ema\n  batchsel selectors list",
)
@click.version_option(package_name="batchsel")
def cli() -> None:
    """Batch selection for Keras: which samples go into each batch, and does it save time?"""


def main() -> None:
    """Runs the command line and leaves with its exit code.

    0 done, 1 failed, 2 wrong usage, 3 target not reached, 130 interrupted.
    """
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        code = 130
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except UserError as error:
        click.echo(f"Error: {error}", err=True)
        code = 2 if isinstance(error, UsageError) else 1
    except BrokenPipeError:
        # Whoever read our output has seen enough; the interpreter must not try to flush it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        code = 130
    sys.exit(code if isinstance(code, int) else 0)
