"""Names that users write for selectors, schedules, models and the like, and the code behind each name.

Each name is defined once, beside its class (see `batchsel.core.registry.catalog`): adding a file to a folder adds its
names.
Installed packages add names through entry points. Nothing is imported before it is used.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from batchsel.core import call_syntax
from batchsel.core.parameters import signatures
from batchsel.core.registry import catalog
from batchsel.errors import unknown_name

PLUGIN = "plugin"
"""Family of the names that installed packages register."""


@dataclass(frozen=True)
class Entry:
    """A name and the location of its code.

    Args:
        name: The name.
        target: The location, as ``module:attribute``, or ``module:`` for a module itself.
        family: A heading to list it under.
    """

    name: str
    target: str
    family: str = ""

    @property
    def attribute(self) -> str:
        """Name of the class or function in its module."""
        return self.target.partition(":")[2]

    def load(self) -> Any:
        """Import the class, function or module."""
        module, _, attribute = self.target.partition(":")
        found = importlib.import_module(module)
        return getattr(found, attribute) if attribute else found

    def doc(self) -> str:
        """Return the docstring, read from the source."""
        return catalog.docstring(self.target)


@dataclass(frozen=True)
class Registry:
    """The names of one kind of object, such as selectors.

    Args:
        kind: The kind, for messages.
        folders: Packages whose modules hold the built-in ones.
        group: Entry-point group under which installed packages register theirs; empty for none.
        rule: Finds the names in a module.
        families: Built-in names by family, in the order of listing. Others follow, with their folder as family.
        built_in: Locations of names from other packages, as ``module:attribute``.
        example: A sentence with an example, the end of messages on texts that cannot be read.
        listing: The command that lists the names; empty if there is none.

    Example:
        >>> scores = Registry("score", ["batchsel.selectors.scores"])
        >>> scores.find("last_loss").target
        'batchsel.selectors.scores.last_loss:LastLoss'
    """

    kind: str
    folders: Sequence[str] = ()
    group: str = ""
    rule: catalog.Rule = catalog.named_parts
    families: Mapping[str, Sequence[str]] = field(default_factory=dict)
    built_in: Mapping[str, str] = field(default_factory=dict)
    example: str = ""
    listing: str = ""

    def entries(self) -> dict[str, Entry]:
        """Return all entries by name: the built-in ones and those of installed packages."""
        known = dict(self.built_in_entries)
        for name, target in _entry_points(self.group) if self.group else ():
            known.setdefault(name, Entry(name, target, PLUGIN))
        return known

    @functools.cached_property
    def built_in_entries(self) -> dict[str, Entry]:
        """The entries that need no other package to be installed, in the order of listing."""
        family = {name: family for family, names in self.families.items() for name in names}
        found = {name: Entry(name, target, family.get(name, "")) for name, target in self.built_in.items()}
        for folder in self.folders:
            for name, target in catalog.scan(folder, self.rule).items():
                found[name] = Entry(name, target, family.get(name, folder.rpartition(".")[2]))
        return {name: found[name] for name in (*family, *found) if name in found}

    def find(self, name: str) -> Entry:
        """Return the entry of a name.

        Raises:
            UsageError: If there is none; the message suggests the nearest names.

        Example:
            >>> from batchsel.selectors.registry import REGISTRY
            >>> REGISTRY.find("rendom")
            Traceback (most recent call last):
            batchsel.errors.UsageError: unknown selector 'rendom'. Did you mean 'random'? There are ...
        """
        if name in self.built_in_entries:  # no need to read what all installed packages register
            return self.built_in_entries[name]
        known = self.entries()
        if name not in known:
            raise unknown_name(self.kind, name, known, self.listing)
        return known[name]

    def load(self, name: str) -> Any:
        """Import the class or function of a name.

        Raises:
            UsageError: If there is none.
        """
        return self.find(name).load()

    def doc(self, name: str) -> str:
        """Return the docstring of a name, read from the source.

        Raises:
            UsageError: If there is none.
        """
        return self.find(name).doc()

    def parse_calls(self, text: str) -> list[call_syntax.Call]:
        """Parse a pipe into names and arguments, without looking the names up.

        Args:
            text: Names with arguments, with ``|`` between them.

        Raises:
            UsageError: If the text cannot be read.
        """
        return call_syntax.parse_pipe(text, self.example)

    def check(self, text: str) -> None:
        """Check the syntax, the names and the parameters of a pipe, without importing anything.

        Args:
            text: Names with arguments, with ``|`` between them.

        Raises:
            UsageError: If the text cannot be read, a name is unknown, or a parameter is not allowed.
        """
        for call in self.parse_calls(text):
            if call.path is None:
                self.check_call(call)

    def check_call(self, call: call_syntax.Call) -> None:
        """Check the name and the arguments of a part, without importing anything.

        Args:
            call: The part, not from a file.

        Raises:
            UsageError: If the name is unknown, or an argument is unknown, missing or not allowed.
        """
        signature = self.signature(call.name)
        if signature is not None:
            call.check_arguments(signature)

    def signature(self, name: str) -> inspect.Signature | None:
        """Return the parameters of a name, read from the source; None for those of other packages.

        Raises:
            UsageError: If there is no such name.

        Example:
            >>> from batchsel.schedules.registry import REGISTRY
            >>> list(REGISTRY.signature("warmup").parameters)
            ['share', 'start', 'form']
        """
        return signatures.read_signature(self.find(name).target)

    def parse(self, text: str) -> list[Any]:
        """Build the parts of a pipe.

        A part may also be ``./mine.py:mine``, an object or a function, which is used as it is, or a class with
        arguments as in ``./mine.py:Mine(0.5)``, which is called: that file is run.

        Args:
            text: Names with arguments, with ``|`` between them.

        Raises:
            UsageError: If the text cannot be read, a name is unknown, or a parameter is invalid.

        Example:
            >>> from batchsel.schedules.registry import REGISTRY
            >>> REGISTRY.parse("cosine | warmup(0.05)")
            [cosine(end=0.0), warmup(share=0.05, start=0.0, form='linear')]
        """
        return [call.resolve(self.load) for call in self.parse_calls(text)]


def _entry_points(group: str) -> tuple[tuple[str, str], ...]:
    """Return names and locations that installed packages register.

    Finding them reads the metadata of every installed package, so it is done once for each path of imports.
    """
    return _entry_points_on(group, tuple(sys.path))


@functools.lru_cache(maxsize=64)
def _entry_points_on(group: str, path: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    import importlib.metadata  # slow, so not at import

    return tuple((point.name, point.value) for point in importlib.metadata.entry_points(group=group))
