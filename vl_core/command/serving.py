"""Open the app, with data sets and models of your own.

examples:
  python -m vl_core serve
  python -m vl_core serve --data vcr=vcr1/val.jsonl --data mine=photos --port 8502
  python -m vl_core serve --model HuggingFaceTB/SmolVLM-256M-Instruct --model embedded
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from vl_core.datasets.named import named
from vl_core.errors import SettingError

_APP = Path(__file__).parents[2] / "streamlit_app.py"
_DATA, _MODELS, _TAGS = "VLINTERPRET_DATASETS", "VLINTERPRET_MODELS", "VLINTERPRET_TAGS"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Data sets, models and where to serve."""
    parser.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="[NAME=]PATH",
        help="a data set that visitors may open; several times for several",
    )
    parser.add_argument(
        "--tags", metavar="STYLE", help="of VCR: number, name, class or special (default: number)"
    )
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="NAME",
        help="a model that visitors may choose; several times for several (default: any)",
    )
    parser.add_argument("--port", type=int, default=8501, help="(default: 8501)")
    parser.add_argument(
        "--address", default="localhost", help="where to listen (default: this machine only)"
    )


def run(chosen: argparse.Namespace) -> None:
    """Start the app and wait until it ends."""
    command = [
        *(sys.executable, "-m", "streamlit", "run", str(_APP)),
        *("--server.port", str(chosen.port), "--server.address", chosen.address),
    ]
    ended = subprocess.run(command, env=os.environ | settings(chosen), check=False)  # noqa: S603 our own app
    sys.exit(ended.returncode)


def settings(chosen: argparse.Namespace) -> dict[str, str]:
    """The owner's settings that say what was chosen; raises SettingError for no such file."""
    listed = {_DATA: [_absolute(one) for one in chosen.data], _MODELS: chosen.model}
    for one in (one for values in listed.values() for one in values):
        if "," in one:
            raise SettingError(
                f"{one} has a comma in it, which parts one from the next. Rename it."
            )
    tags = {} if chosen.tags is None else {_TAGS: chosen.tags}
    return {name: ",".join(values) for name, values in listed.items() if values} | tags


def _absolute(said: str) -> str:
    """With the path in full, as the app may run in another folder."""
    name, path = named(said)
    if not Path(path).exists():
        raise SettingError(f"There is no {path}. Give a file or a folder that holds a data set.")
    return f"{name}={Path(path).resolve()}" if name else str(Path(path).resolve())
