"""LLaVA-NeXT and OneVision: the whole picture and its tiles, line by line."""

import numpy as np
import pytest
import torch
from transformers import (
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    LlavaNextImageProcessorPil,
    LlavaNextProcessor,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    LlavaOnevisionImageProcessorPil,
)

from tests.builders import random_picture
from tests.families import tiny
from tests.families.decoder_checks import DecoderChecks
from vl_core import families

PINPOINTS = [[56, 112], [112, 56], [112, 168], [168, 56]]


def save_next(folder, **options):
    """3 layers of 6 heads behind a CLIP tower of 4 layers and 5 heads; tiles of 4 x 4 patches."""
    tokenizer = tiny.llama(image_token="<image>")
    config = LlavaNextConfig(
        vision_config=tiny.tower(model_type="clip_vision_model"),
        text_config=tiny.language(tokenizer, model_type="llama"),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_grid_pinpoints=PINPOINTS,
        **options,
    )
    model = tiny.sharpened(LlavaNextForConditionalGeneration(config))
    model.save_pretrained(folder)
    LlavaNextImageProcessorPil(
        size={"shortest_edge": 56},
        crop_size={"height": 56, "width": 56},
        image_grid_pinpoints=PINPOINTS,
    ).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_onevision(folder, limit=9, tile=56):
    """The same behind a SigLIP tower, which has no class token."""
    pinpoints = [[side // 56 * tile for side in pair] for pair in PINPOINTS]
    tokenizer = tiny.qwen(image_token="<image>")
    config = LlavaOnevisionConfig(
        vision_config=tiny.tower(model_type="siglip_vision_model", image_size=tile),
        text_config=tiny.language(tokenizer, model_type="qwen2"),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_grid_pinpoints=pinpoints,
        vision_aspect_ratio=f"anyres_max_{limit}",
        vision_feature_select_strategy="full",
        vision_feature_layer=-1,
    )
    tiny.sharpened(LlavaOnevisionForConditionalGeneration(config)).save_pretrained(folder)
    LlavaOnevisionImageProcessorPil(
        size={"height": tile, "width": tile}, image_grid_pinpoints=pinpoints
    ).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def area(tokens, view):
    """How much of the picture the patches of a view cover, in pixels."""
    boxes = tokens.boxes[np.array([name == view for name in tokens.views])]
    return ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).sum()


class TestLlavaNext(DecoderChecks):
    """A wide picture on 2 x 3 tiles, padded above and below."""

    size = (330, 190)

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory):
        """A tiny random checkpoint."""
        return save_next(tmp_path_factory.mktemp("next"))

    def test_lines_end_in_a_newline(self, trace):
        """Behind the 4 x 4 patches of the whole come lines of twelve, each with its newline."""
        tokens = trace.streams["language"].tokens
        start = int(tokens.is_image.argmax())
        behind = tokens.chosen(slice(start + 16, None))
        line = [name == "newline" for name in behind.texts]

        assert set(tokens.views[start : start + 16]) == {"whole picture"}
        assert np.flatnonzero(line).tolist() == [12 + 13 * i for i in range(sum(line))]
        boxes = behind.boxes[:12]
        assert (np.diff(boxes[:, 0]) > 0).all()  # one line runs through three tiles
        assert len(set(boxes[:, 1])) == 1

    def test_the_tower_sees_the_whole_picture_in_both_views(self, trace):
        """Seven pictures, each with its class token and with padding where there is nothing."""
        tower = trace.streams["vision tower"].tokens
        for view in ("whole picture", "tiles"):
            assert area(tower, view) == pytest.approx(self.size[0] * self.size[1])
        assert tower.texts.count("class") == 7
        assert len(tower) == 7 * 17

    def test_lines_that_are_padding_in_part_are_cut_off(self, trace):
        """So the model reads a little less of the picture in tiles: 6 of 8 lines of 27.5 pixels."""
        language = trace.streams["language"].tokens

        assert area(language, "whole picture") == pytest.approx(self.size[0] * self.size[1])
        # 168 x 97 pixels show the picture; 96.7 were rounded up.
        assert area(language, "tiles") == pytest.approx(330 * 6 * 14 * 190 / 97)

    @pytest.mark.parametrize("size", [(330, 190), (190, 330), (97, 61), (40, 300), (64, 64)])
    def test_inputs_are_those_of_the_published_processor(self, folder, size):
        """As many placeholders and the same pixels, whatever the aspect."""
        family = families.load(folder)
        processor = LlavaNextProcessor(
            family.image_processor,
            family.tokenizer,
            patch_size=14,
            vision_feature_select_strategy="default",
            num_additional_image_tokens=1,
        )
        picture = random_picture(size)
        wanted = processor(
            images=picture, text="USER: <image>\nwhat is this ASSISTANT:", return_tensors="pt"
        )

        came = family.inputs(families.Example(picture, "what is this"))

        for name in ("input_ids", "pixel_values", "image_sizes"):
            assert torch.equal(came[name], torch.as_tensor(wanted[name])), name


