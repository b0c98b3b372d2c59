"""Declare the settings of a run, each in one place: options, checks, digests and caching follow from the declaration.

A setting is a field of a frozen dataclass, `batchsel.experiments.spec.run_spec.RunSpec`, declared with `setting`.
Needs no TensorFlow.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass
from typing import Any

from batchsel.core.parameters import accepts, expected
from batchsel.errors import UsageError, show, unknown_name

Check = Callable[[str, Any], str | None]
"""Return the problem with a value of the named setting as a sentence, or None."""

_KEY = "batchsel.setting"
_KINDS: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool}


@dataclass(frozen=True)
class Facts:
    """Everything about a setting but its name, type and default; see `setting` for the meaning of each."""

    help: str
    checks: tuple[Check, ...]
    option: str | None
    shown_default: str
    from_card: Callable[[Any], Any] | None
    record_default: bool
    recompiles: bool
    changes_data: bool
    tunable: bool


@dataclass(frozen=True)
class Setting:
    """A declared setting of a run.

    Args:
        name: Name in records, configuration files and cards.
        kind: Type of its values: str, int, float or bool.
        default: Value where neither a user nor a card states one; `dataclasses.MISSING` for none.
        facts: Everything else.
    """

    name: str
    kind: type
    default: Any
    facts: Facts

    @property
    def option(self) -> str:
        """Declaration of the option, as in ``--batch-size``; empty for settings that users never state."""
        if self.facts.option is None:
            return ""
        dashed = self.name.replace("_", "-")
        return self.facts.option or (f"--{dashed}/--no-{dashed}" if self.kind is bool else f"--{dashed}")

    @property
    def variable(self) -> str:
        """Name of the environment variable."""
        return f"BATCHSEL_{self.name.upper()}"

    @property
    def help(self) -> str:
        """Help text of the option, with the default if it is a number or a word."""
        shown = self.facts.shown_default
        if not shown and self.default not in (MISSING, "") and self.kind is not bool:
            shown = f"{self.default:g}" if self.kind is float else str(self.default)
        return f"{self.facts.help} [default: {shown}]" if shown else self.facts.help

    def problems(self, value: Any) -> list[str]:
        """Return what is wrong with a value, one sentence each.

        Args:
            value: The value; TOML and JSON bring any type.
        """
        kinds = (int, float) if self.kind is float else self.kind
        if not isinstance(value, kinds) or (isinstance(value, bool) and self.kind is not bool):
            return [f"{self.name}: expected {self.kind.__name__}, got {show(value)}."]
        return [problem for check in self.facts.checks if (problem := check(self.name, value))]


def setting(
    default: Any = MISSING,
    *,
    help: str,
    checks: Sequence[Check] = (),
    option: str | None = "",
    shown_default: str = "",
    from_card: Callable[[Any], Any] | None = None,
    record_default: bool = False,
    recompiles: bool = True,
    changes_data: bool = False,
    tunable: bool = False,
) -> Any:
    """Declare a field of a dataclass as a setting of a run.

    Args:
        default: Value where neither a user nor a card states one.
        help: Help text of the option.
        checks: Checks of a value of the right type.
        option: Declaration of the command line option where it is not the name with dashes; None for no option.
        shown_default: Default that the help text shows, where that is not `default`.
        from_card: Function that returns the default out of a data-set card.
        record_default: Whether records and digests also hold the default. False for every new setting, so that
            runs recorded without it keep their digest.
        recompiles: Whether a trainer is compiled for its value; if not, runs that differ in it share a trainer.
        changes_data: Whether the data of the run depend on it.
        tunable: Whether `batchsel tune` may search for it.
    """
    facts = Facts(
        help, tuple(checks), option, shown_default, from_card, record_default, recompiles, changes_data, tunable
    )
    return dataclasses.field(default=default, metadata={_KEY: facts})


@functools.cache
def declared_settings(spec: type) -> tuple[Setting, ...]:
    """Return the settings that a dataclass declares, in their order.

    Args:
        spec: The dataclass.

    Example:
        >>> from batchsel.experiments.spec.run_spec import RunSpec
        >>> [setting.name for setting in declared_settings(RunSpec)][:3]
        ['dataset', 'model', 'selector']
    """
    return tuple(
        Setting(field.name, _kind(field.type), field.default, field.metadata[_KEY])
        for field in dataclasses.fields(spec)
    )


def _kind(annotation: Any) -> type:
    return _KINDS[annotation] if isinstance(annotation, str) else annotation


def within(hint: Any) -> Check:
    """Return a check for the bounds of an annotation.

    Args:
        hint: The annotation, of `batchsel.core.parameters`.

    Example:
        >>> from batchsel.core.parameters import Share
        >>> within(Share)("label_noise", 2.0)
        'label_noise must be a number in [0, 1], got 2.0.'
    """
    return lambda name, value: (
        None if accepts(hint, value) else f"{name} must be {expected(hint, value)}, got {show(value)}."
    )


def one_of(known: tuple[str, ...]) -> Check:
    """Return a check for one of several words."""
    return lambda name, value: None if value in known else str(unknown_name(name, value, known))


def readable(parse: Callable[[str], Any]) -> Check:
    """Return a check that a text can be parsed.

    Args:
        parse: Function that raises `UsageError` for a text that cannot.
    """

    def check(name: str, value: str) -> str | None:
        try:
            parse(value)
        except UsageError as error:
            return str(error)
        return None

    return check
