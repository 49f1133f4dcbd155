"""BLIP-2 and InstructBLIP: query tokens between a picture and a language model."""

import numpy as np
import pytest
import torch
from transformers import (
    Blip2Config,
    Blip2ForConditionalGeneration,
    BlipImageProcessorPil,
    InstructBlipConfig,
    InstructBlipForConditionalGeneration,
)

from tests.families import tiny
from tests.families.checks import FamilyChecks
from vl_core import families, head_stats
from vl_core.families.generation import LONGEST
from vl_core.model import on_device

QUERIES = 7
OPT = {
    "model_type": "opt",
    "hidden_size": 48,
    "ffn_dim": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 6,
    "word_embed_proj_dim": 48,
    "max_position_embeddings": 256,
}
T5 = {
    "model_type": "t5",
    "d_model": 48,
    "d_ff": 24,
    "d_kv": 8,
    "num_layers": 3,
    "num_decoder_layers": 2,
    "num_heads": 6,
    "decoder_start_token_id": 0,
}


def save(folder, config_kind, model_kind, text, tokenizer):
    """A tower of 4 layers and 5 heads, a Q-Former of 3 and 4 that looks at it in two of them."""
    ends = ("pad_token_id", "bos_token_id", "eos_token_id")
    words = {name: getattr(tokenizer, name) for name in ends} | {"vocab_size": len(tokenizer)}
    queries = {
        "hidden_size": 32,
        "intermediate_size": 24,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "encoder_hidden_size": 40,
        "vocab_size": len(tiny.bert()),
        "cross_attention_frequency": 2,
    }
    config = config_kind(
        vision_config=tiny.tower(),
        qformer_config=queries,
        text_config=text | words,
        num_query_tokens=QUERIES,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    scaled(tiny.sharpened(model_kind(config))).save_pretrained(folder)
    BlipImageProcessorPil(size={"height": 56, "width": 56}).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    if config_kind is InstructBlipConfig:
        tiny.bert().save_pretrained(folder / "qformer_tokenizer")
    return folder


def scaled(model):
    """T5 divides no scores by the root of the width: its queries are smaller instead."""
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if name.endswith(("SelfAttention.q.weight", "EncDecAttention.q.weight")):
                weights.mul_(T5["d_kv"] ** -0.5)
    return model


class Querying(FamilyChecks):
    """What holds for all."""

    pass_rates = {"vision tower": 1.0}  # noqa: RUF012
    reads_text_alone = False

    def test_query_tokens_have_no_place(self, trace):
        """They stand for the picture in front of the words, and lie nowhere in it."""
        for stream in ("language", "Q-Former"):
            tokens = trace.streams[stream].tokens
            assert tokens.texts[:QUERIES] == tuple(f"query {i + 1}" for i in range(QUERIES))
            assert tokens.is_image[:QUERIES].all()
            assert not tokens.is_image[QUERIES:].any()
            assert np.isnan(tokens.boxes).all()

    def test_the_q_former_looks_at_the_picture_in_every_other_layer(self, trace):
        """Layers 1 and 3 as they are counted on screen; only query tokens look."""
        stack = trace.stacks["Q-Former<-vision tower"]
        looking = np.asarray(stack.weights).sum(axis=-1)

        assert stack.layers == (0, 2)
        np.testing.assert_allclose(looking[..., :QUERIES], 1, atol=1e-3)
        assert not looking[..., QUERIES:].any()
        assert np.isfinite(head_stats.ENTROPY.of(stack)).all()

    def test_the_answer_is_the_likeliest_token_by_token(self, folder, model, example):
        """As choosing each by a whole pass over all before it gives it."""
        plain = families.load(folder)
        inputs = plain.inputs(example)
        said = self.own_words(model.family, example)
        with torch.inference_mode():
            for count in range(min(4, len(said))):
                logits = plain.model(**self.continued(inputs, said[:count])).logits[0, -1]
                assert said[count] == int(logits.argmax())

    def own_words(self, family, example):
        """What the model generates, by number."""
        inputs = on_device(family, family.inputs(example))
        with torch.inference_mode():
            return family.answered(inputs)["input_ids"][0, inputs["input_ids"].shape[1] :].tolist()

    def continued(self, inputs, said):
        """The inputs with these words behind them."""
        ids = torch.cat([inputs["input_ids"], torch.tensor([said], dtype=torch.long)], dim=1)
        return {**inputs, "input_ids": ids, "attention_mask": torch.ones_like(ids)}


class TestBlip2(Querying):
    """OPT as the language model."""

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory):
        """A tiny random checkpoint."""
        folder = tmp_path_factory.mktemp("blip2")
        words = tiny.opt("<image>")
        return save(folder, Blip2Config, Blip2ForConditionalGeneration, OPT, words)

    def test_all_stacks_are_there(self, trace):
        """The Q-Former's queries look at themselves and at the picture."""
        language = len(trace.streams["language"].tokens)

        assert {name: one.weights.shape for name, one in trace.stacks.items()} == {
            "vision tower": (4, 5, 17, 17),
            "Q-Former": (3, 4, QUERIES, QUERIES),
            "Q-Former<-vision tower": (2, 4, QUERIES, 17),
            "language": (2, 6, language, language),
        }


class TestBlip2WithT5(Querying):
    """An encoder and a decoder: the answer is a stream of its own."""

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory):
        """A tiny random checkpoint."""
        folder, words = tmp_path_factory.mktemp("t5"), tiny.t5("<image>")
        return save(folder, Blip2Config, Blip2ForConditionalGeneration, T5, words)

    def test_the_answer_looks_at_the_question(self, trace):
        """Three layers read the question, two speak."""
        question, answer = (len(trace.streams[name].tokens) for name in ("language", "answer"))

        shapes = {name: one.weights.shape for name, one in trace.stacks.items()}
        assert shapes["language"] == (3, 6, question, question)
        assert shapes["answer"] == (2, 6, answer, answer)
        assert shapes["answer<-language"] == (2, 6, answer, question)
        assert answer <= LONGEST + 1
        assert trace.streams["answer"].tokens.is_generated.sum() == answer - 1

    def own_words(self, family, example):
        """Behind the token that it starts with."""
        with torch.inference_mode():
            answered = family.answered(on_device(family, family.inputs(example)))
        return answered["decoder_input_ids"][0, 1:].tolist()

    def continued(self, inputs, said):
        """The decoder goes on."""
        start = inputs["decoder_input_ids"]
        ids = torch.cat([start, torch.tensor([said], dtype=torch.long)], dim=1)
        return {**inputs, "decoder_input_ids": ids}


class TestInstructBlip(Querying):
    """The Q-Former reads the question beside its queries; LLaMA speaks."""

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory):
        """A tiny random checkpoint."""
        folder, words = tmp_path_factory.mktemp("instructblip"), tiny.llama("<image>")
        text = tiny.language(words, model_type="llama")
        return save(folder, InstructBlipConfig, InstructBlipForConditionalGeneration, text, words)

    def test_the_q_former_reads_the_question(self, trace):
        """Its words are text there, too, and query tokens look at them."""
        tokens = trace.streams["Q-Former"].tokens
        weights = trace.stacks["Q-Former"].weights[1]

        assert tokens.texts[QUERIES : QUERIES + 3] == ("[CLS]", "what", "color")
        assert weights[:, :QUERIES, QUERIES:].sum() > 0.1
