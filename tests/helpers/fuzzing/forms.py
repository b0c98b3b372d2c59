"""Targets made of forms of files: whole contents, that are damaged before or after they are packed."""

from __future__ import annotations

import functools
import gzip
import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from fuzzing.harness import Target
from fuzzing.mutations import mutate_bytes

Reader = Callable[[Path], object]
Maker = Callable[[Path, Random], Path]


@dataclass(frozen=True)
class Form:
    """A form of files.

    Args:
        name: Name of the file.
        whole: Makes its content, before it is packed.
        read: Reads the file; what `whole` makes must be read.
        pack: Packs the content; damage is done before that or after it.
        mutate: Damages the content.
        marks: Bytes that begin headers.
    """

    name: str
    whole: Callable[[], bytes]
    read: Reader
    pack: Callable[[bytes], bytes] | None = None
    mutate: Callable[[bytes, Random], bytes] | None = None
    marks: tuple[bytes, ...] = ()

    def write(self, folder: Path, random: Random) -> Path:
        """Write a damaged file."""
        raw, path = _once(self.whole), folder / self.name
        mutate = self.mutate or functools.partial(mutate_bytes, marks=self.marks)
        if self.pack is None:
            raw = mutate(raw, random)
        elif random.random() < 0.5:
            raw = self.pack(mutate(raw, random))
        else:
            raw = mutate_bytes(self.pack(raw), random, self.marks)
        path.write_bytes(raw)
        return path

    def write_whole(self, folder: Path) -> Path:
        """Write the file as it should be."""
        path = folder / self.name
        path.write_bytes(self.pack(_once(self.whole)) if self.pack else _once(self.whole))
        return path


@functools.cache
def _once(make: Callable[[], bytes]) -> bytes:
    return make()


def target_of_forms(
    name: str,
    forms: Sequence[Form],
    made: Sequence[tuple[Maker, Reader]] = (),
    made_share: float = 0.25,
    **options: Any,
) -> Target:
    """Return a target that tries damaged files of several forms, and files that were made to do harm.

    Args:
        name: Name of the reader.
        forms: The forms.
        made: Functions that write a harmful file, and its reader.
        made_share: Share of these in all cases.
        **options: Of `Target`.
    """

    def write(folder: Path, random: Random) -> Any:
        if made and random.random() < made_share:
            make, read = random.choice(made)
            return read, make(folder, random)
        form = random.choice(forms)
        return form.read, form.write(folder, random)

    def prepare() -> None:
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            for form in forms:
                form.read(form.write_whole(Path(folder)))

    return Target(name, write, lambda pair: pair[0](pair[1]), prepare=prepare, **options)


def gzipped(raw: bytes) -> bytes:
    """Return bytes packed by gzip."""
    return gzip.compress(raw, 1, mtime=0)


def zipped(name: str, method: int = zipfile.ZIP_DEFLATED) -> Callable[[bytes], bytes]:
    """Return a function that packs bytes as the only member of a zip archive."""

    def pack(raw: bytes) -> bytes:
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w", method) as archive:
            archive.writestr(zipfile.ZipInfo(name), raw, method)
        return held.getvalue()

    return pack


def bomb(name: str, unit: bytes = b"\0", size: int = 20 << 20) -> Maker:
    """Return a maker of a small file, packed by gzip, that unpacks to many bytes."""

    def make(folder: Path, random: Random) -> Path:
        block = gzip.compress(unit * ((1 << 20) // len(unit)), mtime=0)
        path = folder / name
        path.write_bytes(block * (size >> 20))  # gzip reads what follows the end of a stream as its continuation
        return path

    return make
