"""User text for language models: documents of a text, of JSON lines or of a table, or one long text."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from batchsel.data.builders.language_model import Documents, SequenceForm, build_sequence_dataset, split_documents
from batchsel.data.dataset import Dataset
from batchsel.data.formats.delimited import read_header
from batchsel.data.formats.documents import EACH_LINE, JSON, TABLES, TEXT, first_object, read_documents
from batchsel.errors import UsageError, shorten

LENGTH = 128
"""Number of subwords in a sequence."""
LINE, POSITION = "by=line", "by=position"
"""Options of a text: a document for each line; one text, of which the end is held out."""
_KEY = "text"
"""Key of the texts in JSON lines, if there are several."""
_HELD_OUT = 0.05
_FEWEST_DOCUMENTS = 3
_SUBWORDS = (300, 4096)
_CHARACTERS_PER_SUBWORD = 500
"""Size of the text over that of its vocabulary, within these limits."""
_FORM = re.compile(
    "(?P<path>.*?(?P<ending>" + "|".join(map(re.escape, sorted((*TEXT, *JSON, *TABLES), key=len, reverse=True))) + "))"
    "(?::(?P<rest>.*))?",
    re.DOTALL | re.IGNORECASE,
)


class TextReference(NamedTuple):
    """Name of a text for language models, parsed.

    Example:
        >>> TextReference.parse("./my.txt:a:b"), TextReference.parse("./my.csv:text=review")
        (TextReference(path='./my.txt', option='a:b'), TextReference(path='./my.csv', option='review'))
        >>> TextReference.parse("./my.csv:label")
    """

    path: str
    option: str
    """Of a text the marker that ends documents, `LINE` or `POSITION`; of JSON lines and tables the key or column."""

    @classmethod
    def parse(cls, name: str) -> TextReference | None:
        """Return the parts of a name, or None for another one."""
        match = _FORM.fullmatch(name)
        if match is None:
            return None
        rest, prefix = match["rest"] or "", f"{_KEY}="
        if match["ending"].lower() not in TABLES:
            return cls(match["path"], rest.removeprefix(prefix) if match["ending"].lower() in JSON else rest)
        return cls(match["path"], rest.removeprefix(prefix)) if rest.startswith(prefix) and ":" not in rest else None


def is_text_file(name: str) -> bool:
    """Return whether the name of a data set is that of a text for language models.

    Args:
        name: As in ``"./my.txt"``, ``"./my.txt:THE END"``, ``"./my.jsonl:body"`` or ``"./my.csv:text=review"``.

    Example:
        >>> is_text_file("./my.txt:THE END"), is_text_file("./my.jsonl.gz"), is_text_file("./my.csv:label")
        (True, True, False)
    """
    return TextReference.parse(name) is not None


def load_text_file(name: str, seed: int = 0, say: Callable[[str], None] = lambda line: None) -> Dataset:
    """Read a text; a twentieth of its documents each is held out for validation and test.

    Of one long text, or with ``:by=position``, the last two twentieths are held out, whatever the seed.

    Args:
        name: The file, optionally followed by a colon and: of a text (.txt, .md) the line that ends a document, or
            ``by=line`` or ``by=position``; of JSON lines the key of the texts; of a table ``text=`` and their column.
        seed: Seed of the validation split.
        say: Called with a line that says how the text was read.

    Raises:
        UserError: If it cannot be read, or is too short.

    Example:
        >>> load_text_file("/nowhere.txt")
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: cannot read /nowhere.txt: No such file or directory. ...
    """
    reference = TextReference.parse(name)
    if reference is None:
        raise UsageError(f"{shorten(name)} is not a text. Expected ./my.txt, ./my.jsonl:KEY or ./my.csv:text=COLUMN.")
    documents = _read(reference)
    if reference.option == POSITION or len(documents) < _FEWEST_DOCUMENTS:
        splits, fingerprint = _split_by_position("\n\n".join(documents)), ""
        say(f"one text of {sum(map(len, documents)):,} characters; the last two twentieths are validation and test")
    else:
        held_out = max(1, round(_HELD_OUT * len(documents)))
        splits, fingerprint = split_documents(documents, (held_out, held_out), seed, reference.path)
        counts = ", ".join(f"{len(texts):,} {split}" for split, texts in splits.items())
        say(f"{len(documents):,} documents: {counts}")
    low, high = _SUBWORDS
    subwords = min(high, max(low, sum(map(len, documents)) // _CHARACTERS_PER_SUBWORD))
    return build_sequence_dataset(name, splits, fingerprint, SequenceForm(LENGTH, subwords))


def _read(reference: TextReference) -> list[str]:
    path, option = Path(reference.path), reference.option
    ending = path.name.lower()
    if ending.endswith(JSON):
        return read_documents(path, columns=(_find_key(path, option),))
    if ending.endswith(TABLES):
        if not ending.endswith(".parquet") and option not in (names := read_header(path).names):
            raise _no_name(path, "column", option, list(names))
        return read_documents(path, columns=(option,))
    return read_documents(path, marker={LINE: EACH_LINE, POSITION: ""}.get(option, option))


def _find_key(path: Path, key: str) -> str:
    """Return the key of the texts: the one that is given, "text", or the only one of a text."""
    first = first_object(path)
    texts = [name for name, value in first.items() if isinstance(value, str)]
    wanted = key or (_KEY if _KEY in texts or len(texts) != 1 else texts[0])
    if wanted not in texts:
        hint = f" To classify by it, say '{path}:label={wanted}'." if wanted in first else ""
        raise _no_name(path, "key", wanted, texts, hint)
    return wanted


def _no_name(path: Path, kind: str, name: str, known: list[str], hint: str = "") -> UsageError:
    named = f"{path}:text={known[0]}" if known and kind == "column" else f"{path}:{known[0]}" if known else str(path)
    return UsageError(
        f"{path} has no {kind} {name!r} of texts. Name it, as in {named!r}. It has"
        f" {', '.join(map(shorten, known[:20])) or 'none'}.{hint}"
    )


def _split_by_position(text: str) -> Documents:
    """Return the first nine tenths of a text, and the two twentieths after it, cut at blanks."""
    cuts = [
        0,
        *(_next_blank(text, round(len(text) * share)) for share in (1 - 2 * _HELD_OUT, 1 - _HELD_OUT)),
        len(text),
    ]
    parts = [text[start:end].strip() for start, end in itertools.pairwise(cuts)]
    return {split: [part] for split, part in zip(("train", "validation", "test"), parts, strict=True)}


def _next_blank(text: str, position: int) -> int:
    found = re.compile(r"\s").search(text, position)
    return found.start() if found and found.start() - position < LENGTH else position
