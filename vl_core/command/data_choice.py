"""The arguments that choose a split or a wording of a data set, and opening it."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vl_core.datasets.items import Dataset


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which split, and how VCR's objects are called."""
    parser.add_argument("--split", help="of a data set with several, as val")
    parser.add_argument(
        "--tags", metavar="STYLE", help="of VCR: number, name, class or special (default: number)"
    )


def given(chosen: argparse.Namespace) -> dict[str, bool]:
    """Each of these arguments, and whether it was given."""
    return {f"--{name}": getattr(chosen, name) is not None for name in ("split", "tags")}


def opened(chosen: argparse.Namespace, path: Path) -> "Dataset":
    """The data set there, as the arguments want it; raises DatasetError as datasets.open does."""
    from vl_core import datasets  # noqa: PLC0415 --help must not import what reads them

    asked = getattr(chosen, "question", None)
    return datasets.open(path, split=chosen.split, tags=chosen.tags, question=asked)
