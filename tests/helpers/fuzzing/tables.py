"""Readers of tables and texts: CSV and TSV, Parquet, JSON lines, plain text."""

from __future__ import annotations

import datetime
import functools
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from batchsel.data.formats.documents import read_documents
from batchsel.data.formats.parquet import read_parquet
from batchsel.data.user.table import load_table
from fuzzing.forms import Form, bomb, gzipped, target_of_forms, zipped
from fuzzing.mutations import ODD, WRONG, mutate_lines, mutate_values

LINES = "".join(f"{i},{i / 7:.3f},{'ab'[i % 2]},text {i}\n" for i in range(60))
TABLE = ("count,share,kind,text\n" + LINES).encode()
JSON_LINES = "".join(json.dumps({"text": f"Document {i}.", "id": i}) + "\n" for i in range(40)).encode()
TEXT = "\n\n".join(f"Document {i}.\nIts second line." for i in range(40)).encode()


def read_table(label: str = "kind") -> Callable[[Path], object]:
    """Return a reader of a table with this label."""
    return lambda path: load_table(f"{path}:{label}")


def _table() -> bytes:
    return TABLE


def _tabs() -> bytes:
    return TABLE.replace(b",", b"\t")


def _damaged(name: str, method: int = zipfile.ZIP_DEFLATED) -> Form:
    return Form(
        name, _table, read_table(), zipped("table.csv", method), mutate_lines, (b"PK\1\2", b"PK\3\4", b"PK\5\6")
    )


def odd_table(folder: Path, random: Random) -> Path:
    """Write a table of odd names and cells."""
    width, path = random.randint(1, 6), folder / "x.csv"
    odd = [text for text in ODD if "\ud800" not in text]
    names = [random.choice(["kind", "a", "b", *odd]) for _ in range(width)]
    cells = ["1", "2.5", "a", "", "NA", '"', '"x\ny"', "1_0", "1e308", "-1e309", "0x1f", *odd]
    few = random.sample(cells, random.randint(1, 4))
    rows = [[random.choice(few) for _ in range(width)] for _ in range(random.choice([0, 1, 2, 30]))]
    separator, end = random.choice([",", "\t", ";", ","]), random.choice(["\n", "\r\n", "\r"])
    path.write_bytes(end.join(separator.join(row) for row in [names, *rows]).encode())
    return path


def archive_of_tables(folder: Path, random: Random) -> Path:
    """Write a zip archive of no table, of several, of folders or of names that lead elsewhere."""
    path = folder / "x.csv.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for _ in range(random.randint(0, 3)):
            name = random.choice(["table.csv", "a/", "a/b.csv", "../up.csv", "/up.csv", "", "\0", "x" * 5000])
            archive.writestr(zipfile.ZipInfo(name), random.choice([TABLE, b"", b"\0"]))
    return path


DELIMITED = target_of_forms(
    "CSV and TSV",
    [
        Form("x.csv", _table, read_table(), mutate=mutate_lines),
        Form("x.csv", _table, read_table("share"), mutate=mutate_lines),
        Form("x.tsv", _tabs, read_table("count"), mutate=mutate_lines),
        Form("x.csv.gz", _table, read_table("share"), gzipped, mutate_lines),
        _damaged("x.csv.zip"),
        _damaged("x.csv.zip", zipfile.ZIP_BZIP2),
        _damaged("x.csv.zip", zipfile.ZIP_LZMA),
        Form("x.csv", _table, lambda path: read_documents(path, columns=["text", "kind"]), mutate=mutate_lines),
    ],
    [(odd_table, read_table())] * 25
    + [(archive_of_tables, read_table())] * 20
    + [(bomb("x.csv.gz", b"1,2,a\n"), read_table())]
    + [(bomb("x.csv.gz"), read_table())],
    made_share=0.1,
)


def parquet(compression: str = "snappy") -> bytes:
    """Return a Parquet file of columns of several types."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(
        {
            "count": list(range(60)),
            "kind": pa.array(["a", "b"] * 30).dictionary_encode(),
            "when": pa.array(range(60), pa.timestamp("us")),
            "text": [f"text {i}" for i in range(60)],
            "pair": [[i, i + 1] for i in range(60)],
        }
    )
    held = io.BytesIO()
    pq.write_table(table, held, compression=compression)
    return held.getvalue()


def odd_parquet(folder: Path, random: Random) -> Path:
    """Write a Parquet file of odd types, with values that Python cannot hold, and odd names."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    n = random.choice([0, 1, 12, 60])
    columns = [random.choice(_odd_columns())(n, random) for _ in range(random.randint(1, 4))]
    columns.append(pa.array((["a", "b", "b"] * n)[:n]))
    names = [random.choice(["a", "b", *(text for text in ODD if "\ud800" not in text)]) for _ in columns]
    names[-1] = random.choice(["kind", "kind", "kind", "other"])
    pq.write_table(pa.table(columns, names=names), folder / "x.parquet", compression=random.choice(["none", "gzip"]))
    return folder / "x.parquet"


