"""Idefics3 and SmolVLM: tiles with words for their places, the whole, blocks of patches."""

import numpy as np
import pytest
import torch
from transformers import (
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessorPil,
    Idefics3Processor,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
    SmolVLMImageProcessorPil,
    SmolVLMProcessor,
)
from transformers.models.smolvlm import processing_smolvlm

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

# As SmolVLM publishes it, but for videos.
TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}"
    "{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
SIGNS = ("<fake_token_around_image>", "<image>")
# SmolVLM has tokens for these, too; the large Idefics3 writes them letter by letter.
PLACES = ("<global-img>", *(f"<row_{i}_col_{j}>" for i in (1, 2, 3) for j in (1, 2, 3)))


def save(folder, config, model, pictures, signs, vision, **options):
    """3 layers of 6 heads behind a tower of 4 layers and 5 heads."""
    tokenizer = tiny.smol(*signs)
    tokenizer.chat_template = TEMPLATE
    language = tiny.language(tokenizer, model_type="llama")
    made = config(
        vision_config=tiny.tower(**vision),
        text_config=language,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        **options,
    )
    tiny.sharpened(model(made)).save_pretrained(folder)
    pictures.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_idefics3(folder, **options):
    """Tiles of 4 x 4 patches, of which 2 x 2 are one token; at most 3 tiles in a line."""
    pictures = Idefics3ImageProcessorPil(
        size={"longest_edge": 168}, max_image_size={"longest_edge": 56}, **options
    )
    model = Idefics3ForConditionalGeneration
    return save(folder, Idefics3Config, model, pictures, SIGNS, {}, scale_factor=2)


def save_smolvlm(folder):
    """Tiles of 45 pixels, of which 6 x 6 patches see 42; of them 3 x 3 are one token."""
    pictures = SmolVLMImageProcessorPil(
        size={"longest_edge": 135}, max_image_size={"longest_edge": 45}
    )
    model, vision = SmolVLMForConditionalGeneration, {"image_size": 45, "patch_size": 7}
    signs = SIGNS + PLACES
    return save(folder, SmolVLMConfig, model, pictures, signs, vision, scale_factor=3)


def of_view(tokens, view):
    """The tokens of one view, in the order of the stream."""
    return tokens.chosen(np.array([name == view for name in tokens.views]))


class TestIdefics3(DecoderChecks):
    """A wide picture on 2 rows of 3 tiles, whose places are written letter by letter."""

    size = (330, 190)

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory):
        """A tiny random checkpoint."""
        return save_idefics3(tmp_path_factory.mktemp("idefics3"))

    @pytest.mark.parametrize("size", [(330, 190), (97, 255), (64, 64), (40, 300), (1700, 16)])
    def test_inputs_are_those_of_the_published_processor(self, folder, size):
        """From the same messages the same tokens and the same pixels."""
        family = families.load(folder)
        processor = Idefics3Processor(
            Idefics3ImageProcessorPil.from_pretrained(folder),
            family.tokenizer,
            image_seq_len=4,
            chat_template=TEMPLATE,
        )

        assert_fed_as_published(family, processor, self.question, random_picture(size))

    def test_files_on_the_hub_are_read(self, folder, tmp_path, example):
        """There the image processor is called by another name."""
        assert_same(folder, as_published(folder, tmp_path, "Idefics3ImageProcessor"), example)

    def test_tiles_come_row_by_row_then_the_whole(self, trace):
        """Each tile's 2 x 2 tokens line by line."""
        tokens = trace.streams["language"].tokens
        tiles = of_view(tokens, "tiles").boxes.reshape(6, 4, 4)
        read = tokens.chosen(tokens.is_image)

        assert read.views == ("tiles",) * 24 + ("whole picture",) * 4
        np.testing.assert_allclose(tiles[0, 1], [55, 0, 110, 47.5])  # of the first the second
        np.testing.assert_allclose(tiles[1, 2], [110, 47.5, 165, 95])
        np.testing.assert_allclose(tiles[5, 3], [275, 142.5, 330, 190])
        np.testing.assert_allclose(of_view(tokens, "whole picture").boxes[2], [0, 95, 165, 190])

    def test_tiles_stand_between_words_for_their_places(self, model, trace, example):
        """Row and column before each, a new line after each row, the whole apart."""
        family = model.family
        around = "<fake_token_around_image>"
        rows = [
            "".join(f"{around}<row_{i}_col_{j}>{'<image>' * 4}" for j in (1, 2, 3)) for i in (1, 2)
        ]
        whole = f"{around}<global-img>{'<image>' * 4}{around}"

        text = family.prompt(example).text
        assert text == (
            f"<|im_start|>User:{rows[0]}\n{rows[1]}\n\n{whole}{self.question}<end_of_utterance>\n"
            "Assistant:"
        )
        tokens = trace.streams["language"].tokens
        last = int(np.flatnonzero(tokens.is_image)[-1])
        assert tokens.texts[last + 1] == around
        is_text = np.array([kind == "text" for kind in tokens.kinds]) & ~tokens.is_generated
        assert np.flatnonzero(is_text)[0] == last + 2

    def test_the_tower_looks_at_each_by_itself(self, trace):
        """Seven pictures of sixteen patches each, none of which sees another's."""
        tower = trace.streams["vision tower"].tokens
        number = np.arange(7 * 16) // 16

        stack = trace.stacks["vision tower"]
        for layer in range(4):
            np.testing.assert_array_equal(stack.allowed(layer), number[:, None] == number)
        np.testing.assert_allclose(of_view(tower, "tiles").boxes[16 + 5], [137.5, 23.75, 165, 47.5])

    def test_the_picture_as_seen_is_the_whole(self, model, example):
        """Squeezed into the square of a tile, after it was stretched to all of them."""
        seen = np.asarray(model.family.seen(example), int)

        stretched = example.image.resize((168, 96), 1).resize((168, 112), 1)
        wanted = np.asarray(stretched.resize((56, 56), resample=1), int)
        np.testing.assert_allclose(seen, wanted, atol=1)

    def test_another_order_would_be_noticed(self, model, example, trace):
        """The probe of places is sharp: with the tokens of each tile transposed it fails."""
        tokens = trace.streams["language"].tokens
        order = np.arange(len(tokens))
        order[tokens.is_image] = order[tokens.is_image].reshape(-1, 2, 2).swapaxes(1, 2).ravel()

        assert probes.pass_rate(model, example, tokens.chosen(order), "language") == 0.5

    def test_untiled_the_same_model_reads_the_whole_only(self, model, example):
        """For the check at load; what is asked of the model itself comes in tiles as before."""
        small = model.family.untiled()

        assert small.model is model.family.model
        assert small.read(example.image).n_pictures == 1
        tokens = small.streams(example, small.inputs(example))["language"]
        assert tokens.is_image.sum() == 4
        assert model.family.read(example.image).n_pictures == 7

    def test_words_look_back_only(self, trace):
        """As in any decoder; the picture's tokens do so as well."""
        stack = trace.stacks["language"]
        place = np.arange(len(stack.queries))

        for layer in range(3):
            np.testing.assert_array_equal(stack.allowed(layer), place <= place[:, None])


