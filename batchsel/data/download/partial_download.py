"""Incomplete downloads: the bytes received so far, and metadata of their origin."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchsel.core.filesystem.json_text import parse_json
from batchsel.core.filesystem.temporary import temporary_path

_PART = ".part"


@dataclass(frozen=True)
class PartialDownload:
    """Received bytes of a file, `.NAME.part`, and a file beside it with the server's description of the whole.

    Args:
        path: The file of the bytes.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     partial = PartialDownload.from_target(Path(folder, "train.gz"))
        ...     partial.start({"total": 100})
        ...     _ = partial.path.write_bytes(b"abc")
        ...     partial.size, partial.metadata, partial.path.name
        (3, {'total': 100}, '.train.gz.part')
    """

    path: Path

    @classmethod
    def from_target(cls, path: Path, alone: bool = True) -> PartialDownload:
        """Return the partial download of a file, which may not exist yet.

        Args:
            path: Where the whole file will be.
            alone: Whether no other process writes to it now. If so, the name is always the same, so that the download
                can be resumed; else it is unique to this call.

        Example:
            >>> PartialDownload.from_target(Path("/data/train.gz")).path.as_posix()
            '/data/.train.gz.part'
        """
        return cls(path.with_name(f".{path.name}{_PART}") if alone else temporary_path(path, _PART))

    @property
    def size(self) -> int:
        """Number of bytes received."""
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Recorded description of the whole: `url` and `version` (text), `total` (bytes), as far as readable."""
        try:
            metadata = parse_json(self.metadata_path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        kinds = {"url": str, "version": str, "total": int}
        known = metadata if isinstance(metadata, dict) else {}
        return {key: known[key] for key, kind in kinds.items() if isinstance(known.get(key), kind)}

    @property
    def is_complete(self) -> bool:
        """True if as many bytes were received as the server announced."""
        return 0 < self.size == self.metadata.get("total")

    def start(self, metadata: Mapping[str, Any]) -> None:
        """Start over, without a byte.

        Args:
            metadata: Description of the whole.
        """
        # In this order, in case the process is killed in between: no bytes of one file with metadata of another.
        self.path.write_bytes(b"")
        self.metadata_path.write_text(json.dumps(metadata), encoding="utf-8")

    def move(self, path: Path) -> None:
        """Move the bytes to a path, and replace the file there."""
        os.replace(self.path, path)
        self.metadata_path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove bytes and metadata, if they exist."""
        self.path.unlink(missing_ok=True)
        self.metadata_path.unlink(missing_ok=True)

    @property
    def metadata_path(self) -> Path:
        """File of the description of the whole."""
        return self.path.with_name(f"{self.path.name}.json")
