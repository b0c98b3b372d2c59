"""Names with a text form: one of them, or several with bars between them, as in ``crop(4) | flip``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from batchsel.core import call_syntax
from batchsel.core.registry import Registry


@dataclass(frozen=True)
class PipeRegistry(Registry):
    """The names of one kind of thing, several of which can be written as a pipe.

    Args:
        kind: What they are, for messages.
        package: Where the built-in ones are.
        built_in: ``module:attribute`` in that package, by name.
        group: Entry-point group under which installed packages register theirs.
        example: A sentence with an example, the end of messages on texts that cannot be read.

    Example:
        >>> colors = PipeRegistry("color", "colors", {"red": "red:Red"}, "colors", example="As in 'red | red(2)'.")
        >>> [call.arguments for call in colors.calls("red | red(2)")]
        [(), (2,)]
    """

    example: str

    def calls(self, text: str) -> list[call_syntax.Call]:
        """The names and arguments in a text, in its order.

        Args:
            text: The text form.

        Raises:
            UsageError: If the text cannot be read.
        """
        return call_syntax.parse_pipe(text, self.example)

    def check(self, text: str) -> None:
        """Reads a text and looks up its names, without importing any. Parameters are checked by building them.

        Args:
            text: The text form.

        Raises:
            UsageError: If the text cannot be read, or names what does not exist.
        """
        for call in self.calls(text):
            if call.path is None:
                self.target(call.name)

    def parse(self, text: str) -> list[Any]:
        """What a text names, in its order.

        A part may also be ``./mine.py:mine``, an object or a function, which is taken as it is, or a class with
        arguments as in ``./mine.py:Mine(0.5)``, which is called: that file is run.

        Args:
            text: The text form.

        Raises:
            UsageError: If the text cannot be read, names what does not exist, or has impossible parameters.
        """
        return [call.make(self.load) for call in self.calls(text)]