class TestTall(TestLlavaNext):
    """A tall picture on one column of three tiles, padded at its sides."""

    size = (97, 255)

    def test_lines_end_in_a_newline(self, trace):
        """Lines are those patches that are not all padding."""
        tokens = trace.streams["language"].tokens
        is_tile = np.array([view == "tiles" for view in tokens.views])

        # 255 x 97 fills 168 x 63.9 pixels of 168 x 56: shrunk to 147.2 x 56, so 10 of 12 lines.
        assert tokens.texts.count("newline") == 10
        assert is_tile.sum() == 10 * 4

    def test_the_tower_sees_the_whole_picture_in_both_views(self, trace):
        """The tower has four pictures: the whole and three tiles."""
        tower = trace.streams["vision tower"].tokens
        assert tower.texts.count("class") == 4
        assert area(tower, "tiles") == pytest.approx(self.size[0] * self.size[1])

    def test_lines_that_are_padding_in_part_are_cut_off(self, trace):
        """Ten lines of 14 pixels, of a picture shown in 147."""
        scale = 97 / 56
        language = trace.streams["language"].tokens

        assert area(language, "tiles") == pytest.approx(97 * 10 * 14 * scale, rel=0.02)


class TestOnevision(DecoderChecks):
    """No class token, and all patches are read."""

    size = (330, 190)
    tile = 56

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory):
        """A tiny random checkpoint."""
        return save_onevision(tmp_path_factory.mktemp("onevision"), tile=cls.tile)

    def test_there_is_no_class_token(self, trace):
        """Seven pictures of sixteen patches, each summed up by a probe of its own."""
        assert len(trace.streams["vision tower"].tokens) == 7 * 16
        pooling = trace.stacks["pooling<-vision tower"].weights[0]
        assert pooling.shape == (5, 7, 7 * 16)
        for picture in range(7):
            own = slice(16 * picture, 16 * (picture + 1))
            assert pooling[:, picture, own].sum(axis=-1) == pytest.approx(1, abs=1e-3)


class TestUnevenTiles(TestOnevision):
    """Tiles of 61 pixels hold four patches of 14: five pixels at their edges are not seen."""

    tile = 61

    def test_the_rest_of_a_tile_belongs_to_no_patch(self, trace):
        """Between two tiles the boxes of a line leave a gap of five pixels of the canvas."""
        tokens = trace.streams["language"].tokens
        is_tile = np.array([view == "tiles" for view in tokens.views])
        boxes = tokens.boxes[is_tile][:12]

        scale = 330 / 183
        gaps = boxes[1:, 0] - boxes[:-1, 2]
        np.testing.assert_allclose(gaps, [0, 0, 0, 5 * scale] * 2 + [0] * 3, atol=1e-9)


class TestOnevisionThinned(TestOnevision):
    """More patches than two tiles have are interpolated to fewer."""

    # Neighboring cells are mixed: a coarse token shares patches of the tower with the next one.
    pass_rates = {"language": 0.9, "vision tower": 1.0}  # noqa: RUF012
    off_centre = 10.0  # a quarter of a cell, for the same reason

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory):
        """A tiny random checkpoint with a limit of two tiles."""
        return save_onevision(tmp_path_factory.mktemp("thinned"), limit=2)

    def test_the_grid_is_coarser(self, trace):
        """It shows the same part of the picture in fewer patches."""
        tokens = trace.streams["language"].tokens
        # 6 x 12 patches are left; the square root of 72 / 32 is 1.5.
        assert tokens.views.count("tiles") == 4 * 8
        assert area(tokens, "tiles") == pytest.approx(330 * 6 * 14 * 190 / 97)
