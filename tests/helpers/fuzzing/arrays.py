"""Readers of arrays: idx, npz and npy, MATLAB files, pickles of CIFAR, and vocabularies of subwords."""

from __future__ import annotations

import functools
import io
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from batchsel.data.encoding.subwords import SubwordEncoder, learn_subword_encoder
from batchsel.data.formats.idx import read_idx
from batchsel.data.formats.npz import read_npz
from batchsel.data.sets import cifar, svhn
from fuzzing.forms import Form, bomb, gzipped, target_of_forms
from fuzzing.mutations import mutate_bytes, mutate_lines, mutate_text

PIXELS = np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8)
ZIP_MARKS = (b"PK\1\2", b"PK\3\4", b"PK\5\6", b"\x93NUMPY")


def _idx() -> bytes:
    return bytes([0, 0, 8, 3, 0, 0, 0, 24, 0, 0, 0, 24, 0, 0, 0, 3]) + PIXELS.tobytes()


def odd_idx(folder: Path, random: Random) -> Path:
    """Write an idx file of any type, with lengths that its values may not have."""
    axes = random.choice([0, 1, 2, 3, 255])
    lengths = [random.choice([0, 1, 3, 2**31, 2**32 - 1, 2**16]) for _ in range(axes)]
    raw = bytes([0, 0, random.choice([8, 9, 11, 12, 13, 14, 7]), axes]) + struct.pack(f">{axes}I", *lengths)
    raw += random.randbytes(random.choice([0, 3, 72]))
    path = folder / "x-idx3-ubyte"
    path.write_bytes(gzipped(raw) if random.random() < 0.5 else raw)
    return path


IDX = target_of_forms(
    "idx",
    [Form("x-idx3-ubyte", _idx, read_idx), Form("x-idx3-ubyte.gz", _idx, read_idx, gzipped)],
    [(odd_idx, read_idx)] * 20 + [(bomb("x-idx3-ubyte.gz", _idx()[:4] + b"\0\x10\0\0" * 3), read_idx)],
)


def read_xy(path: Path) -> object:
    """Read an npz file of images and labels."""
    return read_npz(path, ["x", "y"])


def _npz() -> bytes:
    held = io.BytesIO()
    np.savez_compressed(held, x=np.arange(60.0).reshape(20, 3), y=np.arange(20))
    return held.getvalue()


def _npy(array: np.ndarray = PIXELS, **options: Any) -> bytes:
    held = io.BytesIO()
    np.save(held, array, **options)
    return held.getvalue()


def odd_npz(folder: Path, random: Random) -> Path:
    """Write an npz file whose arrays have other headers, or are no arrays; or an array alone."""
    path = folder / "x.npz"
    if random.random() < 0.1:
        path.write_bytes(_npy())
        return path
    with zipfile.ZipFile(path, "w", random.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])) as archive:
        for name in ("x", "y", *random.choice([(), ("x",), ("../z",)])):
            info = zipfile.ZipInfo(name + random.choice([".npy", ".npy", ".npy", ""]))
            archive.writestr(info, _odd_npy(random))
    return path


def _odd_npy(random: Random) -> bytes:
    kind = random.randrange(4)
    if kind == 0:
        return mutate_bytes(_npy(), random)
    if kind == 1:
        return random.choice([pickle.dumps(os.getcwd), _npy(np.array([None, Call(os.getcwd)], object)), b"", _npy()])
    header = "{'descr': '|u1', 'fortran_order': False, 'shape': (24, 24, 3), }"
    if kind == 2:
        header = mutate_text(header, random)
    else:
        shape = random.choice(
            ["(10**9,)", "(1000000000, 3)", "(9223372036854775807, 9)", "(-1,)", "()", "(0, 5)", "((1,),)"]
        )
        descr = random.choice(
            ["'|u1'", "'|O'", "'<f8'", "'|V0'", "'|S0'", "[('a', '<f8', (1000000,))]", "'<U99999999'"]
        )
        header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"
    encoded = header.encode("utf-8", "surrogatepass")[: 2**16 - 1]
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(encoded)) + encoded + PIXELS.tobytes()


