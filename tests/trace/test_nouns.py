"""What the tokens of a picture are called together."""

from dataclasses import replace

import numpy as np
import pytest

from tests.builders import grid, random_tokens
from vl_core.token_attention import patch_places, token_labels
from vl_core.trace import TokenTable
from vl_core.trace.nouns import IMAGE_TOKEN, PATCH, QUERY_TOKEN, REGION, common_noun, image_noun


def of_image(*texts):
    """A word, these tokens of the image, and a special token."""
    kinds = ["text", *["image"] * len(texts), "special"]
    return TokenTable.of(["region", *texts, "query 1"], kinds)


@pytest.mark.parametrize(
    ("tokens", "noun"),
    [
        (random_tokens(), PATCH),
        (of_image("region 1", "region 12"), REGION),
        (of_image("query 1", "query 2", "query 3"), QUERY_TOKEN),
        (of_image("patch 1", "region 2"), PATCH),
        (of_image("<image>"), PATCH),
        (of_image(), PATCH),
    ],
)
def test_tokens_of_a_picture_have_one_noun(tokens, noun):
    """By what a family calls all of them; words and specials that look alike do not count."""
    assert image_noun(tokens) is noun


def test_padding_has_no_say():
    """A batch fills up regions with what is none."""
    table = of_image("region 1", "nothing")
    padded = replace(table, is_padding=np.array([text == "nothing" for text in table.texts]))

    assert image_noun(padded) is REGION


def test_regions_keep_their_numbers_even_in_a_grid():
    """A detector may find boxes side by side; they are no patches for that."""
    boxes = grid(2, 3, (60, 32))
    table = TokenTable.of([f"region {i + 1}" for i in range(6)], ["image"] * 6, boxes)

    assert token_labels(table) == tuple(f"region {i + 1}" for i in range(6))
    assert patch_places(table) == {}


def test_tables_have_a_noun_in_common():
    """What is no picture has no say; different ones are tokens of the image together."""
    words, regions, queries = of_image(), of_image("region 1"), of_image("query 1")

    assert common_noun(words, regions, regions) is REGION
    assert common_noun(queries, words) is QUERY_TOKEN
    assert common_noun(queries, random_tokens()) is IMAGE_TOKEN
    assert common_noun(words) is common_noun() is PATCH


@pytest.mark.parametrize(
    ("noun", "said"),
    [
        (PATCH, "A patch and its patches, patched."),
        (REGION, "A region and its regions, patched."),
        (QUERY_TOKEN, "A query token and its query tokens, patched."),
    ],
)
def test_a_text_about_patches_can_be_about_others(noun, said):
    """One of them, several, and no word that only begins so."""
    assert noun.named("A patch and its patches, patched.") == said
