"""Tables in text files: written values are read back, and damage has clear errors."""

import csv
import gzip
import io
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchsel.data.formats.delimited import parse_numbers, read_delimited
from batchsel.data.formats.number_text import parse_column
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
    np.testing.assert_array_equal(parse_column(("1", "NA", "?")).values, [1, np.nan, np.nan])
    assert parse_column(("", "")) is None


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a;b\n1,5;2,5\n1;2\n", ";"),
        ("a,b\n1;2,3;4\n", ","),
        ('text,label\n"a; b, c",1\n', ","),
        ("length; in cm,kind\n1,2\n", ","),
        ("width, cm;kind\n1,5;x\n2,5;y\n", ";"),
        ("a|b\n1|2\n", "|"),
        ("a\tb;c\n1\t2\n", "\t"),
        ("a\n1\n2\n", ","),
    ],
)
def test_the_delimiter_is_found_out(tmp_path, text, delimiter):
    path = tmp_path / "table.csv"
    path.write_text(text)
    table = read_delimited(path)
    assert table.delimiter == delimiter
    assert len(table.names) == len(table.columns)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (("1,5", "-2,25", "3"), [1.5, -2.25, 3]),
        (("1.234,5", "999", "12.345"), [1234.5, 999, 12345]),
        (("1.5", "2.25"), [1.5, 2.25]),
        (("1.234", "0.125"), [1.234, 0.125]),
        (("1,5e3", ",5"), [1500, 0.5]),
        (("1,5", "x"), None),
        (("1,2,3", "4"), None),
    ],
)
def test_decimal_commas_are_read_by_column(values, expected):
    found = parse_column(values, comma=True)
    assert (None if found is None else found.values.tolist()) == expected
    assert parse_column(("1,5", "2"), comma=False) is None


@pytest.mark.parametrize("word", ["Infinity", "-inf", "1e400", "-1e39", "inf"])
def test_infinite_cells_are_counted_as_such(word):
    found = parse_column(("1", word, "", "2"))
    np.testing.assert_array_equal(found.values, [1, np.nan, np.nan, 2])
    assert (found.missing, found.infinite) == (1, 1)
