"""The arguments that choose a model, and loading it with its progress on the terminal."""

import argparse
from typing import TYPE_CHECKING

from vl_core.checkpoints import PRECISIONS
from vl_core.command import arguments, progress

if TYPE_CHECKING:
    from vl_core.model import Model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Model, precision, device, and how long its answers may be."""
    parser.add_argument(
        "--model",
        metavar="NAME",
        help='"embedded", owner/name of Hugging Face, or a folder (default: embedded)',
    )
    parser.add_argument("--precision", choices=PRECISIONS, help="(default: what suits the device)")
    parser.add_argument("--device", help="cpu, cuda or mps (default: the best there is)")
    parser.add_argument(
        "--longest-answer",
        type=arguments.positive,
        metavar="TOKENS",
        help="of a model that writes its answer (default: 48)",
    )


def given(chosen: argparse.Namespace) -> dict[str, bool]:
    """Each of these arguments, and whether it was given."""
    names = ("model", "precision", "device", "longest-answer")
    return {f"--{name}": getattr(chosen, name.replace("-", "_")) is not None for name in names}


def loaded(chosen: argparse.Namespace) -> "Model":
    """The model that the arguments name; raises ModelError as vl_core.model.load does.

    And as `with_longest_answer` does, where an answer's length was given.
    """
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
    if chosen.longest_answer is not None:
        found = found.with_longest_answer(chosen.longest_answer)
    progress.done(f"{found.model_id}, {found.provenance.dtype} on {found.provenance.device}")
    return found
