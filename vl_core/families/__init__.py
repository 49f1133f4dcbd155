"""One module for each architecture: what a model is fed and which position is which token.

A family knows geometry and prediction, nothing of capture or storage. Its module has a function
`load(path, options)`; FAMILIES names the module by the `model_type` of a checkpoint's config.json.

What several of them need:

decoder, generation     models that read a picture as tokens of their prompt, and answer in words
candidates, answers     texts that are judged, and answers out of a fixed list
pairs, single_stream    a picture with a sentence; both in one sequence, by a declaration
blip_parts, blip_models, vilt_models    what BLIP's and ViLT's classes share or lack
regions                 what a detector found, in the place of a picture
prompts, pieces         the text around a question, and which of its characters is which token
siglip_tokenizer        ... of a tokenizer that does not tell by itself
geometry                which part of the picture a patch shows
layers                  the layers of a stream by the names of their modules
loading, building       weights from files, and models built without touching those that run
damage                  whose fault it is where that fails
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from vl_core.errors import ModelError, VLError
from vl_core.example import Example, Task
from vl_core.families import damage
from vl_core.shortage import is_shortage
from vl_core.trace import Prediction, TokenTable

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor
    from transformers import BatchFeature, PreTrainedModel

    from vl_core.capture import Door, Place

Options = Mapping[str, Any]

FAMILIES = {
    "blip": "vl_core.families.blip",
    "blip-2": "vl_core.families.blip2",
    "clip": "vl_core.families.clip",
    "gemma3": "vl_core.families.gemma3",
    "idefics3": "vl_core.families.idefics3",
    "instructblip": "vl_core.families.blip2",
    "internvl": "vl_core.families.internvl",
    "kdvlp": "vl_core.families.kdvlp.family",
    "llava": "vl_core.families.llava",
    "llava_next": "vl_core.families.llava_next",
    "llava_onevision": "vl_core.families.llava_next",
    "lxmert": "vl_core.families.lxmert",
    "paligemma": "vl_core.families.paligemma",
    "qwen2_5_vl": "vl_core.families.qwen_vl",
    "qwen2_vl": "vl_core.families.qwen_vl",
    "qwen3_vl": "vl_core.families.qwen_vl",
    "siglip": "vl_core.families.clip",
    "smolvlm": "vl_core.families.idefics3",
    "vilt": "vl_core.families.vilt",
    "visual_bert": "vl_core.families.visual_bert",
}


# Formats of which the same models exist in another that is covered.
AUTHORS_OWN = ("internvl_chat", "llava_llama", "llava_mistral", "llava_qwen")


@runtime_checkable
class ReadsRegions(Protocol):
    """A family whose model reads no pixels but a detector's regions."""

    @property
    def feature_width(self) -> int:
        """How many numbers it reads of each region."""


@runtime_checkable
class ScoresCandidates(Protocol):
    """A family whose model can say how well the last part of a text fits what comes before it."""

    @property
    def scored_tasks(self) -> frozenset[Task]:
        """Of which tasks: "candidate", "source" or both; their inputs hold all that is judged."""

    def score(
        self, example: Example, inputs: "BatchFeature", outputs: Mapping[str, Any], /
    ) -> float:
        """How well it fits: the larger the better, beside others of the same question."""


def judge(family: "Family", task: Task) -> ScoresCandidates | None:
    """The family itself if it can score this task, else None."""
    if isinstance(family, ScoresCandidates) and task in family.scored_tasks:
        return family
    return None


@runtime_checkable
class Generates(Protocol):
    """A family whose model writes its answer token by token, up to a certain number."""

    @property
    def growing_stream(self) -> str:
        """The stream that these tokens join, behind its own."""

    @property
    def longest_answer(self) -> int:
        """How many they are at most."""

    def with_longest_answer(self, count: int, /) -> "Family":
        """The same model, whose answers have so many at most; raises ModelError if none can."""


