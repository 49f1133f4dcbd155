"""What the figures were measured on."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

from tests.browser import CHROMIUM

LIBRARIES = ("torch", "transformers", "streamlit", "numpy")


def facts() -> list[str]:
    """Processor, its load, system and versions, one line each."""
    libraries = [f"{name} {metadata.version(name)}" for name in LIBRARIES]
    browser = _said([CHROMIUM, "--version"]) if CHROMIUM else "no Chromium"
    return [
        f"{os.cpu_count()} cores: {_processor()}; {platform.platform(terse=True)}",
        f"Python {platform.python_version()}, {', '.join(libraries)}; {browser}",
    ]


def load() -> str:
    """How busy the machine is: processes that run or wait, averaged over the last minute."""
    return f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def peak(process: int | str) -> float:
    """The most that the process, or "self", has had in memory at once, in MB; Linux keeps count."""
    status = Path(f"/proc/{process}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _said(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