class TestSmolVLM(DecoderChecks):
    """A tall picture on 3 rows of 2 tiles, whose right and lower ends no patch sees."""

    size = (97, 255)

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory):
        """A tiny random checkpoint."""
        return save_smolvlm(tmp_path_factory.mktemp("smolvlm"))

    @pytest.mark.parametrize("size", [(330, 190), (97, 255), (64, 64)])
    def test_inputs_are_those_of_the_published_processor(self, folder, size, monkeypatch):
        """Which asks for a package that it needs for videos only."""
        monkeypatch.setattr(processing_smolvlm, "num2words", lambda _: "")
        family = families.load(folder)
        processor = tiny.without_video(SmolVLMProcessor)(
            SmolVLMImageProcessorPil.from_pretrained(folder), family.tokenizer, image_seq_len=4
        )
        picture = random_picture(size)
        content = [{"type": "image"}, {"type": "text", "text": self.question}]
        text = family.tokenizer.apply_chat_template(
            [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
        )
        wanted = processor(text=text, images=picture, return_tensors="pt")

        came = family.inputs(Example(picture, self.question))

        assert set(came) == set(wanted)
        for name, value in wanted.items():
            assert torch.equal(came[name], value), name

    def test_files_on_the_hub_are_read(self, folder, tmp_path, example):
        """There the image processor is called by another name."""
        assert_same(folder, as_published(folder, tmp_path, "SmolVLMImageProcessorFast"), example)

    def test_places_are_tokens(self, trace):
        """Special ones, each before the tokens of its tile."""
        tokens = trace.streams["language"].tokens
        prompt = tokens.chosen(~tokens.is_generated)
        found = [i for i, text in enumerate(prompt.texts) if text in PLACES]

        assert [prompt.texts[i] for i in found] == [
            "<row_1_col_1>",
            "<row_1_col_2>",
            "<row_2_col_1>",
            "<row_2_col_2>",
            "<row_3_col_1>",
            "<row_3_col_2>",
            "<global-img>",
        ]
        for i in found:
            assert prompt.kinds[i : i + 6] == ("special", *["image"] * 4, "special")

    def test_the_end_of_a_tile_is_not_seen(self, trace):
        """42 of 45 pixels: the tokens of a tile end before the next begins."""
        across, down = 97 / 90, 255 / 135  # of the original for each of the stretched picture
        tiles = of_view(trace.streams["language"].tokens, "tiles").boxes.reshape(3, 2, 4, 4)
        tower = of_view(trace.streams["vision tower"].tokens, "tiles").boxes.reshape(3, 2, 36, 4)

        wanted = [66 * across, 111 * down, 87 * across, 132 * down]
        np.testing.assert_allclose(tiles[2, 1, 3], wanted)
        wanted = [80 * across, 125 * down, 87 * across, 132 * down]
        np.testing.assert_allclose(tower[2, 1, 35], wanted)
        whole = of_view(trace.streams["language"].tokens, "whole picture").boxes
        np.testing.assert_allclose(whole[-1][2:], [97 * 42 / 45, 255 * 42 / 45])


class TestOneTile(DecoderChecks):
    """Without splitting, a picture is squeezed into one tile and read once."""

    size = (60, 97)

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory):
        """A tiny random checkpoint."""
        return save_idefics3(tmp_path_factory.mktemp("one"), do_image_splitting=False)

    def test_there_is_the_whole_only(self, trace, model, example):
        """Four tokens of sixteen patches, and no row and column in the prompt."""
        tokens = trace.streams["language"].tokens

        assert tokens.is_image.sum() == 4
        assert set(tokens.views) == {"", "whole picture"}
        assert len(trace.streams["vision tower"].tokens) == 16
        assert "<row_" not in model.family.prompt(example).text
