"""PaliGemma: picture and question in both directions, the answer in one, windows and softcaps."""

import numpy as np
import pytest
import torch
from transformers import (
    PaliGemmaConfig,
    PaliGemmaForConditionalGeneration,
    PaliGemmaProcessor,
    SiglipImageProcessorPil,
)

from tests import probes
from tests.builders import random_picture
from tests.families import tiny
from tests.families.decoder_checks import DecoderChecks, as_published, assert_same
from vl_core import families
from vl_core.example import Example


def save(folder, **text):
    """3 layers of 6 heads behind a tower of 4 layers and 5 heads; 4 x 4 patches."""
    tokenizer = tiny.gemma(image_token="<image>")
    language = tiny.language(tokenizer, head_dim=8)
    config = PaliGemmaConfig(
        vision_config=tiny.tower(model_type="siglip_vision_model", vision_use_head=False),
        text_config=language | text,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        projection_dim=48,
        hidden_size=48,
    )
    model = tiny.sharpened(PaliGemmaForConditionalGeneration(config))
    model.save_pretrained(folder)
    SiglipImageProcessorPil(size={"height": 56, "width": 56}, image_seq_length=16).save_pretrained(
        folder
    )
    tokenizer.save_pretrained(folder)
    return folder


def prefix(tokens):
    """How many tokens are read before the answer."""
    return int((~tokens.is_generated).sum())


class PaliGemmaChecks(DecoderChecks):
    """What both have in common."""

    size = (165, 95)
    reads_text_alone = False

    @pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # of the processor's labels
    @pytest.mark.parametrize("size", [(330, 190), (61, 97)])
    @pytest.mark.parametrize("question", ["what color is the zebra?", "caption en", "star; star"])
    def test_inputs_are_those_of_the_published_processor(self, folder, size, question):
        """The same but for the labels, which are for training."""
        family = families.load(folder)
        processor = PaliGemmaProcessor(
            SiglipImageProcessorPil.from_pretrained(folder),
            tiny.gemma(image_token="<image>"),
        )
        picture = random_picture(size)
        wanted = processor(text=f"<image>{question}", images=picture, return_tensors="pt")

        came = family.inputs(Example(picture, question))

        assert set(came) == set(wanted) - {"labels"}
        for name, value in came.items():
            assert torch.equal(value, wanted[name]), name

    @pytest.mark.parametrize("processor", ["SiglipImageProcessor", "SiglipImageProcessorFast"])
    def test_files_on_the_hub_are_read(self, folder, tmp_path, processor, example):
        """There the tower's weights have one more name in theirs."""
        renamed = ("vision_tower.", "vision_tower.vision_model.")
        hub = as_published(folder, tmp_path, processor, renamed)

        assert_same(folder, hub, example)

    def test_the_prompt(self, trace, example):
        """Sixteen patches, the first token, the question, a new line; then the answer."""
        tokens = trace.streams["language"].tokens
        count = prefix(tokens)

        assert tokens.is_image[:16].all()
        assert not tokens.is_image[16:].any()
        assert tokens.texts[16] == "<bos>"
        assert tokens.kinds[16] == "special"
        assert tokens.kinds[count - 1] == "special"
        assert tokens.texts[count - 1] == "\\n"
        assert set(tokens.kinds[17 : count - 1]) == {"text"}
        assert tokens.is_generated[count:].all()
        assert tokens.spans[17, 0] == 0
        assert tokens.spans[count - 2, 1] == len(example.text)

    def test_patches_lie_line_by_line_over_all_of_the_picture(self, trace):
        """Squeezed into a square, nothing is cut off."""
        for stream in ("language", "vision tower"):
            tokens = trace.streams[stream].tokens
            boxes = tokens.boxes[tokens.is_image].reshape(4, 4, 4)
            np.testing.assert_allclose(boxes[0, 1], [165 / 4, 0, 165 / 2, 95 / 4])
            np.testing.assert_allclose(boxes[3, 2], [165 / 2, 95 * 3 / 4, 165 * 3 / 4, 95])

    def test_another_order_would_be_noticed(self, model, example, trace):
        """The probe of places is sharp: with rows and columns swapped it fails."""
        tokens = trace.streams["language"].tokens
        order = np.arange(len(tokens))
        order[tokens.is_image] = order[tokens.is_image].reshape(4, 4).T.ravel()

        assert probes.pass_rate(model, example, tokens.chosen(order), "language") == 0.25

    def test_only_the_answer_is_read_causally(self, model, example):
        """Kinds of token: 0 before the answer, 1 in it, as the model's own generation has them."""
        family = model.family
        inputs = family.inputs(example)
        with torch.inference_mode():
            answered = family.answered(inputs)

        count = inputs["input_ids"].shape[1]
        kinds = answered["token_type_ids"][0].tolist()
        assert kinds == [0] * count + [1] * (len(kinds) - count)
        assert len(kinds) == answered["input_ids"].shape[1] > count
        assert "labels" not in answered


class TestPaliGemma(PaliGemmaChecks):
    """Every layer sees all that came before."""

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory):
        """A tiny random checkpoint."""
        return save(tmp_path_factory.mktemp("paligemma"), model_type="gemma")

    def test_picture_and_question_look_at_each_other(self, trace):
        """In both directions; the answer looks at all that came before it and itself."""
        stack = trace.stacks["language"]
        count, place = prefix(stack.queries), np.arange(len(stack.queries))
        wanted = (place < count) | (place <= place[:, None])

        for layer in range(3):
            np.testing.assert_array_equal(stack.allowed(layer), wanted)
        weights = stack.weights[1]
        assert weights[:, 0, 1:count].sum() > 0.5  # the first patch, at what comes after it
        assert not weights[:, :count, count:].any()


class TestPaliGemma2(PaliGemmaChecks):
    """Every other layer has a window of 7 tokens, and scores are bent at 2."""

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory):
        """A tiny random checkpoint."""
        return save(
            tmp_path_factory.mktemp("paligemma2"),
            model_type="gemma2",
            sliding_window=7,
            attn_logit_softcapping=2.0,
            final_logit_softcapping=30.0,
            query_pre_attn_scalar=8,
        )

    def test_the_answer_looks_through_a_window_in_every_other_layer(self, trace):
        """Picture and question look at each other all the same, however far."""
        stack = trace.stacks["language"]
        count, place = prefix(stack.queries), np.arange(len(stack.queries))
        before, is_prefix = place[:, None] - place, place < count
        both = is_prefix & is_prefix[:, None]
        window = both | ((before >= 0) & (before < 7))

        np.testing.assert_array_equal(stack.allowed(0), window)
        np.testing.assert_array_equal(stack.allowed(1), both | (before >= 0))
        np.testing.assert_array_equal(stack.allowed(2), window)
        assert (~window & (before >= 0)).any()

    def test_scores_are_bent(self, trace):
        """By a softcap of 2 no key has more than e to the 4 times the weight of another."""
        stack = trace.stacks["language"]
        count = prefix(stack.queries)

        for layer in range(3):
            weights = stack.weights[layer][:, :count, :count]
            assert weights.max(axis=-1).max() > 2 * weights.mean(axis=-1).max()
            assert (weights.max(axis=-1) <= np.exp(4.01) * weights.min(axis=-1)).all()
