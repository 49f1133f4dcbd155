"""How the picture reached a model is told as it was, for every way in which one can."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from transformers import Blip2Config, Blip2ForConditionalGeneration, LxmertForQuestionAnswering

import vl_core
from tests.builders import PICTURE_SIZE, random_picture, random_stream, random_trace
from tests.decoders import decoder_trace, patches
from tests.families import (
    test_blip2,
    test_clip,
    test_idefics3,
    test_llava_next,
    test_lxmert,
    test_qwen_vl,
    tiny,
)
from tests.families.region_checks import detections
from vl_core import as_seen
from vl_core.trace import TokenTable

SIZE = (120, 90)
BLIP2 = Blip2Config, Blip2ForConditionalGeneration, test_blip2.OPT


def lxmert(folder):
    """One that answers out of two."""
    names = {0: "red", 1: "blue"}
    return test_lxmert.save(LxmertForQuestionAnswering, folder, id2label=names)


@pytest.fixture
def sentence(tmp_path):
    """What is said of the picture when a checkpoint is saved so and asked about it."""

    def said(save):
        model = vl_core.load(str(save(tmp_path)))
        found = detections(23, SIZE, count=12) if save is lxmert else None
        trace = model.trace(vl_core.Example(random_picture(SIZE), "what?", detections=found))
        return as_seen.sentence(trace), trace

    return said


def test_a_model_of_regions_reads_no_pixels(sentence):
    """So no size is told at which they came in."""
    said, _ = sentence(lxmert)

    assert said == (
        "12 regions, as a detector found them in the picture of 120 × 90 pixels. The model reads "
        "no pixels."
    )


@pytest.mark.parametrize("save", [test_llava_next.save_next, test_idefics3.save_idefics3])
def test_tiles_are_counted_as_the_tower_saw_them(sentence, save):
    """Beside the whole; in the trace of a file as well as in that of a run."""
    said, trace = sentence(save)
    texts = trace.streams["vision tower"].tokens.texts
    n_tiles = sum(text != "class" for text in texts) // 16 - 1  # 4 x 4 patches of each

    assert said.endswith(
        f"The picture of 120 × 90 pixels reaches the model whole as 56 × 56 and in {n_tiles} tiles "
        "of the same size."
    )
    assert n_tiles > 1


def test_what_is_cut_off_is_told(sentence):
    """CLIP sees the middle of the picture, as wide as it is high up to a pixel of its own."""
    said, trace = sentence(test_clip.save_clip)
    boxes = trace.streams["vision tower"].tokens.boxes[1:]
    width = round(boxes[:, 2].max() - boxes[:, 0].min())

    assert said == (
        f"16 patches. Of the picture of 120 × 90 pixels its middle, {width} × 90, reaches the "
        "model as 56 × 56."
    )
    assert abs(width - 90) <= 90 / 56


def test_query_tokens_are_told_of(sentence):
    """BLIP-2's language model reads nothing else of the picture."""
    said, _ = sentence(lambda folder: test_blip2.save(folder, *BLIP2, tiny.opt("<image>")))

    assert said == (
        "16 patches, read through 7 query tokens. The picture of 120 × 90 pixels reaches the model "
        "as 56 × 56."
    )


def test_a_whole_picture_is_told_with_the_size_that_the_model_saw(sentence):
    """Qwen's is never cut, and as large as its sides of whole patches are."""
    said, trace = sentence(test_qwen_vl.save_qwen2_5)
    width, height = trace.example.image.size

    assert said.endswith(
        f"patches. The picture of 120 × 90 pixels reaches the model as {width} × {height}."
    )


def seeing(tokens: TokenTable, seen: tuple[int, int]):
    """A trace with these patches of a model that saw so many pixels."""
    trace = random_trace()
    example = replace(trace.example, image=Image.new("RGB", seen))
    return replace(
        trace, example=example, streams={"encoder": random_stream("encoder", tokens)}, stacks={}
    )


@pytest.mark.parametrize(
    ("left", "right", "said"),
    [
        (0.0, 1.0, "The picture of 60 × 32 pixels reaches the model as 30 × 32."),
        (0.01, 1.0, "The picture of 60 × 32 pixels reaches the model as 30 × 32."),
        (0.2, 0.8, "Of the picture of 60 × 32 pixels its middle, 36 × 32, reaches"),
        (0.2, 0.81, "Of the picture of 60 × 32 pixels its middle, 37 × 32, reaches"),
        (0.0, 0.9, "Of the picture of 60 × 32 pixels a part, 54 × 32, reaches"),
    ],
)
def test_what_is_less_than_a_pixel_of_the_models_is_rounding(left, right, said):
    """An uneven rest is cut off on one side; a rest that makes no patch is cut off at the end."""
    tokens = patches((2, 3), PICTURE_SIZE, "", left, right)

    assert said in as_seen.sentence(seeing(tokens, (30, 32)))


def test_one_patch_is_one_and_patches_without_a_place_are_counted():
    """In the singular; and a trace without stacks has tiles that nobody counted."""
    [one] = [patches((1, 1), PICTURE_SIZE)]
    without = TokenTable.of(["patch"], ["image"])
    said = as_seen.sentence(seeing(TokenTable.joined([one, without]), (30, 32)))
    assert said.startswith("1 patch and 1 token without a place in the picture. The picture")

    found = as_seen.sentence(decoder_trace())
    assert "26 patches (whole picture: 6, tiles: 20)." in found
    assert "reaches the model whole as" in found
    assert found.endswith("and in tiles.")


def test_without_a_picture_nothing_is_said():
    """Text alone has no patches."""
    trace = random_trace()
    words = trace.streams["encoder"].tokens
    text = replace(trace.example, image=None, picture=None, original_size=None, regions=())
    stream = random_stream("encoder", words.chosen(~words.is_image))

    bare = replace(trace, example=text, streams={"encoder": stream}, stacks={})
    assert as_seen.sentence(bare) == ""
    assert not np.any(as_seen.words_and_patches(bare)[1].is_image)


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        (TokenTable.of(["a", "star"], ["text", "text"]), ""),
        (
            TokenTable.of(["a", "query 1", "query 2"], ["text", "image", "image"]),
            "2 query tokens without a place in the picture.",
        ),
        (TokenTable.of(["region 1"], ["image"]), "1 region without a place in the picture."),
    ],
)
def test_without_a_patch_in_the_picture_nobody_knows_how_much_was_seen(tokens, said):
    """Tensors that somebody brings may be of words alone, or of tokens that lie nowhere."""
    assert as_seen.sentence(seeing(tokens, (48, 32))) == said


def test_query_tokens_in_the_picture_are_named_once():
    """They are not read through themselves."""
    boxes = patches((1, 2), PICTURE_SIZE).boxes
    tokens = TokenTable.of(["query 1", "query 2"], ["image", "image"], boxes)

    said = as_seen.sentence(seeing(tokens, (30, 32)))
    assert said.startswith("2 query tokens. The picture of 60 × 32 pixels reaches")
