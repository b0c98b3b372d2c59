"""Reader of archives: zip and tar, unpacked or read in place."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path
from random import Random

from batchsel.data.formats.archives import read_tar_members, unpack
from fuzzing.arrays import PIXELS
from fuzzing.forms import Form, Maker, target_of_forms
from fuzzing.tables import TABLE

_NAMES = [
    "set/a.bin", "set/b.bin", "set", "set/", "../up", "set/../../up", "/tmp/batchsel-up", "C:\\up", "C:up", "set\\..\\..\\up",
    "", ".", "..", "./", "a/./b", "a//b", "x" * 300, "x/" * 2000 + "y", "\0", "ü", "\udcff", "a\nb", "CON", "con.", ".hidden",
    "~/up", "$HOME/up", ".set.unpacking", "~",
]  # fmt: skip
_LINKS = [*_NAMES, "gone", "set/a.bin", "link", "/etc/passwd", "../secret"]
_TYPES = [
    tarfile.REGTYPE, tarfile.REGTYPE, tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE,
    tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE, b"Z", tarfile.XHDTYPE,
    tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XGLTYPE,
]  # fmt: skip


def unpack_beside(path: Path) -> object:
    """Unpack an archive into a folder beside it."""
    return unpack(path, path.parent / "unpacked")


def read_in_place(path: Path) -> object:
    """Read the members of an archive that is not unpacked."""
    return [len(content) for _, content in read_tar_members(path, lambda name: True)]


def tarred() -> bytes:
    """Return a tar archive of two files."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for name, body in {"set/a.bin": PIXELS.tobytes(), "set/b.bin": TABLE}.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return held.getvalue()


def _zip() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("set/a.bin", PIXELS.tobytes())
        archive.writestr("set/b.bin", TABLE)
    return held.getvalue()


def _pack(raw: bytes) -> bytes:
    return gzip.compress(raw, 1, mtime=0)


def odd_tar(name: str) -> Maker:
    """Return a maker of tar archives with members of any name, kind, size, owner and mode."""

    def make(folder: Path, random: Random) -> Path:
        held, form = io.BytesIO(), random.choice([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
        for _ in range(random.randint(0, 5)):
            member = tarfile.TarInfo(random.choice(_NAMES))
            member.type, member.linkname = random.choice(_TYPES), random.choice(["", random.choice(_LINKS)])
            body = random.choice([b"", TABLE, b"30 path=../../up\n", b"12 size=-1\n", b"9" * 600, bytes(512)])
            member.size = random.choice([len(body), len(body), 0, 1, 2**33, 2**62, -1, -512])
            member.mode = random.choice([0o644, 0o7777, 0, 0o777])
            if random.random() < 0.2:
                member.pax_headers = random.choice(
                    [{"path": "../up"}, {"size": "-5"}, {"size": "x"}, {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"},
                     {"GNU.sparse.map": "0,1,x"}, {"GNU.sparse.size": "9999999999999"}, {"mtime": "nan"}, {"hdrcharset": "x"}]
                )  # fmt: skip
            try:
                header = member.tobuf(form, "utf-8", "surrogateescape")
            except ValueError:  # what the form cannot express
                continue
            held.write(header + body + bytes(-len(body) % 512))
        held.write(bytes(random.choice([1024, 1024, 512, 0])))
        path = folder / name
        path.write_bytes(_pack(held.getvalue()) if name.endswith("gz") else held.getvalue())
        return path

    return make


def large_tar(kind: bytes) -> Maker:
    """Return a maker of a small tar archive with a member, or a header, of 20 megabytes."""

    def make(folder: Path, random: Random) -> Path:
        member = tarfile.TarInfo("set/a.bin")
        member.type, member.size = kind, 20 << 20
        path = folder / "x.tar.gz"
        body = gzip.compress(bytes(1 << 20), mtime=0) * 20
        path.write_bytes(gzip.compress(member.tobuf(tarfile.GNU_FORMAT)) + body + gzip.compress(bytes(1024)))
        return path

    return make


def odd_zip(folder: Path, random: Random) -> Path:
    """Write a zip archive with members of any name, kind, method and size."""
    path = folder / "x.zip"
    held = io.BytesIO()
    methods = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
    with zipfile.ZipFile(held, "w") as archive:
        for _ in range(random.randint(0, 5)):
            info = zipfile.ZipInfo(random.choice([name for name in _NAMES if "\udcff" not in name]))
            info.external_attr = random.choice([0, 0o100644, 0o120777, 0o040755, 0o010644, 0o060644, 0o107777]) << 16
            archive.writestr(info, random.choice([TABLE, b"", b"/etc/passwd", bytes(1 << 20)]), random.choice(methods))
    raw = bytearray(held.getvalue())
    for _ in range(random.choice([0, 1, 2])):
        # Flags, method, sizes, name length or place of a member in the directory, or in its own header.
        found = [at for at in range(len(raw) - 46) if raw[at : at + 4] in (b"PK\1\2", b"PK\3\4")]
        if found:
            at = random.choice(found) + random.choice([6, 8, 10, 12, 20, 24, 26, 28, 42])
            raw[at : at + 2] = random.choice(
                [b"\x01\x00", b"\x08\x00", b"\x09\x00", b"\xff\xff", b"\x00\x00", b"\x63\x00"]
            )
    path.write_bytes(raw)
    return path


def large_zip(folder: Path, random: Random) -> Path:
    """Write a small zip archive that claims to unpack to more than any disk holds."""
    path = folder / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.bin", bytes(1 << 20))
    raw = bytearray(path.read_bytes())
    at = raw.index(b"PK\1\2")
    raw[at + 24 : at + 28] = random.choice([b"\xff\xff\xff\x7f", b"\xfe\xff\xff\xff", b"\x00\x00\x00\x00"])
    path.write_bytes(raw)
    return path


ARCHIVES = target_of_forms(
    "archives",
    [
        Form("x.zip", _zip, unpack_beside, marks=(b"PK\1\2", b"PK\3\4", b"PK\5\6")),
        Form("x.tar", tarred, unpack_beside, marks=(b"ustar",)),
        Form("x.tar.gz", tarred, unpack_beside, _pack),
        Form("x.tgz", tarred, read_in_place, _pack),
    ],
    [(odd_tar("x.tar"), unpack_beside), (odd_tar("x.tar.gz"), unpack_beside), (odd_tar("x.tar.gz"), read_in_place)] * 15
    + [(odd_zip, unpack_beside)] * 30
    + [(large_zip, unpack_beside)] * 3
    + [(large_tar(tarfile.REGTYPE), read_in_place), (large_tar(tarfile.GNUTYPE_LONGNAME), read_in_place)]
    + [(large_tar(tarfile.GNUTYPE_LONGNAME), unpack_beside), (large_tar(tarfile.XHDTYPE), read_in_place)],
    made_share=0.5,
)
