"""Download one file over HTTP, resuming where the last attempt stopped (RFC 9110, section 14).

This is implemented with requests: of the libraries that download files into a cache, those that batchsel depends on
(pooch, Keras, tensorflow-datasets) write to a file as soon as the server answers, before they check if it sends the
rest or the whole.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from batchsel.data.download.partial_download import PartialDownload
from batchsel.data.storage.disk_space import check_disk_space

if TYPE_CHECKING:
    import requests

PAUSES = (1.0, 3.0, 9.0)
"""Seconds before each new attempt at an address that sent nothing more."""

_LONGEST_PAUSE = 60.0
_TIMEOUT = (10.0, 60.0)  # seconds to connect, and without a byte
_CHUNK = 1 << 16
_TEMPORARY = (429, 500, 502, 503, 504)
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class DownloadError(Exception):
    """A file is not available from an address; the bytes received so far are kept.

    Example:
        >>> print(DownloadError("HTTPError: 404 Not Found"))
        HTTPError: 404 Not Found
    """


def download_url(url: str, partial: PartialDownload, what: str, bar: Any = None) -> bool:
    """Download the missing bytes of a file.

    Dropped connections and busy servers are retried as long as more bytes arrive than before, and a few times
    without.

    Args:
        url: The address.
        partial: The bytes received so far, from this address or another; complete afterwards.
        what: Name of the file, for messages.
        bar: Progress bar, see `batchsel.data.storage.progress`; None for silence.

    Returns:
        Whether the file came in one piece. If not, pieces of different files may have been joined.

    Raises:
        DownloadError: If the address does not serve it.
        UserError: If the disk has no space for it.
        OSError: If it cannot be written.

    Example:
        >>> from pathlib import Path
        >>> download_url("https://", PartialDownload.from_target(Path("/nowhere/train.gz")), "train.gz")
        Traceback (most recent call last):
        ...
        batchsel.data.download.http_download.DownloadError: InvalidURL: ...
    """
    import requests
    import urllib3

    start = furthest = partial.size
    pauses = iter(PAUSES)
    while not partial.is_complete:
        try:
            return _attempt(url, partial, what, bar)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            if partial.size > furthest:
                furthest, pauses = partial.size, iter(PAUSES)
            pause = next(pauses, None)
            if pause is None or not _is_temporary(error, received=furthest > start):
                raise DownloadError(f"{type(error).__name__}: {_reason(error)}") from error
            time.sleep(max(pause, _requested_pause(error)))
    return False


def _reason(error: Exception) -> str:
    """Return why a request failed, without the address, which urllib3 writes in front of the reason, twice."""
    cause = getattr(error.args[0], "reason", None) if error.args else None
    return str(error) if cause is None else str(cause).partition("): ")[2] or str(cause)


def _attempt(url: str, partial: PartialDownload, what: str, bar: Any) -> bool:
    import requests

    with requests.get(url, headers=_headers(url, partial), stream=True, timeout=_TIMEOUT) as response:
        if not partial.size or _is_usable(response, partial):
            response.raise_for_status()
            if response.status_code not in (200, 206) or (not partial.size and response.status_code == 206):
                raise requests.HTTPError(f"{response.status_code}, expected 200", response=response)
            if response.status_code == 200:
                partial.start(_metadata(url, response))
            _receive(response, partial, what, bar)
            return response.status_code == 200
        partial.remove()
    return _attempt(url, partial, what, bar)


def _headers(url: str, partial: PartialDownload) -> dict[str, str]:
    # Identity: the hash is that of the uncompressed file, and so are the positions in it.
    headers = {"Accept-Encoding": "identity"}
    if partial.size:
        headers["Range"] = f"bytes={partial.size}-"
        # The version of one server means nothing to another; there the hash of the whole file decides.
        version = partial.metadata.get("version") if partial.metadata.get("url") == url else None
        if version:
            headers["If-Range"] = version
    return headers


def _is_usable(response: requests.Response, partial: PartialDownload) -> bool:
    """Return whether the answer to a range request helps: the rest, the whole, or a temporary refusal."""
    if response.status_code == 416:
        return False
    if response.status_code != 206:
        return True
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    total = partial.metadata.get("total")
    return found is not None and int(found[1]) == partial.size and (total is None or found[2] in ("*", str(total)))


def _metadata(url: str, response: requests.Response) -> dict[str, Any]:
    length = response.headers.get("Content-Length", "")
    version = response.headers.get("ETag", "")
    # Equal weak ETags promise the same meaning, not the same bytes.
    if not version or version.startswith("W/"):
        version = response.headers.get("Last-Modified")
    return {"url": url, "version": version, "total": int(length) if length.isdecimal() else None}


def _receive(response: requests.Response, partial: PartialDownload, what: str, bar: Any) -> None:
    total = partial.metadata.get("total")
    if total is not None:
        check_disk_space(partial.path.parent, total - partial.size, what)
    if bar is not None:
        bar.total = total or 0
        bar.reset()
        bar.update(partial.size)
    with partial.path.open("ab") as stream:
        for chunk in response.raw.stream(_CHUNK, decode_content=False):
            stream.write(chunk)
            stream.flush()
            if bar is not None:
                bar.update(len(chunk))


def _is_temporary(error: Exception, received: bool) -> bool:
    """Return whether the same address may succeed in a moment."""
    import requests
    import urllib3

    if isinstance(error, requests.HTTPError):
        return error.response is not None and error.response.status_code in _TEMPORARY
    if isinstance(error, requests.ConnectionError) and isinstance(error.args[0], urllib3.exceptions.MaxRetryError):
        # The server is down. If it sent bytes before, it may come back; else the next address is the better choice.
        return received
    return isinstance(error, (urllib3.exceptions.HTTPError, requests.ConnectionError, requests.Timeout))


def _requested_pause(error: Exception) -> float:
    response = getattr(error, "response", None)
    pause = response.headers.get("Retry-After", "") if response is not None else ""
    return min(float(pause), _LONGEST_PAUSE) if pause.isdecimal() else 0.0
