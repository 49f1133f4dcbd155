"""LXMERT: words and regions, each in a stream of its own, that look at each other."""

import numpy as np
import pytest
import torch
from transformers import LxmertConfig, LxmertForPreTraining, LxmertForQuestionAnswering

from tests.families import tiny
from tests.families.region_checks import RegionChecks
from vl_core import families
from vl_core.capture.tap import tapped


def save(kind, folder, **options):
    """4 layers of words, 3 of regions, 2 across; 5 heads."""
    tokenizer = tiny.bert()
    config = LxmertConfig(
        vocab_size=len(tokenizer),
        hidden_size=40,
        num_attention_heads=5,
        intermediate_size=24,
        l_layers=4,
        r_layers=3,
        x_layers=2,
        visual_feat_dim=23,
        num_qa_labels=7,
        max_position_embeddings=40,
        **options,
    )
    tiny.sharpened(kind(config)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


class TestAnswering(RegionChecks):
    """All attention of both streams and between them."""

    stream = "vision"

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory):
        """Seven answers, two of which have names."""
        folder = tmp_path_factory.mktemp("lxmert")
        return save(LxmertForQuestionAnswering, folder, id2label={0: "red", 1: "blue"})

    def test_all_attention_is_there(self, trace):
        """4 + 2 layers of words, 3 + 2 of regions, and two of each looking at the other."""
        words, regions = (len(trace.streams[name].tokens) for name in ("language", "vision"))

        assert {name: stack.weights.shape for name, stack in trace.stacks.items()} == {
            "language": (6, 5, words, words),
            "vision": (5, 5, regions, regions),
            "language<-vision": (2, 5, words, regions),
            "vision<-language": (2, 5, regions, words),
        }
        assert [len(one.hidden_states) for one in trace.streams.values()] == [7, 6]

    def test_what_looks_across_is_told_apart(self, folder, trace, example):
        """One module is called twice: first words look at regions, then regions at words."""
        plain = families.load(folder)
        name = "lxmert.encoder.x_layers.1.visual_attention.att"
        with torch.inference_mode(), tapped(plain.model) as matrices:
            plain.model(**plain.inputs(example))
        first, second = matrices[name]

        for stack, seen in (("language<-vision", first), ("vision<-language", second)):
            np.testing.assert_allclose(trace.stacks[stack].weights[1], seen, atol=2e-3)

    def test_answers_without_a_name_have_a_number(self, trace):
        """As the published checkpoint, whose list of answers is kept elsewhere."""
        known = {"red", "blue", *(f"answer {i}" for i in range(2, 7))}

        assert {name for name, _ in trace.prediction.top} < known


class TestPretrained(RegionChecks):
    """The checkpoint that pretraining leaves answers as well."""

    stream = "vision"

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory):
        """All heads of pretraining."""
        return save(LxmertForPreTraining, tmp_path_factory.mktemp("lxmert"))
