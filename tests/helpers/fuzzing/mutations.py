"""Mutations of bytes, texts, and values of JSON or TOML; the same for the same random numbers."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from random import Random
from typing import Any

ODD = [
    "", " ", "x", "9" * 4000, "9" * 5000, "1e400", "-inf", "nan", "loss_ema", "divbs(pool=9)", "mlp(hidden=[[1]])",
    "(" * 200, "[" * 5000, "\0", "a" * 5000, "√", "../x", "/etc/passwd", "accuracy>=0.5", "5 passes", "--1", "1..9",
    "2026-11-21T12:00:00+00:00", "https://", "\ud800", "\u202e",
]  # fmt: skip
"""Texts of every kind that a reader may take for something else."""
WRONG = [
    None, True, -1, 0, 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**70), 10**400, 1e-300, 1e300, 1e308, float("inf"),
    float("nan"), 0.5, [], [[1]], [None], [3, "a"], ["x", 1], [["a"]], {}, {"a": 1}, {"a": None}, *ODD,
]  # fmt: skip
LETTERS = "()[]{}|,;=:'\"0123456789.-_eE xn\\\t\r\n\0√"
_NUMBERS = [0, 1, 2, 255, 256, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**63, 2**64 - 1]
_DIGITS = re.compile(r"-?\d[\d.]*")


def mutate_bytes(raw: bytes, random: Random, marks: tuple[bytes, ...] = ()) -> bytes:
    """Return bytes with flipped bits, a lost end, swapped, zeroed or repeated blocks, wrong numbers, or garbage added.

    Args:
        raw: The bytes.
        random: Decides.
        marks: Bytes that begin a header; a part of the damage is done just behind them.
    """
    body = bytearray(raw)
    for _ in range(random.choice([1, 1, 2, 8])):
        if not body:
            return bytes(body)
        at = _place(bytes(body), random, marks)
        size = random.choice([1, 4, 64, 4096])
        match random.randrange(11):
            case 0 | 1:
                body[at] ^= 1 << random.randrange(8)
            case 2:
                body[at] = random.choice([0, 1, 0x7F, 0x80, 0xFF])
            case 3:
                del body[at:]
            case 4:
                del body[at : at + size]
            case 5:
                body[at : at + size] = bytes(len(body[at : at + size]))
            case 6:
                body[at:at] = body[at : at + size]
            case 7:
                body += random.randbytes(size)
            case 8:
                body[at : at + size] = random.randbytes(size)
            case 9:
                width = random.choice([2, 4, 8])
                number = random.choice(_NUMBERS) % 256**width
                body[at : at + width] = number.to_bytes(width, random.choice(["little", "big"]))
            case 10:
                other = random.randrange(len(body))
                body[at : at + size] = body[other : other + size]
    return bytes(body)


def _place(body: bytes, random: Random, marks: tuple[bytes, ...]) -> int:
    if marks and random.random() < 0.4:
        mark = random.choice(marks)
        found = [match.start() for match in re.finditer(re.escape(mark), body)]
        if found:
            return min(random.choice(found) + random.randrange(48), len(body) - 1)
    # Headers are short and decide most, so that half of the damage is done to the ends of the file.
    near = min(len(body), random.choice([16, 128, len(body), len(body)]))
    return random.choice([random.randrange(near), len(body) - 1 - random.randrange(near)])


def mutate_text(text: str, random: Random) -> str:
    """Return a text with one to three characters, numbers or pieces removed, doubled, replaced or added."""
    for _ in range(random.randint(1, 3)):
        place, width = random.randint(0, len(text)), random.choice([0, 0, 1, 1, 2, 5])
        middle = random.choice(["", random.choice(LETTERS), random.choice(ODD), text[place : place + width] * 2])
        numbers = list(_DIGITS.finditer(text)) if random.random() < 0.3 else []
        if numbers:
            number = random.choice(numbers)
            place, width, middle = number.start(), len(number[0]), _write(random.choice(WRONG))
        text = text[:place] + middle + text[place + width :]
    return text


def mutate_lines(raw: bytes, random: Random) -> bytes:
    """Return a text file with its text mutated, or its bytes."""
    if random.random() < 0.5:
        return mutate_bytes(raw, random)
    return mutate_text(raw.decode("utf-8", "replace"), random).encode("utf-8", "surrogatepass")


def _write(value: Any) -> str:
    try:
        return str(value)
    except ValueError:  # Python writes no integer of more than 4,300 digits
        return "9" * 5000


def mutate_values(values: Any, random: Random) -> Any:
    """Return a table or list with one value in it replaced, removed, moved, renamed, nested or mutated as a text."""
    values = copy.deepcopy(values)
    tables = list(_tables(values))
    if not tables:
        return copy.deepcopy(random.choice(WRONG))
    table = random.choice(tables)
    key = random.choice(list(table)) if isinstance(table, dict) else random.randrange(len(table))
    kind = random.choice(["wrong", "wrong", "remove", "rename", "text", "other", "nest", "repeat"])
    if kind == "remove":
        del table[key]
    elif kind == "rename" and isinstance(table, dict):
        table[key + random.choice("x+")] = table.pop(key)
    elif kind == "text" and isinstance(table[key], str):
        table[key] = mutate_text(table[key], random)
    elif kind == "other":
        table[key] = copy.deepcopy(random.choice(tables))
    elif kind == "nest":
        table[key] = random.choice([[table[key]], {"a": table[key]}])
    elif kind == "repeat" and isinstance(table, list):
        table *= 2
    else:
        table[key] = copy.deepcopy(random.choice(WRONG))
    return values


def _tables(values: Any) -> Iterator[Any]:
    """Yield all tables and lists in a value that are not empty, itself included."""
    if values and isinstance(values, dict | list):
        yield values
        for value in values.values() if isinstance(values, dict) else values:
            if isinstance(value, dict | list):
                yield from _tables(value)


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value inside a JSON value; of long lists only the first and last items."""
    items: Any = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        items = [(place, value[place]) for place in sorted({0, len(value) - 1}) if value]
    for key, inner in items:
        yield (*path, key)
        yield from paths_of(inner, (*path, key))


def changed(record: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return a copy of a record with another value at a path; without it if the value is `...`."""
    key, *inner = path
    made = copy.copy(record)
    if inner:
        made[key] = changed(record[key], tuple(inner), value)
    elif value is ...:
        del made[key]
    else:
        made[key] = value
    return made
