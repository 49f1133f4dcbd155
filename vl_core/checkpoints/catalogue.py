"""Well-known checkpoints that the app proposes, with what each answers and what it takes.

Parameters are approximate (three digits). They were counted by building each architecture, without
weights, from its published configuration with transformers' own classes; tied weights count once,
except where the published file holds both. They agree with the sizes in the names and model cards
(such as 256M, 2.21B for Qwen2-VL-2B, 3.74B for BLIP-2 OPT 2.7b). No file sizes are given: the hub
tells them before a download. A gated model asks for its licence to be accepted first.

Some of the older repositories hold pickles only; of these the hub's own conversion is fetched, if
there is one (see conversion).
"""

from dataclasses import dataclass
from typing import Literal

from vl_core import families
from vl_core.checkpoints.sizes import BYTES, Kept, needed

Answers = Literal[
    "questions, from a fixed list of answers",
    "questions, with generated text",
    "generated text",
    "the words left out of a text",
    "whether picture and text belong together",
    "similarity of picture and text",
]


@dataclass(frozen=True)
class Entry:
    """One checkpoint of the list.

    model_id: owner/name at Hugging Face. family: the model_type of its configuration. parameters:
    about how many numbers it has.
    """

    model_id: str
    title: str
    family: str
    answers: Answers
    parameters: int
    is_gated: bool = False

    def weights_bytes(self, kept: Kept) -> int:
        """About how many bytes the weights take in memory."""
        return int(self.parameters * BYTES[kept])

    def needed_bytes(self, kept: Kept) -> int:
        """About how many bytes of memory it takes to run."""
        return needed(self.weights_bytes(kept))


_FIXED: Answers = "questions, from a fixed list of answers"
_QUESTIONS: Answers = "questions, with generated text"
_TEXT: Answers = "generated text"
_MASKED: Answers = "the words left out of a text"
_MATCH: Answers = "whether picture and text belong together"
_SIMILARITY: Answers = "similarity of picture and text"

CATALOGUE = (
    Entry("dandelin/vilt-b32-finetuned-vqa", "ViLT, VQA", "vilt", _FIXED, 118_000_000),
    Entry("dandelin/vilt-b32-mlm", "ViLT, masked words", "vilt", _MASKED, 112_000_000),
    Entry("dandelin/vilt-b32-finetuned-coco", "ViLT, retrieval", "vilt", _MATCH, 112_000_000),
    Entry("Salesforce/blip-vqa-base", "BLIP, VQA", "blip", _QUESTIONS, 385_000_000),
    Entry("Salesforce/blip-itm-base-coco", "BLIP, matching", "blip", _MATCH, 224_000_000),
    Entry("openai/clip-vit-base-patch32", "CLIP ViT-B/32", "clip", _SIMILARITY, 151_000_000),
    Entry("google/siglip-base-patch16-224", "SigLIP B/16", "siglip", _SIMILARITY, 203_000_000),
    Entry("HuggingFaceTB/SmolVLM-256M-Instruct", "SmolVLM 256M", "idefics3", _TEXT, 256_000_000),
    Entry("HuggingFaceTB/SmolVLM-500M-Instruct", "SmolVLM 500M", "idefics3", _TEXT, 507_000_000),
    Entry("Qwen/Qwen2-VL-2B-Instruct", "Qwen2-VL 2B", "qwen2_vl", _TEXT, 2_210_000_000),
    Entry("Qwen/Qwen2.5-VL-3B-Instruct", "Qwen2.5-VL 3B", "qwen2_5_vl", _TEXT, 3_750_000_000),
    Entry("Qwen/Qwen3-VL-2B-Instruct", "Qwen3-VL 2B", "qwen3_vl", _TEXT, 2_130_000_000),
    Entry("llava-hf/llava-1.5-7b-hf", "LLaVA 1.5 7B", "llava", _TEXT, 7_060_000_000),
    Entry(
        "llava-hf/llava-v1.6-mistral-7b-hf",
        "LLaVA-NeXT Mistral 7B",
        "llava_next",
        _TEXT,
        7_570_000_000,
    ),
    Entry(
        "llava-hf/llava-onevision-qwen2-0.5b-ov-hf",
        "LLaVA-OneVision 0.5B",
        "llava_onevision",
        _TEXT,
        894_000_000,
    ),
    Entry("OpenGVLab/InternVL3-1B-hf", "InternVL3 1B", "internvl", _TEXT, 938_000_000),
    Entry(
        "google/paligemma-3b-mix-224",
        "PaliGemma 3B mix",
        "paligemma",
        _TEXT,
        2_920_000_000,
        is_gated=True,
    ),
    Entry("google/gemma-3-4b-it", "Gemma 3 4B", "gemma3", _TEXT, 4_300_000_000, is_gated=True),
    Entry("Salesforce/blip2-opt-2.7b", "BLIP-2 OPT 2.7B", "blip-2", _TEXT, 3_740_000_000),
    Entry(
        "Salesforce/instructblip-vicuna-7b",
        "InstructBLIP Vicuna 7B",
        "instructblip",
        _TEXT,
        7_910_000_000,
    ),
)


def offered() -> tuple[Entry, ...]:
    """The entries whose architecture is covered, in the order of the list."""
    return tuple(entry for entry in CATALOGUE if entry.family in families.FAMILIES)