@functools.cache
def _odd_columns() -> list[Callable[[int, Random], Any]]:
    import decimal

    import pyarrow as pa

    def numbers(kind: Any, bits: int) -> Callable[[int, Random], Any]:
        def make(n: int, random: Random) -> Any:
            edge = 2 ** (bits - 1) - 1
            values = [random.choice([0, 1, edge, -edge, random.randint(-edge, edge)]) for _ in range(n)]
            return pa.array(values, pa.int64() if bits == 64 else pa.int32()).cast(kind)

        return make

    def repeat(values: list[Any], kind: Any = None) -> Callable[[int, Random], Any]:
        return lambda n, random: pa.array([random.choice(values) for _ in range(n)], kind)

    def not_utf_8(n: int, random: Random) -> Any:
        whole = pa.array([random.choice([b"good", b"\xff\xfe", b"\xed\xa0\x80"]) for _ in range(n)], pa.binary())
        return pa.Array.from_buffers(pa.string(), n, whole.buffers())

    times = [pa.timestamp(unit) for unit in ("ms", "us", "ns")] + [
        pa.duration(unit) for unit in ("s", "ms", "us", "ns")
    ]
    times += [pa.timestamp("ms", "Europe/Paris"), pa.timestamp("us", "+99:99"), pa.time64("us"), pa.time64("ns")]
    return [
        *(numbers(kind, 64) for kind in times),
        numbers(pa.date32(), 32),
        numbers(pa.time32("ms"), 32),
        numbers(pa.int64(), 64),
        not_utf_8,
        repeat([[], [[]], None, [[1, None]]], pa.list_(pa.list_(pa.int8()))),
        repeat([{"a": 1}, None, {"a": None}], pa.struct([("a", pa.int8())])),
        repeat([[("k", 1)], None, []], pa.map_(pa.string(), pa.int32())),
        repeat([decimal.Decimal("1.5"), decimal.Decimal("9" * 30), None], pa.decimal256(60, 5)),
        repeat([b"", b"\xff", None], pa.binary()),
        repeat([b"ab", None], pa.binary(2)),
        repeat([None], pa.null()),
        repeat([True, False, None]),
        repeat([1.0, float("nan"), float("inf"), -1e308, None]),
        repeat([datetime.date(1, 1, 1), datetime.date(9999, 12, 31), None]),
        repeat([text for text in ODD if "\ud800" not in text]),
        repeat(["a", "b", None], pa.large_string()),
    ]


def many_rows(folder: Path, random: Random) -> Path:
    """Write a small file of many equal rows."""
    path = folder / "x.parquet"
    path.write_bytes(_many_rows())
    return path


@functools.cache
def _many_rows() -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    held = io.BytesIO()
    column = pa.array(np.zeros(1 << 24, np.int8))
    pq.write_table(pa.table({"a": column, "b": column, "kind": column}), held, compression="gzip")
    return held.getvalue()


PARQUET = target_of_forms(
    "Parquet",
    [
        Form("x.parquet", parquet, read_table(), marks=(b"PAR1",)),
        Form("x.parquet", functools.partial(parquet, "zstd"), read_parquet),
        Form("x.parquet", functools.partial(parquet, "none"), read_table("count")),
        Form("x.parquet", parquet, lambda path: read_documents(path, columns=["text"])),
    ],
    [(odd_parquet, read_table()), (odd_parquet, read_parquet)] * 12 + [(many_rows, read_table())],
)


def odd_json_lines(folder: Path, random: Random) -> Path:
    """Write lines of JSON that are nested deeply, hold huge numbers or are no objects."""
    lines = [{"text": f"Document {i}.", "id": i} for i in range(5)]
    texts = list(map(_dump, mutate_values(lines, random)))
    odd = [
        "[" * 100_000,
        '{"text":' * 50_000,
        '{"text": ' + "[" * 999 + "]" * 999 + "}",
        '{"text": ' + "9" * 5000 + "}",
    ]
    odd += ['{"text": "\\ud800"}', '{"text": NaN}', "null", '{"text": "a", "text": 1}', "\ufeff{}", "\x1e{}"]
    texts.insert(random.randint(0, len(texts)), random.choice([*odd, _dump(random.choice(WRONG))]))
    path = folder / "x.jsonl"
    path.write_text("\n".join(texts), "utf-8")
    return path


def _dump(value: Any) -> str:
    try:
        return json.dumps(value)
    except ValueError:  # Python writes no integer of more than 4,300 digits
        return "9" * 5000


def _json_lines() -> bytes:
    return JSON_LINES


JSON = target_of_forms(
    "JSON lines",
    [
        Form("x.jsonl", _json_lines, read_documents, mutate=mutate_lines),
        Form("x.jsonl.gz", _json_lines, read_documents, gzipped, mutate_lines),
    ],
    [(odd_json_lines, read_documents)] * 40 + [(bomb("x.jsonl.gz", b'{"text":1}\n'), read_documents)],
    made_share=0.4,
)


def _text() -> bytes:
    return TEXT


TEXTS = target_of_forms(
    "text",
    [
        Form("x.txt", _text, read_documents, mutate=mutate_lines),
        Form("x.txt.gz", _text, read_documents, gzipped, mutate_lines),
        Form("x.txt.zip", _text, read_documents, zipped("x.txt"), mutate_lines),
        Form("x.md", _text, lambda path: read_documents(path, marker="Document 3."), mutate=mutate_lines),
    ],
    [(bomb("x.txt.gz"), read_documents)],
    made_share=0.01,
)
