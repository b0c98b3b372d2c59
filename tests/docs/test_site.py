"""The documentation site builds without a warning, its links lead somewhere, and its pages fit desktop and phone."""

import html.parser
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WIDTHS = (375, 1280)
LOOK = """<!doctype html><title>look</title><pre id="found"></pre><script>
(async () => {
  const found = [];
  for (const width of WIDTHS) for (const page of PAGES) {
    const frame = document.createElement("iframe");
    frame.width = width; frame.height = 800; frame.src = page;
    document.body.append(frame);
    await new Promise(resolve => { frame.onload = resolve; });
    const shown = frame.contentDocument, root = shown.scrollingElement;
    await Promise.all([...shown.images].map(image => { image.loading = "eager"; return image.decode().catch(() => {}); }));
    const broken = [...shown.images].filter(image => !image.naturalWidth).map(image => image.src);
    found.push({ page, width, broken, title: shown.title, over: root.scrollWidth - root.clientWidth });
    frame.remove();
  }
  await fetch("found", { method: "POST", body: JSON.stringify(found) });
})();
</script>"""


class Links(html.parser.HTMLParser):
    """Targets of links and pictures of a page, and the names that others can link to."""

    def __init__(self, text):
        super().__init__()
        self.targets, self.names = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.names |= {values[key] for key in ("id", "name") if values.get(key)}
        self.targets += [values[key] for key in ("href", "src") if values.get(key)]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the site from a copy, with the gallery as text; `tests/examples` runs the programs, `make site` both."""
    folder = tmp_path_factory.mktemp("site")
    ignored = shutil.ignore_patterns("__pycache__", "gallery", "api", "sg_execution_times.rst")
    for name in ("docs", "examples"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    options = ["-q", "-W", "--keep-going", "-b", "html", "-D", "plot_gallery=0", "-d", folder / "doctrees"]
    command = [sys.executable, "-m", "sphinx", *options, folder / "docs", folder / "html"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return folder / "html"


def pages_of(site):
    return sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html") if "_static" not in path.parts)


def test_every_page_and_example_is_there(site):
    pages = set(pages_of(site))
    assert {f"{path.stem}.html" for path in (ROOT / "docs").glob("*.md")} <= pages
    assert {f"gallery/{path.stem}.html" for path in (ROOT / "examples").glob("*.py")} <= pages
    assert "search.html" in pages


def test_links_within_the_site_lead_to_a_page_and_a_heading(site):
    links = {page: Links((site / page).read_text("utf-8")) for page in pages_of(site)}
    dead = set()
    for page, found in links.items():
        for target in found.targets:
            if re.match(r"[a-z]+:|//", target):
                continue
            path, _, name = target.partition("#")
            goal = ((site / page).parent / unquote(path.split("?")[0])).resolve() if path else (site / page).resolve()
            other = goal.relative_to(site.resolve()).as_posix() if goal.is_relative_to(site.resolve()) else ""
            if not goal.is_file() or (name and other in links and unquote(name) not in links[other].names):
                dead.add(f"{page}: {target}")
    assert dead == set()


def test_every_public_name_is_in_the_api_reference(site):
    import batchsel

    names = Links((site / "api" / "batchsel.html").read_text("utf-8")).names
    for name in ("fit", "Trainer", "Target", "records"):
        assert name in batchsel.__all__
        assert any(each == f"batchsel.{name}" or each.endswith(f".{name}") for each in names), name
    listed = (site / "api" / "batchsel.selectors.html").read_text("utf-8")
    assert [name for name in batchsel.selectors.__all__ if f">{name}<" not in listed] == []


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_pages_fit_desktop_and_phone_in_a_browser(site):
    """Open every page in a frame of each width: no sideways scrolling, no missing picture, no error in the console."""
    pages = pages_of(site)
    look = LOOK.replace("WIDTHS", json.dumps(WIDTHS)).replace("PAGES", json.dumps(pages))
    (site / "look.html").write_text(look, "utf-8")
    missing: list[str] = []
    answers: queue.Queue[str] = queue.Queue()

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, format, *arguments):
            pass

        def send_error(self, code, message=None, explain=None):
            missing.append(self.path)
            super().send_error(code, message, explain)

        def do_POST(self):
            answers.put(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(204)
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    options = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--enable-logging=stderr",
        "--remote-debugging-port=0",
    ]
    options += [f"--user-data-dir={site.parent / 'profile'}", f"http://127.0.0.1:{server.server_port}/look.html"]
    with (site.parent / "log").open("w+") as log:
        browser = subprocess.Popen([CHROMIUM, *options], stdout=log, stderr=log)
        try:
            found = json.loads(answers.get(timeout=300))
        finally:
            browser.kill()
            browser.wait()
            server.shutdown()
            server.server_close()
            (site / "look.html").unlink()
        log.seek(0)
        console = [line for line in log if "CONSOLE" in line]
    assert len(found) == len(pages) * len(WIDTHS)
    assert [each for each in found if each["over"] > 0 or each["broken"] or not each["title"]] == []
    assert [line for line in console if "look.html" not in line] == []
    assert [path for path in missing if path != "/favicon.ico"] == []
