"""The beginning of a file: the bytes that came, and a note of where they came from."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class PartialFile:
    """What there is of a file that is on its way, `.NAME.part`, and beside it what the server said of the whole.

    Args:
        path: The file of the bytes.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     part = PartialFile.of(Path(folder, "train.gz"))
        ...     part.begin({"total": 100})
        ...     _ = part.path.write_bytes(b"abc")
        ...     part.size, part.note, part.path.name
        (3, {'total': 100}, '.train.gz.part')
    """

    path: Path

    @classmethod
    def of(cls, path: Path, alone: bool = True) -> PartialFile:
        """The beginning of a file.

        Args:
            path: Where the whole file will be.
            alone: Whether nobody else writes to it now. The name is the same each time then, so that what came can
                be gone on with; else it is that of this call alone.

        Returns:
            The partial file, there or not.

        Example:
            >>> PartialFile.of(Path("/data/train.gz")).path.as_posix()
            '/data/.train.gz.part'
        """
        own = "" if alone else f".{os.getpid()}-{secrets.token_hex(4)}"
        return cls(path.with_name(f".{path.name}{own}.part"))

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def note(self) -> Mapping[str, Any]:
        """What was noted when it began: `url` and `version` (text), `total` (bytes), as far as it can be read."""
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        kinds = {"url": str, "version": str, "total": int}
        known = note if isinstance(note, dict) else {}
        return {key: known[key] for key, kind in kinds.items() if isinstance(known.get(key), kind)}

    @property
    def is_whole(self) -> bool:
        """Whether as many bytes are there as the server announced."""
        return 0 < self.size == self.note.get("total")

    def begin(self, note: Mapping[str, Any]) -> None:
        """Begins anew, without a byte.

        Args:
            note: What is known of the whole.
        """
        # In this order, for whoever is killed in between: no bytes of one file with the note of another.
        self.path.write_bytes(b"")
        self._note.write_text(json.dumps(note), encoding="utf-8")

    def move(self, path: Path) -> None:
        """Gives the file its place and name.

        Args:
            path: The place; what was there is replaced.
        """
        os.replace(self.path, path)
        self._note.unlink(missing_ok=True)

    def remove(self) -> None:
        """Removes bytes and note; harmless when there are none."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    @property
    def _note(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")
