"""CLIP and SigLIP: two towers that never see each other."""

import numpy as np
import pytest
import torch
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPProcessor,
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
)

from tests.families import tiny
from tests.families.checks import FamilyChecks
from vl_core import families
from vl_core.errors import TextError
from vl_core.example import Example


def text_sizes(vocabulary, **options):
    """3 layers of 4 heads."""
    sizes = {"hidden_size": 32, "intermediate_size": 24, "num_hidden_layers": 3}
    return sizes | {"num_attention_heads": 4, "vocab_size": vocabulary} | options


def save_clip(folder):
    """A tower of 4 layers and 5 heads beside one of 3 and 4."""
    tokenizer = tiny.clip()
    config = CLIPConfig(
        text_config=text_sizes(
            len(tokenizer),
            max_position_embeddings=60,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        ),
        vision_config=tiny.tower(),
        projection_dim=16,
    )
    tiny.sharpened(CLIPModel(config)).save_pretrained(folder)
    size = {"height": 56, "width": 56}
    CLIPImageProcessorPil(size={"shortest_edge": 56}, crop_size=size).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_siglip(folder):
    """The same, the picture squeezed into 4 x 4 patches and the text filled up to 31 tokens."""
    config = SiglipConfig(
        text_config=text_sizes(len(tiny.siglip()), max_position_embeddings=31, projection_size=40),
        vision_config=tiny.tower(),
    )
    tiny.sharpened(SiglipModel(config)).save_pretrained(folder)
    SiglipImageProcessorPil(size={"height": 56, "width": 56}).save_pretrained(folder)
    tiny.save_siglip(folder)
    return folder


class Towers(FamilyChecks):
    """What holds for both."""

    pass_rates = {"vision tower": 1.0}  # noqa: RUF012
    reads_text_alone = False

    def test_the_cosine_is_the_models_own(self, folder, trace, example):
        """As its own normalised embeddings give it."""
        plain = families.load(folder)
        with torch.inference_mode():
            outputs = plain.model(**plain.inputs(example))
        wanted = torch.cosine_similarity(outputs.image_embeds, outputs.text_embeds)

        assert trace.prediction.kind == "similarity"
        ((text, cosine),) = trace.prediction.top
        assert text == self.question
        assert cosine == pytest.approx(float(wanted), abs=1e-5)

    def test_texts_that_are_too_long_are_refused(self, model, example):
        """With both numbers."""
        with pytest.raises(TextError, match="at most"):
            model.trace(Example(example.image, "what is this " * 20))


class TestClip(Towers):
    """A class token in one tower, a causal text in the other; the picture's middle is seen."""

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory):
        """A tiny random checkpoint."""
        return save_clip(tmp_path_factory.mktemp("clip"))

    def test_only_the_middle_of_the_picture_is_seen(self, trace):
        """A wide picture's shorter side is 56 of 97 pixels; 41 are cut off, 20 to the left."""
        boxes = trace.streams["vision tower"].tokens.boxes[1:]

        scale = 330 / 97
        np.testing.assert_allclose(boxes[:, 0].min(), 20 * scale, rtol=1e-6)
        np.testing.assert_allclose(boxes[:, 2].max(), 76 * scale, rtol=1e-6)
        assert (boxes[:, 1].min(), boxes[:, 3].max()) == (0, 190)

    def test_text_looks_back_only(self, trace):
        """No word sees what comes after it."""
        weights = np.asarray(trace.stacks["text"].weights)

        assert not np.triu(weights, 1).any()

    def test_inputs_are_those_of_the_published_processor(self, folder, example):
        """The same numbers for words and pixels."""
        family = families.load(folder)
        processor = CLIPProcessor(family.image_processor, family.tokenizer)
        wanted = processor(images=example.image, text=self.question, return_tensors="pt")
        came = family.inputs(example)

        assert came.keys() == wanted.keys()
        for name, value in came.items():
            assert torch.equal(value, wanted[name]), name


class TestSiglip(Towers):
    """No class token: a probe looks at the patches."""

    question = "what color is the zebra"  # punctuation is not read

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory):
        """A tiny random checkpoint."""
        return save_siglip(tmp_path_factory.mktemp("siglip"))

    def batch(self, family):
        """Both texts are of full length."""
        questions = [self.question, f"{self.question} red"]
        inputs = [family.inputs(self.asked(text, seed)) for seed, text in enumerate(questions)]
        return type(inputs[0])({name: torch.cat([i[name] for i in inputs]) for name in inputs[0]})

    def test_padding_is_read_and_said_to_be(self, trace):
        """The model was trained without a mask: its words look at padding as well."""
        tokens = trace.streams["text"].tokens
        is_padding = np.array([name == "padding" for name in tokens.texts])

        assert len(tokens) == 31
        words = np.flatnonzero(tokens.is_text)
        assert tokens.texts[words[-1] + 1] == "</s>"
        assert np.flatnonzero(is_padding).tolist() == list(range(words[-1] + 2, 31))
        assert not tokens.is_padding.any()
        assert trace.stacks["text"].weights[0][:, :, is_padding].sum() > 1

    def test_the_probe_looks_at_every_patch(self, trace):
        """One row, over 4 x 4 patches, that is all of its attention."""
        weights = trace.stacks["pooling<-vision tower"].weights[0]

        assert weights.shape == (5, 1, 16)
        np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-3)

    def test_the_whole_picture_is_seen(self, trace):
        """Squeezed, not cropped."""
        boxes = trace.streams["vision tower"].tokens.boxes

        np.testing.assert_allclose(boxes.max(axis=0), [247.5, 142.5, 330, 190])
