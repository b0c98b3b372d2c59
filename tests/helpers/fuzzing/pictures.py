"""Readers of pictures: single files, streams in an array, and folders of classes."""

from __future__ import annotations

import functools
import io
import os
import struct
import zlib
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from batchsel.data.builders.image_files import decode_image_file
from batchsel.data.formats.jpeg import decode_jpegs
from batchsel.data.user.image_folder import load_image_folder
from fuzzing.arrays import PIXELS
from fuzzing.forms import Form, target_of_forms
from fuzzing.harness import Target
from fuzzing.mutations import mutate_bytes

_MARKS = (b"IHDR", b"IDAT", b"\xff\xc0", b"\xff\xc2", b"\xff\xda", b"\xff\xc4", b"VP8", b"Exif", b"II*\0")


def picture(form: str, mode: str = "RGB", **options: Any) -> bytes:
    """Return a small picture."""
    from PIL import Image

    held = io.BytesIO()
    Image.fromarray(PIXELS).convert(mode).save(held, form, **options)
    return held.getvalue()


def read_image(path: Path) -> object:
    """Decode a picture at another size."""
    return decode_image_file(path, (8, 8, 3))


def read_gray_image(path: Path) -> object:
    """Decode a picture in gray."""
    return decode_image_file(path, (24, 24, 1))


def read_streams(path: Path) -> object:
    """Decode a stream in an array."""
    raw = np.frombuffer(path.read_bytes(), np.uint8)
    return decode_jpegs(raw, np.array([0, len(raw)]), (24, 24, 3), str(path))


def _form(name: str, kind: str, read: Any = read_image, **options: Any) -> Form:
    return Form(f"x.{name}", functools.partial(picture, kind, **options), read, marks=_MARKS)


def png(width: int, height: int, body: bytes, kind: int = 2, bits: int = 8, more: bytes = b"") -> bytes:
    """Return a PNG file with this header and these packed rows."""
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + more + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def odd_png(folder: Path, random: Random) -> Path:
    """Write a PNG file of any size and kind, with valid checksums."""
    sizes = [0, 1, 8, 24, 4000, 13_000, 60_000, 2**31 - 1, 2**32 - 1]
    width, height = random.choice(sizes), random.choice(sizes)
    more = random.choice(
        [b"", _chunk(b"PLTE", b"\0" * 3), _chunk(b"tRNS", b"\0" * 300), _chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**7))),
         _chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(10**6))), _chunk(b"acTL", b"\0\0\0\2\0\0\0\0"), _chunk(b"eXIf", b"II*\0\xff\xff\xff\xff")]
    )  # fmt: skip
    body = random.choice([zlib.compress(bytes(1000)), _zeros(), b"", random.randbytes(50)])
    path = folder / "x.png"
    path.write_bytes(png(width, height, body, random.choice([0, 2, 3, 4, 6, 7]), random.choice([1, 8, 16, 3]), more))
    return path


@functools.cache
def _zeros() -> bytes:
    return zlib.compress(bytes(60 << 20))


def large_png(folder: Path, random: Random) -> Path:
    """Write a PNG file of as many pixels as Pillow allows, in a few kilobytes."""
    path = folder / "x.png"
    path.write_bytes(_large_png())
    return path


@functools.cache
def _large_png() -> bytes:
    return png(13_300, 13_300, zlib.compress(bytes(13_301 * 13_300)), kind=0)


def exif(folder: Path, random: Random) -> Path:
    """Write a JPEG file with damaged notes of a camera."""
    from PIL import Image

    notes = Image.Exif()
    notes[0x0112] = random.choice([1, 3, 6, 8, 0, 99])
    path = folder / "x.jpg"
    raw = picture("JPEG", exif=notes.tobytes())
    end = raw.index(b"\xff\xdb")
    path.write_bytes(mutate_bytes(raw[4:end], random).join([raw[:4], raw[end:]]))
    return path


PICTURES = target_of_forms(
    "pictures",
    [
        _form("jpg", "JPEG"),
        _form("jpg", "JPEG", progressive=True),
        _form("jpg", "JPEG", mode="CMYK"),
        _form("jpg", "JPEG", read=read_streams),
        _form("png", "PNG"),
        _form("png", "PNG", read=read_gray_image, mode="LA"),
        _form("png", "PNG", mode="P"),
        _form("gif", "GIF"),
        _form("bmp", "BMP"),
        _form("webp", "WEBP"),
        _form("tif", "TIFF"),
        _form("tif", "TIFF", compression="tiff_lzw"),
        _form("ppm", "PPM"),
        _form("pgm", "PPM", read=read_gray_image, mode="L"),
    ],
    [(odd_png, read_image), (odd_png, read_gray_image), (exif, read_image)] * 6 + [(large_png, read_image)],
    share=0.5,
)


def odd_folder(folder: Path, random: Random) -> str:
    """Write a folder of class folders, some of whose files are damaged, pipes, links or folders."""
    root = folder / random.choice(["a", "a b", "ü", "a\nb"])
    names = random.choice(
        [("x", "y"), ("x",), (), ("x", "y", ".z"), ("train/x", "train/y", "val/x"), ("train/x", "test/z")]
    )
    root.mkdir()
    for name in names:
        (root / name).mkdir(parents=True)
        for number in range(random.choice([4, 4, 4, 1, 0])):
            (root / name / f"{number}.png").write_bytes(picture("PNG"))
    for name in names:
        if random.random() < 0.4:
            _write_odd(root / name / random.choice(["0.png", "9.jpg", "x.tif"]), folder, random)
    if random.random() < 0.1:
        (root / f"{root.name}_annotations.txt").write_bytes(mutate_bytes(b"0.png\tx\n1.png\ty\n", random))
    return f"{root}{random.choice(['', '', ':skip_broken', ':size=16', ':size=16:skip_broken'])}"


def _write_odd(path: Path, folder: Path, random: Random) -> None:
    path.unlink(missing_ok=True)
    match random.randrange(6):
        case 0:
            os.mkfifo(path)
        case 1:
            path.symlink_to(random.choice(["/dev/zero", "gone.png", str(folder), path.name]))
        case 2:
            path.mkdir()
        case _:
            path.write_bytes(random.choice([mutate_bytes(picture("PNG"), random), b"", png(60_000, 60_000, b"")]))


FOLDERS = Target("folders of pictures", odd_folder, load_image_folder, share=0.3)
