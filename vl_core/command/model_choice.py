"""The arguments that choose a model, and loading it with its progress on the terminal."""

import argparse
from typing import TYPE_CHECKING

from vl_core.checkpoints import PRECISIONS
from vl_core.command import progress

if TYPE_CHECKING:
    from vl_core.model import Model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Model, precision and device."""
    parser.add_argument(
        "--model",
        metavar="NAME",
        help='"embedded", owner/name of Hugging Face, or a folder (default: embedded)',
    )
    parser.add_argument("--precision", choices=PRECISIONS, help="(default: what suits the device)")
    parser.add_argument("--device", help="cpu, cuda or mps (default: the best there is)")


def given(chosen: argparse.Namespace) -> dict[str, bool]:
    """Each of these arguments, and whether it was given."""
    names = ("model", "precision", "device")
    return {f"--{name}": getattr(chosen, name) is not None for name in names}


def loaded(chosen: argparse.Namespace) -> "Model":
    """The model that the arguments name; raises ModelError as vl_core.model.load does."""
    from transformers.utils import logging  # noqa: PLC0415 --help must not import torch

    from vl_core import model  # noqa: PLC0415 as above

    logging.disable_progress_bar()

    def tell(what: str, share: float | None) -> None:
        progress.tell(what if share is None else f"{what} {100 * share:.0f} %")

    found = model.load(
        chosen.model or "embedded",
        precision=chosen.precision or "auto",
        device=chosen.device,
        tell=tell,
    )
    progress.done(f"{found.model_id}, {found.provenance.dtype} on {found.provenance.device}")
    return found