@runtime_checkable
class CutsTiles(Protocol):
    """A family whose model sees a picture in tiles besides, at a higher resolution."""

    def untiled(self) -> "Family":
        """The same model, fed with the picture as a whole only: that takes far fewer tokens."""


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

    def answered(self, inputs: "BatchFeature") -> "BatchFeature":
        """The same with the answer that the model itself generates to it.

        Models that generate nothing give back what they are given. Called on the model's device.
        """

    def seen(self, example: Example) -> "Image.Image | None":
        """The picture as the model sees it, None without one."""

    def streams(self, example: Example, inputs: "BatchFeature") -> dict[str, TokenTable]:
        """The tokens of each stream, with boxes in pixels of the original picture."""

    def places(self, module_name: str) -> "Sequence[Place]":
        """Where the attention of this module belongs; none for a module without attention.

        Several for one that is called for several: the first call belongs to the first.
        """

    def doors(self) -> "Mapping[str, Sequence[Door]]":
        """For each stream where its hidden states are read, embeddings first; maybe not for all."""

    def answer_logits(self, outputs: Mapping[str, Any]) -> "Tensor":
        """Sequence x answer: what the answer to `inputs` is read off, a row for each of the batch.

        For models that generate, of the first token of the answer.
        """

    def prediction(
        self, example: Example, inputs: "BatchFeature", outputs: Mapping[str, Any], /
    ) -> Prediction:
        """What the model says, the likeliest first, or the text it generated."""

    def preprocessing(self) -> dict[str, Any]:
        """What is done to picture and text before the model, as plain values for a file."""


def register(name: str, module: str) -> None:
    """Make a family of one's own known: checkpoints of this model_type are read by this module.

    module: the name of an importable module with a function `load(path, options)`; docs/families.md
    goes through an example. Raises ModelError for a model_type that is covered already and a module
    that cannot be found.
    """
    if FAMILIES.get(name, module) != module:
        raise ModelError(
            f"Models of type {name!r} are covered by {FAMILIES[name]} already. Give yours a "
            "model_type of its own."
        )
    try:
        is_there = find_spec(module) is not None
    except ImportError:
        is_there = False
    if not is_there:
        raise ModelError(
            f"The family of {name!r} is said to be in {module}, which Python does not find. Put "
            "it where it can be imported, or correct the name."
        )
    FAMILIES[name] = module


def load(path: Path, options: Options | None = None) -> Family:
    """The adapter of the checkpoint in this folder.

    options: how from_pretrained is to load it (dtype, device_map, quantization_config); float32 on
    the CPU where nothing is said. Raises ModelError if there is no checkpoint, a damaged one, or
    none of an architecture that is covered; and, in other words, where the family itself fails.
    """
    module = FAMILIES[covered(model_type(path), str(path))]
    with refusing_damage(path):
        family: Family = import_module(module).load(path, options or {})
    return family


def covered(found: str, name: str) -> str:
    """The model type, if there is a family for it; else raises ModelError."""
    if found in AUTHORS_OWN:
        raise ModelError(
            f"{name} holds a model of type {found!r}, in its authors' own format, which needs code "
            "of theirs to be run. Take the checkpoint for transformers instead: its name ends in "
            "-hf."
        )
    if found not in FAMILIES:
        raise ModelError(
            f"{name} holds a model of type {found!r}, which is not covered. "
            f"Covered: {', '.join(sorted(FAMILIES))}. docs/families.md shows how to add one."
        )
    return found


@contextmanager
def refusing_damage(path: Path) -> Iterator[None]:
    """Raise ModelError where the files of this checkpoint turn out to be of no use.

    Also where a family fails that should not: the message says which of both it is. A want of
    memory is no fault of theirs and passes.
    """
    try:
        yield
    except VLError:
        raise
    except Exception as error:
        if is_shortage(error):
            raise
        raise ModelError(damage.told(error, str(path), FAMILIES.values())) from error


def model_type(path: Path) -> str:
    """What the checkpoint in this folder says it is; raises ModelError if there is none."""
    file = path / "config.json"
    if not file.is_file():
        raise ModelError(
            f"{path} holds no checkpoint: there is no config.json. Give the folder of a "
            'checkpoint, as save_pretrained writes it, or "embedded".'
        )
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path} holds no checkpoint: its config.json cannot be read ({error}). Fetch the "
            "checkpoint again, or save it again with save_pretrained."
        ) from error
    return str(config.get("model_type")) if isinstance(config, dict) else "unknown"
