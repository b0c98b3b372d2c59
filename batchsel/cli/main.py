"""`batchsel`: the group of all commands. A command is imported when it is called."""

from __future__ import annotations

import importlib
import sys

import click

from batchsel.cli.support.failures import close_stdout, plain_warnings, report_failure, show_traceback
from batchsel.cli.support.signals import exit_code, raise_on_termination
from batchsel.errors import UsageError, UserError

_COMMANDS = {
    "augmentations": ("transforms:augmentations", "List and show augmentations."),
    "bench": ("bench:bench", "Measure the loop, planning, schedules or streaming."),
    "code": ("predict:code", "Print a run as a Python program."),
    "compare": ("compare:compare", "Compare selectors with shuffling on paired seeds."),
    "completion": ("installation:completion", "Print the line that turns on completion in a shell."),
    "curricula": ("transforms:curricula", "List and show curricula."),
    "datasets": ("datasets:datasets", "List, show, fetch, verify and convert data sets."),
    "doctor": ("installation:doctor", "Show versions, devices and folders, and try a short run."),
    "experiment": ("experiment:experiment", "Run the experiment of a card."),
    "map": ("map:dataset_map", "Train once and write training statistics of every sample."),
    "models": ("models:models", "List and show models."),
    "plot": ("report:plot", "Plot a figure from records."),
    "predict": ("predict:predict", "Predict with the model of a run, for texts or test samples."),
    "recipe": ("tuning.recipe:recipe", "Find faster settings, and what each contributes."),
    "report": ("report:report", "Write a report from records: one HTML file."),
    "run": ("run:run", "Train on a data set until a target is reached."),
    "schedules": ("schedules:schedules", "List, show and plot learning rate schedules."),
    "selectors": ("selectors:selectors", "List and show selectors."),
    "tune": ("tuning.tune:tune", "Find the best settings of each arm, on seeds not used for comparison."),
    "spirals": ("spirals:spirals", "Generate spirals: points, and a plot of them."),
}


class _LazyGroup(click.Group):
    """Group that imports a command only when it is needed, so that help shows at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, attribute = _COMMANDS[cmd_name][0].split(":")
        return getattr(importlib.import_module(f"batchsel.cli.commands.{module}"), attribute)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[name][1]) for name in self.list_commands(ctx)])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple:
        name = args[0]
        if name not in _COMMANDS and not name.startswith("-"):
            from batchsel.errors import unknown_name

            raise unknown_name("command", name, _COMMANDS)
        return super().resolve_command(ctx, args)


@click.command(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExamples:\n  batchsel run --dataset digits --selector loss_ema\n  batchsel selectors list",
)
@click.version_option(package_name="batchsel")
def cli() -> None:
    """Batch selection for Keras: which samples go into each batch, and does it save time?"""


def main() -> None:
    """Run the command line and exit with its code.

    0 done, 1 failed, 2 wrong usage, 3 target not reached, 130 interrupted, 143 or 129 ended by SIGTERM or SIGHUP. Any
    exception that nobody foresaw ends in one message, without a traceback unless BATCHSEL_DEBUG=1.
    """
    try:
        with raise_on_termination(), plain_warnings():
            code = cli.main(standalone_mode=False)
            sys.stdout.flush()  # a full disk is noticed here, not at the end of the interpreter
    except click.exceptions.Abort as error:
        code = exit_code(error.__cause__)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except UserError as error:
        click.echo(f"Error: {error}", err=True)
        show_traceback(error)
        code = 2 if isinstance(error, UsageError) else 1
    except BrokenPipeError:
        close_stdout()  # its reader is gone
        code = 1
    except KeyboardInterrupt as error:
        click.echo("interrupted", err=True)
        code = exit_code(error)
    except Exception as error:
        code = report_failure(error)
        close_stdout()
    sys.exit(code if isinstance(code, int) else 0)
