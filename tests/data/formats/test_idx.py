"""idx files: written values are read back, and damage has clear errors."""

import gzip
import struct

import numpy as np
import pytest
from data_files import idx_bytes
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from batchsel.data.formats.idx import read_idx
from batchsel.errors import UserError

TYPES = st.sampled_from(["u1", "i1", "<i2", "<i4", "<f4", "<f8"])
GOOD = idx_bytes(np.arange(12, dtype=np.uint8).reshape(3, 4))
# Without a fixed time the header holds that of the import, so that two test workers could see two files.
PACKED = gzip.compress(GOOD, mtime=0)


@settings(deadline=None)
@given(arrays.arrays(TYPES, arrays.array_shapes(min_dims=1, max_dims=4, min_side=0)), st.booleans())
def test_written_values_are_read_back(tmp_path_factory, array, packed):
    path = tmp_path_factory.getbasetemp() / "array.idx"
    raw = idx_bytes(array)
    path.write_bytes(gzip.compress(raw, 1) if packed else raw)
    read = read_idx(path)
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(read, array)


def test_suffix_does_not_decide_about_compression(tmp_path):
    path = tmp_path / "images.gz"
    path.write_bytes(GOOD)
    assert read_idx(path).shape == (3, 4)


@settings(deadline=None)
@given(st.integers(0, len(GOOD) - 1))
def test_every_truncation_raises(tmp_path_factory, length):
    path = tmp_path_factory.getbasetemp() / "cut.idx"
    path.write_bytes(GOOD[:length])
    with pytest.raises(UserError, match="is not a whole idx file"):
        read_idx(path)


@settings(deadline=None)
@given(st.integers(2, len(PACKED) - 1))
def test_every_truncation_of_a_compressed_file_raises(tmp_path_factory, length):
    path = tmp_path_factory.getbasetemp() / "cut.idx.gz"
    path.write_bytes(PACKED[:length])
    with pytest.raises(UserError, match="is not a whole idx file"):
        read_idx(path)


@pytest.mark.parametrize(
    ("raw", "how"),
    [
        (b"", r"begins with the bytes \(none\)"),
        (b"\x89PNG\r\n", "begins with the bytes 89 50 4e 47, not an idx magic number"),
        (bytes([0, 0, 0x0A, 1, 0, 0, 0, 0]), "not an idx magic number"),
        (bytes([0, 0, 8, 0]), "not an idx magic number"),
        (bytes([0, 0, 8, 2, 0, 0, 0, 1]), "ends within the lengths of its 2 axes"),
        (GOOD[:-1], r"its shape \(3, 4\) needs 12 bytes of values, but the file is truncated"),
        (GOOD + b"x", "needs 12 bytes of values, but more follow"),
        (bytes([0, 0, 8, 3]) + struct.pack(">3I", *[2**32 - 1] * 3), "but the file is truncated"),
        (gzip.compress(bytes([0, 0, 8, 1]) + struct.pack(">I", 2**32 - 1), mtime=0), "but the file is truncated"),
        (PACKED[:-6] + b"abcdef", "gzip stream is damaged"),
        (PACKED[:10] + b"\xff" * 20, "gzip stream is damaged"),
    ],
    ids=[
        "empty",
        "another format",
        "an unknown type",
        "no axes",
        "lengths cut",
        "values cut",
        "values too many",
        "more values than memory",
        "packed values cut",
        "packed, wrong checksum",
        "packed, damaged within",
    ],
)
def test_each_kind_of_damage_has_its_message(tmp_path, raw, how):
    path = tmp_path / "broken"
    path.write_bytes(raw)
    with pytest.raises(UserError, match=rf"broken is not a whole idx file: .*{how}.*Delete it and download it again"):
        read_idx(path)


def test_missing_file_raises(tmp_path):
    with pytest.raises(UserError, match=r"cannot read .*nothing: No such file"):
        read_idx(tmp_path / "nothing")
