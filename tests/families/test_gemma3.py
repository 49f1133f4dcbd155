"""Gemma 3: blocks of patches that look at each other, windows in all but every sixth layer."""

import json

import numpy as np
import pytest
import torch
from transformers import (
    AutoTokenizer,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3ImageProcessorPil,
    Gemma3Processor,
)

from tests import probes
from tests.builders import random_picture
from tests.families import tiny
from tests.families.decoder_checks import (
    DecoderChecks,
    as_published,
    assert_fed_as_published,
    assert_same,
)
from vl_core import families
from vl_core.example import Example

# As Gemma 3 publishes it, but for the system prompt and the check of turns.
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<start_of_turn>' + message['role'] + '\n' }}{% for item in message['content'] %}"
    "{% if item['type'] == 'image' %}{{ '<start_of_image>' }}"
    "{% elif item['type'] == 'text' %}{{ item['text'] | trim }}{% endif %}{% endfor %}"
    "{{ '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
WINDOW = 5


def save(folder):
    """7 layers of 6 heads behind a tower of 4 layers and 5 heads; 3 x 3 blocks of 2 x 2 patches."""
    tokenizer = tiny.gemma(
        "<start_of_turn>",
        "<end_of_turn>",
        boi_token="<start_of_image>",
        eoi_token="<end_of_image>",
        image_token="<image_soft_token>",
    )
    tokenizer.chat_template = TEMPLATE
    config = Gemma3Config(
        vision_config=tiny.tower(
            model_type="siglip_vision_model", vision_use_head=False, image_size=84
        ),
        text_config=tiny.language(
            tokenizer,
            num_hidden_layers=7,
            head_dim=8,
            query_pre_attn_scalar=8,
            sliding_window=WINDOW,
        ),
        mm_tokens_per_image=9,
        boi_token_index=tokenizer.boi_token_id,
        eoi_token_index=tokenizer.eoi_token_id,
        image_token_index=tokenizer.image_token_id,
    )
    model = tiny.sharpened(Gemma3ForConditionalGeneration(config))
    model.save_pretrained(folder)
    # The published file leaves this open; the published processor does not cut pictures out.
    size = {"height": 84, "width": 84}
    Gemma3ImageProcessorPil(size=size, do_pan_and_scan=True).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


