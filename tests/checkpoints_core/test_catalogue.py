"""The checkpoints that the app proposes."""

import pytest
import torch
from transformers import (
    CONFIG_MAPPING,
    CLIPConfig,
    CLIPModel,
    SiglipConfig,
    SiglipModel,
    ViltForImageAndTextRetrieval,
    ViltForMaskedLM,
    ViltForQuestionAnswering,
)
from transformers import ViltConfig as Vilt

from vl_core import families
from vl_core.checkpoints import CATALOGUE, is_hub_name, offered
from vl_core.checkpoints.sizes import needed

BY_NAME = {entry.model_id: entry for entry in CATALOGUE}


def test_every_entry_is_named_as_the_hub_and_transformers_name_it():
    """Valid, known as an architecture, and once only."""
    assert len(BY_NAME) == len(CATALOGUE) == len({entry.title for entry in CATALOGUE})
    for entry in CATALOGUE:
        assert is_hub_name(entry.model_id)
        assert entry.family in CONFIG_MAPPING


@pytest.mark.parametrize(
    ("name", "kind", "config"),
    [
        ("dandelin/vilt-b32-finetuned-vqa", ViltForQuestionAnswering, Vilt(num_labels=3129)),
        ("dandelin/vilt-b32-mlm", ViltForMaskedLM, Vilt()),
        ("dandelin/vilt-b32-finetuned-coco", ViltForImageAndTextRetrieval, Vilt()),
        ("openai/clip-vit-base-patch32", CLIPModel, CLIPConfig()),
        ("google/siglip-base-patch16-224", SiglipModel, SiglipConfig()),
    ],
)
def test_parameters_are_those_of_the_architecture(name, kind, config):
    """Of the ones whose published configuration is transformers' default."""
    with torch.device("meta"):
        model = kind(config)

    assert BY_NAME[name].parameters == pytest.approx(model.num_parameters(), rel=0.005)


def test_memory_follows_from_the_parameters():
    """Qwen2-VL 2B: 8.8 GB in float32, half of it in bfloat16, a fifth more to run."""
    entry = BY_NAME["Qwen/Qwen2-VL-2B-Instruct"]

    assert entry.weights_bytes("float32") == pytest.approx(8.84e9, rel=0.01)
    assert entry.weights_bytes("bfloat16") * 2 == entry.weights_bytes("float32")
    assert entry.needed_bytes("bfloat16") == needed(entry.weights_bytes("bfloat16"))


def test_only_what_is_covered_is_offered(monkeypatch):
    """In the order of the list."""
    monkeypatch.setattr(families, "FAMILIES", {"clip": "", "vilt": "", "kdvlp": ""})

    assert [entry.family for entry in offered()] == ["vilt", "vilt", "vilt", "clip"]
