"""Web server that serves ranges, drops connections, is busy, or lies; and counts the bytes it sent."""

from __future__ import annotations

import http.server
import threading
from dataclasses import dataclass, field


@dataclass
class Page:
    """Page at a path.

    `ranges`: whether range requests are answered; `breaks_after`: number of bytes after which the connection is
    dropped; `refusals`: status codes of the answers before the page is served; `held_at`: number of bytes from which
    on the server waits until `go` is set.
    """

    body: bytes
    ranges: bool = True
    etag: str | None = None
    modified: str | None = None
    breaks_after: int | None = None
    refusals: list[int] = field(default_factory=list)
    held_at: int | None = None
    go: threading.Event = field(default_factory=threading.Event)


class RangeServer:
    """Server of pages; `asked` holds the Range of each request, `conditions` its If-Range, `sent` its number of bytes."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.asked: list[str | None] = []
        self.conditions: list[str | None] = []
        self.sent: list[int] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                number = len(outer.asked)
                outer.asked.append(self.headers["Range"])
                outer.conditions.append(self.headers["If-Range"])
                outer.sent.append(0)
                page = outer.pages.get(self.path)
                if page is None or page.refusals:
                    self._refuse(page.refusals.pop(0) if page else 404)
                else:
                    outer._serve(self, page, number)

            def _refuse(self, status: int) -> None:
                self.send_response(status)
                self.send_header("Retry-After", "7")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *values: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def __enter__(self) -> RangeServer:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def add(self, path: str, body: bytes, **how: object) -> str:
        """Serve a page, and return its address."""
        self.pages[path] = Page(body, **how)
        return f"http://127.0.0.1:{self._server.server_port}{path}"

    def close(self) -> None:
        for page in self.pages.values():
            page.go.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _serve(self, handler: http.server.BaseHTTPRequestHandler, page: Page, number: int) -> None:
        start, condition = 0, handler.headers["If-Range"]
        if page.ranges and handler.headers["Range"] and condition in (None, page.etag, page.modified):
            start = int(handler.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        if start >= len(page.body) > 0:
            handler.send_response(416)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(page.body) - 1}/{len(page.body)}")
        for name, value in (("ETag", page.etag), ("Last-Modified", page.modified)):
            if value:
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(page.body) - start))
        handler.end_headers()
        end = len(page.body) if page.breaks_after is None else min(start + page.breaks_after, len(page.body))
        try:
            for at in range(start, end, 10_000):
                if page.held_at is not None and at >= page.held_at:
                    page.go.wait(30)
                chunk = page.body[at : min(at + 10_000, end)]
                # Counted first, because the receiver may check the count before this thread continues.
                self.sent[number] += len(chunk)
                handler.wfile.write(chunk)
        except OSError:  # the client was killed
            handler.close_connection = True