class Call:
    """A value whose pickle is a call."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._call = function, arguments

    def __reduce__(self) -> Any:
        return self._call


@functools.cache
def _large_npz() -> bytes:
    held = io.BytesIO()
    np.savez_compressed(held, x=np.zeros(20 << 20, np.uint8), y=np.zeros(3))
    return held.getvalue()


def large_npz(folder: Path, random: Random) -> Path:
    """Write a small npz file that unpacks to many bytes."""
    path = folder / "x.npz"
    path.write_bytes(_large_npz())
    return path


NPZ = target_of_forms(
    "npz",
    [Form("x.npz", _npz, read_xy, marks=ZIP_MARKS)],
    [(odd_npz, read_xy)] * 60 + [(large_npz, read_xy)],
    made_share=0.6,
)


def _matlab(compress: bool) -> bytes:
    from scipy.io import savemat

    held = io.BytesIO()
    savemat(held, {"X": PIXELS[..., None].repeat(4, 3), "y": np.arange(4)[:, None]}, do_compression=compress)
    return held.getvalue()


def read_svhn(path: Path) -> object:
    """Read a file of SVHN."""
    return svhn._read({"train": path})


MATLAB = target_of_forms(
    "MATLAB files",
    [
        Form("x.mat", functools.partial(_matlab, False), read_svhn),
        Form("x.mat", functools.partial(_matlab, True), read_svhn),
    ],
)


def _batch() -> bytes:
    rows = np.random.default_rng(0).integers(0, 256, (8, 3072), np.uint8)
    return pickle.dumps({b"data": rows, b"labels": list(range(8)), b"filenames": [b"a.png"] * 8}, protocol=2)


def _binary() -> bytes:
    return b"".join(bytes([row]) + bytes([row] * 3072) for row in range(4))


def read_batch(path: Path) -> object:
    """Read a file of CIFAR in Python form."""
    return cifar._parse_pickle(path.read_bytes(), 10, str(path))


def read_binary(path: Path) -> object:
    """Read a file of CIFAR in binary form."""
    return cifar._parse_binary(path.read_bytes(), 10, str(path))


def odd_pickle(folder: Path, random: Random) -> Path:
    """Write a pickle of other things than arrays: calls, huge shapes, lists within lists, many opcodes."""
    path = folder / "data_batch_1"
    path.write_bytes(_odd_pickle(random))
    return path


def _odd_pickle(random: Random) -> bytes:
    images = np.zeros((2, 3072), np.uint8)
    rebuild = np.empty(0, np.uint8).__reduce__()[0]
    nested: Any = [0, 1]
    for _ in range(40):
        nested = [nested, nested]
    data = random.choice(
        [images, images[:, :7], images.astype(float), np.array([None]), Call(np.ndarray, (10**12,)), None, "x", nested,
         Call(rebuild, np.ndarray, (10**9,), b"b"), Call(os.system, "true"), Call(eval, "1"), Call(bytes, 10**10),
         Call(__import__("_codecs").encode, "x" * 9, "idna"), Call(bytearray, 10**10), Call(range, 10**9)]
    )  # fmt: skip
    labels = random.choice(
        [[3, 3], [3, 300], [-1, 3], [10**400, 3], nested, (1, 2), np.array([1, 2]), np.zeros((2, 2)), None]
    )
    raw = pickle.dumps({b"data": data, b"labels": labels}, protocol=random.choice([0, 1, 2, 3, 4, 5]))
    if random.random() < 0.3:
        # Opcodes in the middle: a call, an object of another module, one that was remembered, 2^31 - 1 of something.
        odd = [
            b"cos\nsystem\n",
            b"R",
            b"\x93",
            b"r\xff\xff\xff\x7f",
            b"j\xff\xff\xff\x7f",
            b"b",
            b"P1\n",
            b"(" * 9,
            b"Q",
        ]
        odd += [
            b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f",
            b"\x8b\xff\xff\xff\x7f",
            b"B\xff\xff\xff\x7f",
            b"]" * 9000,
            b"2a" * 9000,
        ]
        at = random.randrange(2, len(raw))
        raw = raw[:at] + random.choice(odd) + raw[at:]
    return raw


CIFAR = target_of_forms(
    "CIFAR",
    [Form("data_batch_1", _batch, read_batch), Form("data_batch_1.bin", _binary, read_binary)],
    [(odd_pickle, read_batch)],
    made_share=0.5,
)


def read_encoder(path: Path) -> object:
    """Read a vocabulary of subwords, and use it."""
    encoder = SubwordEncoder(path.read_bytes().decode("utf-8", "replace"))
    return encoder.decode(encoder.encode(["some text"])[0])


def _vocabulary() -> bytes:
    return learn_subword_encoder(["low lower"], 260).serialize().encode()


VOCABULARY = target_of_forms("vocabularies", [Form("v.json", _vocabulary, read_encoder, mutate=mutate_lines)])
