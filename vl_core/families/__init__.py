"""One module for each architecture: what a model is fed and which position is which token.

A family knows geometry and prediction, nothing of capture or storage. Its module has a function
`load(path)`; FAMILIES names the module by the `model_type` of a checkpoint's config.json.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from safetensors import SafetensorError

from vl_core.errors import ModelError
from vl_core.example import Example
from vl_core.trace import Prediction, TokenTable

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor
    from transformers import BatchFeature, PreTrainedModel

    from vl_core.capture import Place

# What transformers and the file readers raise over files that are damaged or contradict each other.
_DAMAGED = (
    ArithmeticError,
    AttributeError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    SafetensorError,
    TypeError,
    ValueError,
)

FAMILIES = {"kdvlp": "vl_core.families.kdvlp.family"}


@runtime_checkable
class Family(Protocol):
    """The adapter of one loaded checkpoint."""

    @property
    def name(self) -> str:
        """The architecture, as FAMILIES calls it."""

    @property
    def model(self) -> "PreTrainedModel":
        """The model, ready to run."""

    def inputs(self, example: Example) -> "BatchFeature":
        """What the model is fed, a batch of one; raises TextError or ImageError."""

    def seen(self, example: Example) -> "Image.Image | None":
        """The picture as the model sees it, None without one."""

    def streams(self, example: Example, inputs: "BatchFeature") -> dict[str, TokenTable]:
        """The tokens of each stream, with boxes in pixels of the original picture."""

    def place(self, module_name: str) -> "Place | None":
        """Where the attention of this module belongs; None for a module without attention."""

    def hidden_states(self, outputs: Mapping[str, Any]) -> dict[str, "Tensor"]:
        """State x token x width for each stream."""

    def answer_logits(self, outputs: Mapping[str, Any]) -> "Tensor":
        """Sequence x answer: what the prediction is read off, one row for each of the batch."""

    def prediction(self, outputs: Mapping[str, Any]) -> Prediction:
        """What the model says, the likeliest first."""

    def preprocessing(self) -> dict[str, Any]:
        """What is done to picture and text before the model, as plain values for a file."""


def load(path: Path) -> Family:
    """The adapter of the checkpoint in this folder.

    Raises ModelError if there is no checkpoint, a damaged one, or none of an architecture that is
    covered.
    """
    model_type = _model_type(path)
    if model_type not in FAMILIES:
        raise ModelError(
            f"{path} holds a model of type {model_type!r}, which is not covered. "
            f"Covered: {', '.join(sorted(FAMILIES))}."
        )
    module = import_module(FAMILIES[model_type])
    with refusing_damage(path):
        family: Family = module.load(path)
    return family


@contextmanager
def refusing_damage(path: Path) -> Iterator[None]:
    """Raise ModelError where the files of this checkpoint turn out to be of no use."""
    try:
        yield
    except _DAMAGED as error:
        raise ModelError(f"The checkpoint in {path} cannot be loaded: {error}") from error


def _model_type(path: Path) -> str:
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path} holds no checkpoint: its config.json cannot be read. Give the folder of a "
            'checkpoint, as save_pretrained writes it, or "embedded".'
        ) from error
    return str(config.get("model_type")) if isinstance(config, dict) else "unknown"
