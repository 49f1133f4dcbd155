"""VisualBERT: words and regions in one stream."""

import pytest
import torch
from transformers import (
    VisualBertConfig,
    VisualBertForPreTraining,
    VisualBertForQuestionAnswering,
)

from tests.families import tiny
from tests.families.region_checks import RegionChecks

SIZES = {
    "hidden_size": 40,
    "num_hidden_layers": 3,
    "num_attention_heads": 5,
    "intermediate_size": 24,
    "visual_embedding_dim": 23,
    "max_position_embeddings": 40,
}


def save(kind, folder, tokenizer=None, **options):
    """3 layers of 5 heads; BERT's tokenizer unless there is another."""
    tokenizer = tokenizer or tiny.bert()
    config = VisualBertConfig(vocab_size=len(tokenizer), **SIZES, **options)
    tiny.sharpened(kind(config)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


class TestAnswering(RegionChecks):
    """Answers out of the checkpoint's own list."""

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory):
        """Seven answers by name."""
        names = dict(enumerate(("red", "blue", "yes", "no", "left", "two", "cat")))
        folder = tmp_path_factory.mktemp("visual_bert")
        return save(VisualBertForQuestionAnswering, folder, id2label=names)

    def test_answers_are_told_by_name(self, trace):
        """Five of the seven, with probabilities."""
        assert trace.prediction.kind == "answer"
        assert len(trace.prediction.top) == 5
        assert {name for name, _ in trace.prediction.top} < {
            *("red", "blue", "yes", "no", "left", "two", "cat")
        }


class TestMatching(RegionChecks):
    """Whether text and picture belong together."""

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory):
        """The checkpoint that pretraining leaves."""
        return save(VisualBertForPreTraining, tmp_path_factory.mktemp("visual_bert"))

    def test_both_answers_are_told(self, trace, model, example):
        """With the probabilities of the pretraining head."""
        family = model.family
        with torch.inference_mode():
            logits = family.model(**family.inputs(example)).seq_relationship_logits[0]

        said = dict(trace.prediction.top)
        assert trace.prediction.kind == "match"
        assert said["match"] == pytest.approx(float(logits.softmax(-1)[0]), abs=1e-5)
        assert sum(said.values()) == pytest.approx(1)


class TestWithoutSigns(RegionChecks):
    """BERT's tokenizer always puts [CLS] and [SEP] around a text; another one need not."""

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory):
        """A checkpoint with a tokenizer of somebody's own."""
        folder = tmp_path_factory.mktemp("visual_bert")
        return save(VisualBertForQuestionAnswering, folder, tiny.tokenizer())

    def test_words_come_first_and_regions_after_them(self, trace):
        """There is nothing else, and the first region follows the last word."""
        tokens = trace.streams["encoder"].tokens

        assert tokens.kinds == ("text",) * 6 + ("image",) * 9
        assert tokens.is_unknown.tolist() == [False] * 4 + [True] + [False] * 10
