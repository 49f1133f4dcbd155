"""InternVL: tiles of a stretched picture, the whole behind them, four patches to a token."""

import numpy as np
import pytest
from transformers import (
    GotOcr2ImageProcessorPil,
    InternVLConfig,
    InternVLForConditionalGeneration,
    InternVLProcessor,
)

from tests import probes
from tests.builders import random_picture
from tests.families import tiny
from tests.families.decoder_checks import DecoderChecks, assert_fed_as_published
from vl_core import families

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% for part in message.content %}{% if part.type == 'image' %}{{ '<IMG_CONTEXT>\n' }}"
    "{% else %}{{ part.text }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def save(folder):
    """3 layers of 6 heads behind a tower of 4 layers and 5 heads; tiles of 4 x 4 patches."""
    tokenizer = tiny.qwen(
        start_image_token="<img>",
        end_image_token="</img>",
        context_image_token="<IMG_CONTEXT>",
        video_token="<video>",
    )
    tokenizer.chat_template = TEMPLATE
    config = InternVLConfig(
        vision_config=tiny.tower(model_type="internvl_vision", layer_scale_init_value=1.0),
        text_config=tiny.language(tokenizer, model_type="qwen2"),
        image_token_id=tokenizer.context_image_token_id,
        image_seq_length=4,
    )
    tiny.sharpened(InternVLForConditionalGeneration(config)).save_pretrained(folder)
    # The published file says that pictures are not cut; the published processor cuts them.
    size = {"height": 56, "width": 56}
    GotOcr2ImageProcessorPil(size=size, crop_to_patches=False).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def boxes_of(tokens, view):
    """The boxes of a view's patches, in the order of the stream."""
    return tokens.boxes[np.array([name == view for name in tokens.views])]


class TestWide(DecoderChecks):
    """A wide picture on 2 rows of 3 tiles, and the whole."""

    size = (330, 190)

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory):
        """A tiny random checkpoint."""
        return save(tmp_path_factory.mktemp("internvl"))

    @pytest.mark.parametrize("size", [(330, 190), (97, 255), (64, 64), (150, 148), (40, 300)])
    def test_inputs_are_those_of_the_published_processor(self, folder, size):
        """From the same messages the same tokens and the same pixels."""
        family = families.load(folder)
        processor = tiny.without_video(InternVLProcessor)(
            GotOcr2ImageProcessorPil.from_pretrained(folder),
            family.tokenizer,
            image_seq_length=4,
            chat_template=TEMPLATE,
        )

        assert_fed_as_published(family, processor, self.question, random_picture(size))

    def test_tiles_come_row_by_row_then_the_whole(self, trace):
        """Each tile's 2 x 2 tokens line by line, between the signs for start and end."""
        tokens = trace.streams["language"].tokens
        start = int(tokens.is_image.argmax())
        tiles = boxes_of(tokens, "tiles").reshape(6, 4, 4)

        assert tokens.views[start : start + 28] == ("tiles",) * 24 + ("whole picture",) * 4
        assert (tokens.texts[start - 1], tokens.texts[start + 28]) == ("<img>", "</img>")
        np.testing.assert_allclose(tiles[0, 1], [55, 0, 110, 47.5])  # of the first the second
        np.testing.assert_allclose(tiles[1, 2], [110, 47.5, 165, 95])
        np.testing.assert_allclose(tiles[5, 3], [275, 142.5, 330, 190])
        np.testing.assert_allclose(boxes_of(tokens, "whole picture")[2], [0, 95, 165, 190])

    def test_the_tower_looks_at_each_by_itself(self, trace):
        """Seven pictures of a class token and sixteen patches, none of which sees another's."""
        tower = trace.streams["vision tower"].tokens
        number = np.arange(7 * 17) // 17

        assert len(tower) == 7 * 17
        assert [i for i, text in enumerate(tower.texts) if text == "class"] == list(
            range(0, 119, 17)
        )
        stack = trace.stacks["vision tower"]
        for layer in range(4):
            np.testing.assert_array_equal(stack.allowed(layer), number[:, None] == number)
        np.testing.assert_allclose(boxes_of(tower, "tiles")[16 + 5], [137.5, 23.75, 165, 47.5])

    def test_the_picture_as_seen_is_the_whole(self, model, example):
        """Squeezed into the square of a tile."""
        seen = np.asarray(model.family.seen(example), int)

        squeezed = np.asarray(example.image.resize((56, 56), resample=3), int)
        np.testing.assert_allclose(seen, squeezed, atol=1)

    def test_untiled_the_same_model_reads_the_whole_only(self, model, example):
        """For the check at load; what is asked of the model itself comes in tiles as before."""
        small = model.family.untiled()

        assert small.model is model.family.model
        assert small.read(example.image).n_pictures == 1
        tokens = small.streams(example, small.inputs(example))["language"]
        assert tokens.is_image.sum() == 4
        assert model.family.read(example.image).n_pictures == 7

    def test_what_is_kept_says_that_pictures_are_cut(self, trace):
        """Whatever the file of the checkpoint says."""
        assert trace.provenance.preprocessing["image_processor"]["crop_to_patches"] is True

    def test_another_order_would_be_noticed(self, model, example, trace):
        """The probe of places is sharp: with the tokens of each tile transposed it fails."""
        tokens = trace.streams["language"].tokens
        order = np.arange(len(tokens))
        order[tokens.is_image] = order[tokens.is_image].reshape(-1, 2, 2).swapaxes(1, 2).ravel()

        assert probes.pass_rate(model, example, tokens.chosen(order), "language") == 0.5


class TestTall(DecoderChecks):
    """A tall picture on 5 rows of 2 tiles."""

    size = (97, 255)

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory):
        """A tiny random checkpoint."""
        return save(tmp_path_factory.mktemp("tall"))

    def test_there_are_ten_tiles(self, trace):
        """And the whole, in both streams."""
        for stream, count in (("language", 4), ("vision tower", 16)):
            tokens = trace.streams[stream].tokens
            assert tokens.views.count("tiles") == 10 * count
            assert tokens.views.count("whole picture") == count


class TestOneTile(DecoderChecks):
    """A picture that one tile shows is read once."""

    size = (66, 60)

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory):
        """A tiny random checkpoint."""
        return save(tmp_path_factory.mktemp("one"))

    def test_there_is_the_whole_only(self, trace):
        """Four tokens of sixteen patches."""
        tokens = trace.streams["language"].tokens

        assert tokens.is_image.sum() == 4
        assert set(tokens.views) == {"", "whole picture"}
        assert len(trace.streams["vision tower"].tokens) == 17
