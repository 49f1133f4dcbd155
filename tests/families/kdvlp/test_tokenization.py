"""The word-level tokenizer."""

from tests.families.kdvlp.small import WORDS
from vl_core.families.kdvlp import word_level_tokenizer


def pieces(text, pair=None):
    """The tokens of a text."""
    tokenizer = word_level_tokenizer(WORDS, 32)
    return tokenizer.convert_ids_to_tokens(tokenizer(text, pair)["input_ids"])


def test_text_is_lower_cased_and_split_at_punctuation():
    """Case and missing spaces make no difference."""
    assert pieces("What COLOR is the star?") == pieces("what color is the star ?")
    assert pieces("the star?") == ["[CLS]", "the", "star", "?", "[SEP]"]


def test_unknown_words_emoji_and_markup_become_unk():
    """What is not in the list is one [UNK] for each word or mark, and nothing breaks."""
    assert pieces("the zebra") == ["[CLS]", "the", "[UNK]", "[SEP]"]
    assert pieces("\U0001f600") == ["[CLS]", "[UNK]", "[SEP]"]
    assert pieces("<b>star</b>").count("star") == 1


def test_object_tags_are_single_tokens():
    """A tag keeps its brackets."""
    assert pieces("is [3] left of [6]?")[1:-1] == ["is", "[3]", "left", "of", "[6]", "?"]


def test_control_characters_and_empty_text_are_harmless():
    """Control characters vanish; an empty text has nothing between its marks."""
    assert pieces("the\x00 star\u200e") == ["[CLS]", "the", "star", "[SEP]"]
    assert pieces("") == ["[CLS]", "[SEP]"]


def test_a_pair_has_the_token_types_of_question_and_candidate():
    """The separator between them belongs to the question, as in KD-VLP's adapter."""
    tokenizer = word_level_tokenizer(WORDS, 32)
    encoded = tokenizer("is the star red", "no")

    assert pieces("is the star red", "no").count("[SEP]") == 2
    assert encoded["token_type_ids"] == [0] * 6 + [2] * 2
