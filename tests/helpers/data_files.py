"""Small versions of data files, cards, a web server, a read-only folder and a full disk."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import os
import shutil
import struct
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tomli_w

from batchsel.data.storage.hashing import content_hash

IDX_NAMES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
_IDX_CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx_bytes(array: np.ndarray) -> bytes:
    """Return an array in the idx format, written from the description of the format alone."""
    code = _IDX_CODES[array.dtype.str[1:]]
    header = bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def digit_arrays(train: int = 50, test: int = 20) -> dict[str, np.ndarray]:
    """Return random images with every label, in the form of MNIST."""
    random = np.random.default_rng(7)
    return {
        "x_train": random.integers(0, 256, (train, 28, 28), np.uint8),
        "y_train": (np.arange(train) % 10).astype(np.uint8),
        "x_test": random.integers(0, 256, (test, 28, 28), np.uint8),
        "y_test": (np.arange(test) % 10).astype(np.uint8),
    }


def write_idx_files(folder: Path, arrays: dict[str, np.ndarray], *, packed: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        raw = idx_bytes(array)
        if packed:
            (folder / f"{IDX_NAMES[name]}.gz").write_bytes(gzip.compress(raw))
        else:
            (folder / IDX_NAMES[name]).write_bytes(raw)


def card_values(name: str, **changes: object) -> dict:
    """Return a valid card as TOML values; keyword arguments replace keys."""
    level = {"target": "accuracy>=0.9", "reason": "For the test."}
    values = {
        "name": name,
        "title": name.title(),
        "task": "classification",
        "story": "Made by a test.",
        "licence": "MIT",
        "citation": "none",
        "homepage": "https://example.org",
        "input_shape": [28, 28, 1],
        "class_names": [str(digit) for digit in range(10)],
        "loader": "mnist",
        "sizes": {"train": 40, "validation": 10, "test": 20},
        "defaults": {
            "model": "cnn",
            "optimizer": "adam",
            "learning_rate": 0.001,
            "batch_size": 8,
            "schedule": "linear",
            "budget": 2,
            "target": "easy",
        },
        "targets": {"easy": level, "medium": level, "hard": level},
    }
    return {key: value for key, value in (values | changes).items() if value is not None}


def write_card(folder: Path, values: dict) -> Path:
    """Write a card where a user would put it: `datasets/` of the working directory."""
    (folder / "datasets").mkdir(parents=True, exist_ok=True)
    path = folder / "datasets" / f"{values['name']}.toml"
    path.write_text(tomli_w.dumps(values), encoding="utf-8")
    return path


def write_digit_card(folder: Path, arrays: dict[str, np.ndarray], **changes: object) -> Path:
    content = {name: content_hash(array) for name, array in arrays.items()}
    return write_card(folder, card_values("tiny", content=content, **changes))


class Server:
    """Web server on this machine; `pages` holds status, bytes and announced length by path."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[int, bytes, int]] = {}
        self.asked: list[str] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                status, body, promised = outer.pages.get(self.path, (404, b"", 0))
                self.send_response(status)
                self.send_header("Content-Length", str(promised))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *values: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def add(self, path: str, body: bytes, *, promised: int | None = None) -> str:
        """Serve bytes; `promised` is a wrong length for the server to announce."""
        self.pages[path] = (200, body, len(body) if promised is None else promised)
        return self.url(path)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}{path}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@contextmanager
def read_only_folder() -> Iterator[Path]:
    """Yield a folder that is not writable, even if the tests run as root."""
    folder = Path(tempfile.mkdtemp(prefix="batchsel-read-only-"))
    folder.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o755)
        shutil.rmtree(folder)


@contextmanager
def full_disk(limit: int) -> Iterator[None]:
    """Limit the size of files, which looks like a full disk to the writer."""
    import resource

    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