class TestGemma3(DecoderChecks):
    """A wide picture squeezed into a square."""

    size = (165, 95)

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory):
        """A tiny random checkpoint."""
        return save(tmp_path_factory.mktemp("gemma3"))

    def batch(self, family):
        """Padded by less than a window: beyond that, padding sees nothing at all."""
        longer = f"{self.question} a red star"
        examples = [self.asked(self.question), self.asked(longer, seed=1)]
        inputs = probes.padded([family.inputs(example) for example in examples])
        inputs["token_type_ids"] *= inputs["attention_mask"]  # padding is no picture
        return inputs

    @pytest.mark.parametrize("size", [(330, 190), (61, 97), (700, 90), None])
    def test_inputs_are_those_of_the_published_processor(self, folder, size):
        """From the same messages the same tokens and pixels, with a picture and without."""
        family = families.load(folder)
        processor = Gemma3Processor(
            Gemma3ImageProcessorPil.from_pretrained(folder, do_pan_and_scan=None),
            AutoTokenizer.from_pretrained(folder),
            chat_template=TEMPLATE,
            image_seq_length=9,
        )
        picture = None if size is None else random_picture(size)

        assert_fed_as_published(family, processor, self.question, picture)

    @pytest.mark.parametrize("processor", ["Gemma3ImageProcessor", "Gemma3ImageProcessorFast"])
    def test_files_on_the_hub_are_read(self, folder, tmp_path, processor, example):
        """There the tower's weights have one more name in theirs."""
        renamed = ("vision_tower.", "vision_tower.vision_model.")
        hub = as_published(folder, tmp_path, processor, renamed)

        assert_same(folder, hub, example)

    def test_the_prompt(self, trace):
        """The picture between its signs and empty lines, after the turn's start."""
        tokens = trace.streams["language"].tokens
        first = int(tokens.is_image.argmax())

        assert tokens.is_image[first : first + 9].all()
        assert tokens.is_image.sum() == 9
        assert tokens.texts[0] == "<bos>"
        assert tokens.texts[first - 2 : first] == ("\\n\\n\\n", "<start_of_image>")
        assert tokens.texts[first + 9 : first + 11] == ("<end_of_image>", "\\n\\n")
        assert (
            tokens.texts.count("<bos>") - tokens.chosen(tokens.is_generated).texts.count("<bos>")
            == 1
        )

    def test_blocks_lie_line_by_line_over_all_of_the_picture(self, trace):
        """Nothing is cut off: 6 x 6 patches in the tower, 3 x 3 in the language model."""
        width, height = self.size
        for stream, side in (("language", 3), ("vision tower", 6)):
            tokens = trace.streams[stream].tokens
            boxes = tokens.boxes[tokens.is_image].reshape(side, side, 4)
            across, down = width / side, height / side
            np.testing.assert_allclose(boxes[0, 1], [across, 0, 2 * across, down])
            np.testing.assert_allclose(boxes[2, 0], [0, 2 * down, across, 3 * down])

    def test_another_order_would_be_noticed(self, model, example, trace):
        """The probe of places is sharp: with rows and columns swapped it fails."""
        tokens = trace.streams["language"].tokens
        order = np.arange(len(tokens))
        order[tokens.is_image] = order[tokens.is_image].reshape(3, 3).T.ravel()

        rate = probes.pass_rate(model, example, tokens.chosen(order), "language")
        assert rate == pytest.approx(1 / 3)

    def test_the_picture_looks_at_all_of_itself(self, trace):
        """Ahead as well; words and signs never look ahead; all but layer 6 have a window."""
        stack = trace.stacks["language"]
        place, is_image = np.arange(len(stack.queries)), stack.queries.is_image
        before = place[:, None] - place
        everywhere = (before >= 0) | (is_image[:, None] & is_image)

        for layer in range(7):
            wanted = everywhere if layer == 5 else everywhere & (before < WINDOW)
            np.testing.assert_array_equal(stack.allowed(layer), wanted)
        first = int(is_image.argmax())
        assert stack.weights[0][:, first, first + 1 : first + 9].sum() > 0.5
        assert (everywhere & (before >= WINDOW) & is_image[:, None] & is_image).any()

    def test_no_picture_is_cut_out(self, folder, trace):
        """The tower has one picture, however long, and the trace's file says so."""
        settings = json.loads((folder / "preprocessor_config.json").read_text())
        assert settings["do_pan_and_scan"] is True
        assert trace.provenance.preprocessing["image_processor"]["do_pan_and_scan"] is False
        reading = families.load(folder).reading(random_picture((2000, 300)))
        assert reading.features["pixel_values"].shape == (1, 3, 84, 84)

    def test_kinds_of_tokens_are_those_of_the_picture(self, model, example):
        """1 for the picture's own tokens and 0 for all else, the answer with it."""
        family = model.family
        with torch.inference_mode():
            answered = family.answered(family.inputs(example))

        is_patch = answered["input_ids"] == family.model.config.image_token_id
        assert torch.equal(answered["token_type_ids"], is_patch.long())
        assert is_patch.sum() == 9

    def test_without_a_template_the_prompt_is_the_published_one(self, folder, tmp_path, example):
        """A checkpoint that brings none is asked in the same words."""
        for file in folder.iterdir():
            if file.name != "chat_template.jinja":
                (tmp_path / file.name).symlink_to(file)

        for asked in (example, Example(None, self.question)):
            texts = [families.load(path).prompt(asked).text for path in (folder, tmp_path)]
            assert texts[0] == texts[1]
