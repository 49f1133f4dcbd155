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

from playwright.sync_api import BrowserContext, Page, sync_playwright

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


@dataclass(frozen=True)
class Server:
    """A running app: where it answers and which process it is."""

    url: str
    process: int


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
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", str(script), *flags],
        cwd=ROOT,
        env=os.environ | settings,
        stdout=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_healthy(url, process)
        yield Server(url, process.pid)
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
def chromium(profile: Path, width: int = 1440, scheme: str = "light") -> Iterator[BrowserContext]:
    """A headless Chromium with an empty profile."""
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(profile),
            executable_path=CHROMIUM,
            headless=True,
            args=FLAGS,
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            accept_downloads=True,
        )
        context.set_default_timeout(PAINT)
        yield context
        context.close()


def settled(page: Page) -> None:
    """Wait until the server has finished its run and the page shows the result."""
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
