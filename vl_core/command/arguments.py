"""Kinds of arguments that are checked before anything is loaded."""

import argparse
import math
from collections.abc import Mapping
from pathlib import Path

from vl_core.errors import VLError


def positive(text: str) -> int:
    """A whole number from 1 on."""
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is no whole number from 1 on")
    return number


def not_negative(text: str) -> int:
    """A whole number from 0 on."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is no whole number from 0 on")
    return int(text)


def finite(text: str) -> float:
    """A number, and neither nan nor without end."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text} is no finite number")
    return number


def check_file(path: Path, example: str) -> None:
    """Make the folders above a file that will be written; raises VLError if it is a folder."""
    if path.is_dir():
        raise VLError(f"{path} is a folder. Name a file, as {example}.")
    _make(path.parent)


def check_folder(path: Path) -> None:
    """Make a folder that will be written to; raises VLError if it is a file."""
    if path.exists() and not path.is_dir():
        raise VLError(f"{path} is a file. Name a folder.")
    _make(path)


def refuse(given: Mapping[str, bool], where: str) -> None:
    """Raise VLError if one of these options was given, as it would do nothing there."""
    names = [name for name, is_given in given.items() if is_given]
    if names:
        verb, pronoun = ("has", "it") if len(names) == 1 else ("have", "them")
        raise VLError(f"{' and '.join(names)} {verb} no meaning {where}. Leave {pronoun} out.")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise VLError(f"The folder {folder} cannot be made: {error.strerror}.") from error
