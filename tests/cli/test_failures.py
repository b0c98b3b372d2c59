"""The last resort of the command line: one message for whatever nobody foresaw, and a traceback on request."""

import errno
import os
import sys
import warnings

import click
import pytest

from batchsel.cli import main as entry
from batchsel.cli.support import failures
from batchsel.errors import UserError, working_on


@pytest.fixture
def fail(command, monkeypatch):
    """Return a function that runs `batchsel models`, which raises an exception."""

    def fail(error, *words):
        @click.command()
        @click.argument("names", nargs=-1)
        def failing(names):
            raise error

        monkeypatch.setattr(entry._LazyGroup, "get_command", lambda self, context, name: failing)
        return command("models", *words)

    return fail


def test_an_unforeseen_exception_ends_in_one_message_that_says_how_to_report_it(fail, monkeypatch):
    result = fail(ZeroDivisionError("division\nby zero"), "mine")
    assert (result.code, result.out) == (1, "")
    assert result.err == (
        "Error: `batchsel models mine` failed unexpectedly: ZeroDivisionError: division. This is a bug: please report it"
        " with the traceback that the same command prints with BATCHSEL_DEBUG=1.\n"
    )
    monkeypatch.setenv("BATCHSEL_DEBUG", "1")
    again = fail(ZeroDivisionError("division\nby zero"), "mine")
    assert again.code == 1
    assert again.err.startswith("Traceback (most recent call last):")
    assert again.err.endswith(result.err)
    monkeypatch.setenv("BATCHSEL_DEBUG", "0")
    assert fail(ZeroDivisionError("division\nby zero"), "mine") == result


def test_the_message_names_what_was_worked_on(fail):
    error = KeyError("x")
    with pytest.raises(KeyError), working_on("loading the data set iris"):
        raise error
    assert "failed unexpectedly (loading the data set iris): KeyError: 'x'." in fail(error).err


def test_warnings_for_users_are_a_sentence_and_others_keep_their_place():
    place = ("file.py", 3, "line")
    shown = warnings.formatwarning("look out", UserWarning, *place)
    with failures.plain_warnings():
        assert warnings.formatwarning("look out", UserWarning, *place) == "warning: look out\n"
        assert "file.py:3: DeprecationWarning: old" in warnings.formatwarning("old", DeprecationWarning, *place)
    assert warnings.formatwarning("look out", UserWarning, *place) == shown


class Unprintable(Exception):
    """Exception whose text fails."""

    def __str__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError(), "Error: there is not enough memory. Use less data or smaller batches, or a larger machine."),
        (RecursionError("maximum recursion depth exceeded"), "unexpectedly: RecursionError: maximum recursion depth"),
        (Unprintable(), "failed unexpectedly: Unprintable. This is a bug"),
        (ValueError("x" * 5000), "failed unexpectedly: ValueError: xxx"),
        (
            OSError(errno.ENOSPC, "No space left on device", "runs/a"),
            "Error: batchsel cannot read or write 'runs/a': No space left on device. Free space, or choose a folder",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "cannot read or write its output: No space left on device."),
        (PermissionError(errno.EACCES, "Permission denied", b"a", None, "b"), "'a' and 'b': Permission denied. Check"),
        (OSError("damaged"), "failed unexpectedly: OSError: damaged."),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_kind_of_failure_is_one_line_and_exit_code_1(fail, error, message):
    result = fail(error)
    assert (result.code, result.out) == (1, "")
    assert message in result.err
    assert len(result.err) < 400
    assert result.err.count("\n") == 1


@pytest.mark.parametrize("debug", ["", "1"])
def test_a_mistake_of_the_user_has_a_traceback_only_on_request(fail, monkeypatch, debug):
    monkeypatch.setenv("BATCHSEL_DEBUG", debug)
    result = fail(UserError("no such file."))
    assert (result.code, "Traceback" in result.err) == (1, bool(debug))
    assert result.err.startswith("Error: no such file.\n")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_output_that_cannot_be_written_is_one_message(monkeypatch, capfd):
    monkeypatch.setattr("sys.argv", ["batchsel", "--help"])
    kept = os.dup(1)
    try:
        with open("/dev/full", "w") as full:
            os.dup2(full.fileno(), 1)
        with open(1, "w", closefd=False) as out, monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", out)
            with pytest.raises(SystemExit) as end:
                entry.main()
            out.flush()  # as the interpreter does at its end
    finally:
        os.dup2(kept, 1)
        os.close(kept)
    assert end.value.code == 1
    assert capfd.readouterr().err == (
        "Error: batchsel cannot read or write its output: No space left on device. Free space, or choose a folder on"
        " another disk.\n"
    )
