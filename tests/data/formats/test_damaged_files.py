"""Damaged files of every format: read as they are, or refused with one error that names the file; nothing else."""

import gzip
import io
import json
import pickle
import random
import tarfile
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mutations import mutate
from PIL import Image

from batchsel.data.builders.image_files import decode_image_file
from batchsel.data.encoding.subwords import SubwordEncoder, learn_subword_encoder
from batchsel.data.formats.archives import read_tar_members
from batchsel.data.formats.documents import read_documents
from batchsel.data.formats.idx import read_idx
from batchsel.data.formats.jpeg import decode_jpegs
from batchsel.data.formats.npz import read_npz
from batchsel.data.formats.parquet import read_parquet
from batchsel.data.sets import cifar, svhn
from batchsel.data.user.table import load_table
from batchsel.errors import UserError

LINES = "".join(f"{i},{i / 7:.3f},{'ab'[i % 2]},text {i}\n" for i in range(60))
TABLE = ("count,share,kind,text\n" + LINES).encode()
JSON_LINES = "".join(json.dumps({"text": f"Document {i}.", "id": i}) + "\n" for i in range(40)).encode()
PIXELS = np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8)


def picture(form, **options):
    held = io.BytesIO()
    Image.fromarray(PIXELS).save(held, form, **options)
    return held.getvalue()


def npz():
    held = io.BytesIO()
    np.savez_compressed(held, x=np.arange(60.0).reshape(20, 3), y=np.arange(20))
    return held.getvalue()


def parquet(compression="snappy"):
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


def zipped(compression=zipfile.ZIP_DEFLATED):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", compression) as archive:
        archive.writestr("table.csv", TABLE)
    return held.getvalue()


def tarred():
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        for name, body in {"set/a.bin": PIXELS.tobytes(), "set/b.bin": TABLE}.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return held.getvalue()


def batch():
    rows = np.random.default_rng(0).integers(0, 256, (8, 3072), np.uint8)
    return pickle.dumps({b"data": rows, b"labels": list(range(8)), b"filenames": [b"a.png"] * 8}, protocol=2)


def idx():
    return bytes([0, 0, 8, 3, 0, 0, 0, 24, 0, 0, 0, 24, 0, 0, 0, 3]) + PIXELS.tobytes()


def matlab(compress):
    from scipy.io import savemat

    held = io.BytesIO()
    savemat(held, {"X": PIXELS[..., None].repeat(4, 3), "y": np.arange(4)[:, None]}, do_compression=compress)
    return held.getvalue()


def read_streams(path):
    raw = np.frombuffer(path.read_bytes(), np.uint8)
    decode_jpegs(raw, np.array([0, len(raw)]), (24, 24, 3), str(path))


def read_encoder(path):
    with open(path, "rb") as file:
        text = file.read().decode("utf-8", "replace")
    encoder = SubwordEncoder(text)
    encoder.decode(encoder.encode(["some text"])[0])


def read_image(path):
    decode_image_file(path, (8, 8, 3))


def read_table(name="kind"):
    return lambda path: load_table(f"{path}:{name}")


FORMATS = {
    "idx": (idx, "x-idx3-ubyte", read_idx),
    "idx.gz": (lambda: gzip.compress(idx(), mtime=0), "x-idx3-ubyte.gz", read_idx),
    "npz": (npz, "x.npz", lambda path: read_npz(path, ["x", "y"])),
    "csv": (lambda: TABLE, "x.csv", read_table()),
    "tsv": (lambda: TABLE.replace(b",", b"\t"), "x.tsv", read_table("count")),
    "csv.gz": (lambda: gzip.compress(TABLE, mtime=0), "x.csv.gz", read_table("share")),
    "csv.zip": (zipped, "x.csv.zip", read_table()),
    "csv.zip of bzip2": (lambda: zipped(zipfile.ZIP_BZIP2), "x.csv.zip", read_table()),
    "csv.zip of LZMA": (lambda: zipped(zipfile.ZIP_LZMA), "x.csv.zip", read_table()),
    "jsonl": (lambda: JSON_LINES, "x.jsonl", read_documents),
    "txt": (lambda: JSON_LINES.replace(b"\n", b"\n\n"), "x.txt", read_documents),
    "parquet": (parquet, "x.parquet", read_table()),
    "parquet, zstd": (lambda: parquet("zstd"), "x.parquet", read_parquet),
    "jpeg": (lambda: picture("JPEG"), "x.jpg", read_image),
    "jpeg, progressive": (lambda: picture("JPEG", progressive=True), "x.jpg", read_image),
    "jpeg streams": (lambda: picture("JPEG"), "x.bin", read_streams),
    "png": (lambda: picture("PNG"), "x.png", read_image),
    "gif": (lambda: picture("GIF"), "x.gif", read_image),
    "bmp": (lambda: picture("BMP"), "x.bmp", read_image),
    "webp": (lambda: picture("WEBP"), "x.webp", read_image),
    "tiff": (lambda: picture("TIFF", compression="tiff_lzw"), "x.tif", read_image),
    "ppm": (lambda: picture("PPM"), "x.ppm", read_image),
    "tar.gz": (tarred, "x.tar.gz", lambda path: list(read_tar_members(path, lambda name: True))),
    "cifar pickle": (batch, "x", lambda path: cifar._parse_pickle(path.read_bytes(), 10, str(path))),
    "mat": (lambda: matlab(False), "x.mat", lambda path: svhn._read({"train": path})),
    "mat, packed": (lambda: matlab(True), "x.mat", lambda path: svhn._read({"train": path})),
    "subwords": (lambda: learn_subword_encoder(["low lower"], 260).serialize().encode(), "v.json", read_encoder),
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def try_damaged(format_name, folder, numbers, times):
    """Return how often damaged files were refused; anything but a `UserError` ends the test."""
    make, name, read = FORMATS[format_name]
    whole, refused = make(), 0
    path = folder / name
    path.write_bytes(whole)
    read(path)
    for _ in range(times):
        path.write_bytes(mutate(whole, numbers))
        try:
            read(path)
        except UserError as error:
            refused += 1
            assert len(str(error)) < 1500
    return refused


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.filterwarnings("ignore")  # Pillow and NumPy warn about damage that they can live with
def test_damaged_files_are_read_or_refused(tmp_path, format_name):
    assert try_damaged(format_name, tmp_path, random.Random(14), 60) > 0
