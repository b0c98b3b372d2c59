"""One file over HTTP, going on where the last attempt stopped (RFC 9110, section 14).

This is done with requests: of the libraries that download files into a cache, those that batchsel has (pooch, Keras,
tensorflow-datasets) write to a file as soon as the server answers, before anybody can see whether it sends the rest
or the whole.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from batchsel.data.download.disk_space import check_space
from batchsel.data.download.partial_download import PartialFile

if TYPE_CHECKING:
    import requests

PAUSES = (1.0, 3.0, 9.0)
"""Seconds before each new attempt at an address from which nothing more came."""

_LONGEST_PAUSE = 60.0
_TIMEOUT = (10.0, 60.0)  # seconds to connect, and without a byte
_CHUNK = 1 << 16
_PASSING = (429, 500, 502, 503, 504)
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class TransferFailure(Exception):
    """Why a file could not be had from an address; what came of it is kept.

    Example:
        >>> print(TransferFailure("HTTPError: 404 Not Found"))
        HTTPError: 404 Not Found
    """


def transfer(url: str, part: PartialFile, what: str, bar: Any = None) -> bool:
    """Brings what is missing of a file.

    Dropped connections and servers that are busy are tried again, for as long as more comes than before and a few
    times without.

    Args:
        url: The address.
        part: What is there of the file, from this address or another, and will be all of it.
        what: Name of the file, for messages.
        bar: Told the bytes that are there and those that come, see `batchsel.data.download.progress`; None for silence.

    Returns:
        Whether the file came in one piece. If not, pieces of different files may have met.

    Raises:
        TransferFailure: If the address does not give it.
        UserError: If there is no space for it.
        OSError: If it cannot be written.

    Example:
        >>> from pathlib import Path
        >>> transfer("https://", PartialFile.of(Path("/nowhere/train.gz")), "train.gz")
        Traceback (most recent call last):
        ...
        batchsel.data.download.http_download.TransferFailure: InvalidURL: ...
    """
    import requests
    import urllib3

    start = furthest = part.size
    pauses = iter(PAUSES)
    while not part.is_whole:
        try:
            return _attempt(url, part, what, bar)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            if part.size > furthest:
                furthest, pauses = part.size, iter(PAUSES)
            pause = next(pauses, None)
            if pause is None or not _may_pass(error, came=furthest > start):
                raise TransferFailure(f"{type(error).__name__}: {error}") from error
            time.sleep(max(pause, _asked_pause(error)))
    return False


def _attempt(url: str, part: PartialFile, what: str, bar: Any) -> bool:
    import requests

    with requests.get(url, headers=_headers(url, part), stream=True, timeout=_TIMEOUT) as response:
        if not part.size or _may_follow(response, part):
            response.raise_for_status()
            if response.status_code not in (200, 206) or (not part.size and response.status_code == 206):
                raise requests.HTTPError(f"{response.status_code}, expected 200", response=response)
            if response.status_code == 200:
                part.begin(_note(url, response))
            _receive(response, part, what, bar)
            return response.status_code == 200
        part.remove()
    return _attempt(url, part, what, bar)


def _headers(url: str, part: PartialFile) -> dict[str, str]:
    # Identity: the hash is of the file as it is, and so are the places in it.
    headers = {"Accept-Encoding": "identity"}
    if part.size:
        headers["Range"] = f"bytes={part.size}-"
        # What one server calls a version says nothing to another; there the hash of the whole decides.
        version = part.note.get("version") if part.note.get("url") == url else None
        if version:
            headers["If-Range"] = version
    return headers


def _may_follow(response: requests.Response, part: PartialFile) -> bool:
    """Whether an answer to a wish for the rest is of use: the rest, the whole, or a refusal that may pass."""
    if response.status_code == 416:
        return False
    if response.status_code != 206:
        return True
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    total = part.note.get("total")
    return bool(found) and int(found[1]) == part.size and (total is None or found[2] in ("*", str(total)))


def _note(url: str, response: requests.Response) -> dict[str, Any]:
    length = response.headers.get("Content-Length", "")
    version = response.headers.get("ETag", "")
    # A weak ETag says that two files mean the same, not that they are the same bytes.
    if not version or version.startswith("W/"):
        version = response.headers.get("Last-Modified")
    return {"url": url, "version": version, "total": int(length) if length.isdecimal() else None}


def _receive(response: requests.Response, part: PartialFile, what: str, bar: Any) -> None:
    total = part.note.get("total")
    if total is not None:
        check_space(part.path.parent, total - part.size, what)
    if bar is not None:
        bar.total = total or 0
        bar.reset()
        bar.update(part.size)
    with part.path.open("ab") as stream:
        for chunk in response.raw.stream(_CHUNK, decode_content=False):
            stream.write(chunk)
            stream.flush()
            if bar is not None:
                bar.update(len(chunk))


def _may_pass(error: Exception, came: bool) -> bool:
    """Whether the same address may do better in a moment."""
    import requests
    import urllib3

    if isinstance(error, requests.HTTPError):
        return error.response.status_code in _PASSING
    if isinstance(error, requests.ConnectionError) and isinstance(error.args[0], urllib3.exceptions.MaxRetryError):
        # Nobody is there. A moment ago somebody was, if bytes came; else the next address is the better bet.
        return came
    return isinstance(error, (urllib3.exceptions.HTTPError, requests.ConnectionError, requests.Timeout))


def _asked_pause(error: Exception) -> float:
    response = getattr(error, "response", None)
    asked = response.headers.get("Retry-After", "") if response is not None else ""
    return min(float(asked), _LONGEST_PAUSE) if asked.isdecimal() else 0.0
