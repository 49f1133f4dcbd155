"""A real server and a real browser, for the browser tests and the benchmarks."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)

ROOT = Path(__file__).parents[1]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
FLAGS = [
    "--no-sandbox",  # tests run as root in containers
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START = 60  # seconds until a server counts as broken
PAINT = 60_000  # milliseconds a page may take on a busy machine
expect.set_options(timeout=PAINT)
WATCH_FOR_EXCEPTIONS = """
new MutationObserver(() => {
  const shown = document.querySelector("[data-testid=stException]");
  if (shown) console.error(shown.textContent);
}).observe(document, { childList: true, subtree: true });
"""


@dataclass(frozen=True)
class Server:
    """A running app: where it answers, its process, and when that was started (by time.time)."""

    url: str
    process: int
    started: float


@contextmanager
def served(script: Path = ROOT / "streamlit_app.py", **settings: str) -> Iterator[Server]:
    """The app on a port of its own, stopped at the end; settings are environment variables."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = {
        "server.port": port,
        "server.address": "127.0.0.1",
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
    }
    flags = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    started = time.time()
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", str(script), *flags],
        cwd=ROOT,
        env=os.environ | settings,
        stdout=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_healthy(url, process)
        yield Server(url, process.pid, started)
    finally:
        process.terminate()
        process.wait(20)


def _wait_until_healthy(url: str, process: subprocess.Popen) -> None:
    end = time.monotonic() + START
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=1).close()  # noqa: S310 our own server
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"no server at {url} (exit code {process.poll()})")


@contextmanager
def launched() -> Iterator[Browser]:
    """A headless Chromium."""
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS) as browser,
    ):
        yield browser


@contextmanager
def visitor(browser: Browser, width: int = 1440, scheme: str = "light") -> Iterator[BrowserContext]:
    """Somebody who has never been here: a window of that width, nothing cached, no cookies."""
    window = {"width": width, "height": 900}
    with browser.new_context(viewport=window, color_scheme=scheme) as context:
        context.set_default_timeout(PAINT)
        yield context


def complaints(page: Page) -> list[str]:
    """What goes wrong from the page's next load on; the list grows by itself.

    Errors in the console, uncaught exceptions, and exceptions that Streamlit shows.
    """
    found = []

    def keep(message: ConsoleMessage) -> None:
        # At a link to a page, Streamlit looks for its server below that page first.
        is_search = "/_stcore/" in message.location["url"]
        if message.type == "error" and not is_search:
            found.append(f"{message.text} ({message.location['url']})")

    page.add_init_script(WATCH_FOR_EXCEPTIONS)
    page.on("console", keep)
    page.on("pageerror", lambda error: found.append(str(error)))
    return found


def settled(page: Page) -> None:
    """Wait until the server has finished its run and the page shows the result."""
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
