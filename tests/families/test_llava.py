"""LLaVA 1.5: one square picture, patch by patch, in the prompt."""

import numpy as np
import pytest
import torch
from tokenizers import AddedToken
from transformers import CLIPImageProcessorPil, LlavaConfig, LlavaForConditionalGeneration

from tests.families import tiny
from tests.families.decoder_checks import DecoderChecks
from vl_core import families
from vl_core.errors import TextError


def save(folder, side=56, **options):
    """3 layers of 6 heads behind a tower of 4 layers and 5 heads; pictures are side x side."""
    tokenizer = tiny.llama(image_token="<image>")
    config = LlavaConfig(
        vision_config=tiny.tower(model_type="clip_vision_model", image_size=side),
        text_config=tiny.language(tokenizer, model_type="llama"),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        **options,
    )
    tiny.sharpened(LlavaForConditionalGeneration(config)).save_pretrained(folder)
    size = {"height": side, "width": side}
    CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size=size).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


class TestLlava(DecoderChecks):
    """LLaVA as published: the class token stays in the tower."""

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory):
        """A tiny random checkpoint."""
        return save(tmp_path_factory.mktemp("llava"))

    def test_placeholders_are_refused_whatever_the_tokenizer_calls_them(self, folder, tmp_path):
        """In some published files the picture's token is said to be text."""
        for file in folder.iterdir():
            if not file.name.startswith("tokenizer"):
                (tmp_path / file.name).symlink_to(file)
        made = tiny.llama()
        made.add_tokens([AddedToken("<image>", normalized=False)])
        made.save_pretrained(tmp_path)
        family = families.load(tmp_path)

        with pytest.raises(TextError, match="contains <image>"):
            family.inputs(self.asked("what is <image>?"))
        came = family.inputs(self.asked(self.question))["input_ids"]
        assert torch.equal(
            came, families.load(folder).inputs(self.asked(self.question))["input_ids"]
        )


class TestKeepingTheClassToken(DecoderChecks):
    """The class token may be among the placeholders, as a special token."""

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory):
        """A checkpoint that reads all of the tower."""
        return save(tmp_path_factory.mktemp("llava"), vision_feature_select_strategy="full")

    def test_it_comes_before_the_patches(self, trace):
        """It is no patch, and has no place."""
        tokens = trace.streams["language"].tokens
        first = int(tokens.is_image.argmax())

        assert tokens.texts[first - 1] == "class"
        assert tokens.kinds[first - 1] == "special"
        assert tokens.is_image.sum() == 16


class TestSidesThatAreNoMultipleOfAPatch(DecoderChecks):
    """Of 61 pixels 4 x 4 patches see 56; those on the right and below are not seen."""

    size = (97, 61)

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory):
        """A checkpoint for pictures of 61 x 61 pixels."""
        return save(tmp_path_factory.mktemp("llava"), side=61)

    def test_patches_end_before_the_picture_does(self, trace):
        """They are as large as in the tower, and the middle of the picture begins at 18."""
        tokens = trace.streams["language"].tokens
        boxes = tokens.boxes[tokens.is_image]

        np.testing.assert_allclose(boxes[0], [18, 0, 32, 14])
        np.testing.assert_allclose(boxes[-1], [60, 42, 74, 56])
