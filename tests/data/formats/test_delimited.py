"""Tables in text files: written values are read back, and damage has clear errors."""

import csv
import gzip
import io
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchsel.data.formats.delimited import parse_numbers, parse_optional_numbers, read_delimited
from batchsel.errors import UserError

TEXT = "length,kind\n1.5,a\n2.5,b\n"
VALUES = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=8)


def packed(raw, form):
    if form == "gzip":
        return gzip.compress(raw)
    if form == "zip":
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("table.csv", raw)
        return buffer.getvalue()
    return raw


@settings(deadline=None)
@given(
    st.lists(st.lists(VALUES, min_size=3, max_size=3), min_size=1, max_size=6),
    st.sampled_from([",", "\t", ";"]),
    st.sampled_from(["plain", "gzip", "zip"]),
)
def test_written_values_are_read_back(tmp_path_factory, rows, delimiter, form):
    path = tmp_path_factory.getbasetemp() / "table"
    written = io.StringIO()
    writer = csv.writer(written, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([["one", "two", "three"], *rows])
    path.write_bytes(packed(written.getvalue().encode(), form))
    table = read_delimited(path, delimiter=delimiter)
    assert [list(row) for row in zip(*table.columns, strict=True)] == rows


def test_names_can_be_given_for_a_file_without_them(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text('"0","a, b"\n"4","c"\n', encoding="latin-1")
    table = read_delimited(path, names=("target", "text"), encoding="latin-1")
    assert table.column("text") == ("a, b", "c")


def test_byte_order_mark_and_blank_lines_are_ignored(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n\r\n").encode())
    assert read_delimited(path).names == ("length", "kind")
    assert read_delimited(path).column("kind") == ("a", "b")


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "the first line is empty"),
        (b"a,b\n", "there is no line below the names"),
        (b"a,b\n1,2\n3\n", r"line 3: 1 values, the first line has 2"),
        (b"a,b\n1,2,3\n", r"line 2: 3 values, the first line has 2"),
        (b"a,a\n1,2\n", "several columns are named 'a'"),
        (b'a,b\n"1,2\n', "line 2: unexpected end of data"),
        ("a,b\n1,ä\n".encode("latin-1"), "is not utf-8 text: byte 0xe4"),
        (gzip.compress(TEXT.encode(), mtime=0)[:-6], "is damaged or truncated"),
        (packed(TEXT.encode(), "zip")[:40], "is damaged or truncated"),
    ],
    ids=["empty", "names alone", "short line", "long line", "twice", "quote", "latin-1", "cut gzip", "cut zip"],
)
def test_damage_is_named(tmp_path, raw, said):
    path = tmp_path / "table.csv"
    path.write_bytes(raw)
    with pytest.raises(UserError, match=said):
        read_delimited(path)


def test_archive_of_several_files_raises(tmp_path):
    path = tmp_path / "table.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("one.csv", TEXT)
        archive.writestr("two.csv", TEXT)
    with pytest.raises(UserError, match="holds 2 files; expected one"):
        read_delimited(path)
    with pytest.raises(UserError, match="No such file"):
        read_delimited(tmp_path / "nothing.csv")


def test_unknown_columns_and_bad_numbers_are_named(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(TEXT)
    with pytest.raises(UserError, match="there is no column 'size'. The columns are length, kind"):
        read_delimited(path).column("size")
    with pytest.raises(UserError, match="mine: 'x' in row 1 is not a number"):
        parse_numbers(("1", "x"), "mine")
    np.testing.assert_array_equal(parse_optional_numbers(("1", "NA", "?")), [1, np.nan, np.nan])
    assert parse_optional_numbers(("", "")) is None
