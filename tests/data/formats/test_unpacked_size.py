"""Small files that unpack to much more than any real data are refused, before they fill the memory."""

import gzip
import io
import struct
import tarfile
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.io import savemat

from batchsel.data.formats import unpacked_size
from batchsel.data.formats.archives import read_tar_members, unpack
from batchsel.data.formats.delimited import read_delimited
from batchsel.data.formats.documents import read_documents
from batchsel.data.formats.idx import read_idx
from batchsel.data.formats.matlab import read_matlab
from batchsel.data.formats.npz import read_npz
from batchsel.data.formats.parquet import read_parquet
from batchsel.errors import UserError


def write_bomb(path):
    """Write a compressed file of the kind that a name says, which unpacks to much more."""
    zeros = bytes(1 << 16)
    if path.suffix == ".gz" and "idx" not in path.name:
        path.write_bytes(gzip.compress(zeros))
    elif path.suffix == ".gz":
        path.write_bytes(gzip.compress(struct.pack(">HBBI", 0, 8, 1, len(zeros)) + zeros))
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
            archive.writestr("a.csv", zeros)
    elif path.suffix == ".mat":
        savemat(path, {"x": np.zeros(1 << 16)}, do_compression=True)
    elif path.suffix == ".parquet":
        pq.write_table(pa.table({"x": np.zeros(1 << 20, np.int8)}), path)
    elif path.suffix == ".npz":
        np.savez_compressed(path, x=np.zeros(1 << 16, np.uint8))
    else:
        with tarfile.open(path, "w:gz") as archive:
            for number in range(4):
                member = tarfile.TarInfo(f"{number}.txt")
                member.size = len(zeros)
                archive.addfile(member, io.BytesIO(zeros))


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("a.csv.gz", read_delimited),
        ("a.txt.gz", read_documents),
        ("a.csv.zip", read_delimited),
        ("idx1.gz", read_idx),
        ("a.npz", lambda path: read_npz(path, ["x"])),
        ("a.mat", lambda path: read_matlab(path, ["x"])),
        ("a.parquet", read_parquet),
        ("a.tgz", lambda path: list(read_tar_members(path, bool))),
    ],
)
def test_small_file_that_unpacks_to_much_more_is_refused(tmp_path, monkeypatch, name, read):
    path = tmp_path / name
    write_bomb(path)
    monkeypatch.setattr(unpacked_size, "LARGEST", 1 << 14)
    with pytest.raises(
        UserError, match=rf"{name} unpacks to more than 16\.4 kB and 200 times its size.*(unpack|save) it"
    ):
        read(path)


def test_large_files_of_real_data_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(unpacked_size, "LARGEST", 1 << 14)
    rows = "".join(f"{number},{number % 7}\n" for number in range(5000))
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(f"a,b\n{rows}".encode()))
    assert len(read_delimited(tmp_path / "a.csv.gz").column("a")) == 5000


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_header_of_a_tar_archive_that_is_no_header_is_refused(tmp_path, kind):
    member = tarfile.TarInfo("a.txt")
    member.type, member.size = kind, 2 << 20
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(member.tobuf(tarfile.GNU_FORMAT) + bytes(3 << 20)))
    for read in (lambda path: list(read_tar_members(path, bool)), lambda path: unpack(path, tmp_path / "unpacked")):
        with pytest.raises(UserError, match=r"a\.tar\.gz is damaged or truncated .*has 2097152 bytes"):
            read(tmp_path / "a.tar.gz")
