"""Tokens known by their strings: kinds, places in the text, and the text put together."""

import numpy as np
import pytest

from vl_core.datasets.token_texts import bare, joined, token_table
from vl_core.example import clean_text

WORDPIECE = ["[CLS]", "a", "dog", "is", "sit", "##ting", "[UNK]", "?", "[SEP]", "[PAD]"]
SENTENCEPIECE = [
    "<s>",
    "\u2581a",
    "\u2581dog",
    "\u2581is",
    "\u2581sit",
    "ting",
    "\u2581",
    "?",
    "</s>",
]
BYTE_LEVEL = ["<|im_start|>", "a", "\u0120dog", "\u0120is", "\u0120sit", "ting", "?", "\u010a"]


def table(strings, n_patches=2, **given):
    """The strings as a table, with patches after them."""
    every = [*strings, *(f"IMG_{i}" for i in range(n_patches))]
    is_image = np.arange(len(every)) >= len(strings)
    return token_table(every, is_image, **given)


@pytest.mark.parametrize(
    ("strings", "text"),
    [
        (WORDPIECE, "a dog is sitting [UNK] ?"),
        (SENTENCEPIECE, "a dog is sitting ?"),
        (BYTE_LEVEL, "a dog is sitting?"),
    ],
)
def test_the_text_is_put_together_as_tokenizers_cut_it(strings, text):
    """And each word has its characters, whatever it is called."""
    found, said = table(strings)

    assert said == text
    for name, (start, end), kind in zip(found.texts, found.spans, found.kinds, strict=True):
        if kind == "text" and start >= 0:
            assert said[start:end] == name
        assert kind == "text" or (start, end) == (-1, -1)
    assert "sit" in found.texts
    assert "ting" in found.texts


def test_kinds_are_told_by_usual_names():
    """Padding and unknown words are marked; patches keep their names."""
    found, _ = table(WORDPIECE)
    kinds = dict(zip(found.texts, found.kinds, strict=True))

    assert [name for name, kind in kinds.items() if kind == "special"] == [
        "[CLS]",
        "[SEP]",
        "[PAD]",
    ]
    assert [name for name, kind in kinds.items() if kind == "image"] == ["IMG_0", "IMG_1"]
    assert [found.texts[i] for i in np.flatnonzero(found.is_padding)] == ["[PAD]"]
    assert [found.texts[i] for i in np.flatnonzero(found.is_unknown)] == ["[UNK]"]


@pytest.mark.parametrize("name", ["<s>", "</s>", "<|endoftext|>", "<start_of_turn>", "[MASK]"])
def test_more_names_of_special_tokens(name):
    """As tokenizers in use have them."""
    assert table([name, "word"])[0].kinds[0] == "special"


@pytest.mark.parametrize("name", ["<", ">", "[", "[1]", "a<b", "<unk>"])
def test_what_only_looks_like_one_is_a_word(name):
    """Or may be one."""
    assert table([name, "word"])[0].kinds[0] == "text"


def test_words_are_found_in_the_text_that_was_given():
    """In their order, in upper or lower case; one that is not there has no place."""
    text = "A dog, is THE dog a Dog?"
    strings = ["[CLS]", "a", "dog", "cat", "the", "dog", "dog", "?"]
    found, said = table(strings, text=text)

    assert said == text
    places = [text[start:end] if start >= 0 else None for start, end in found.spans[:8]]
    assert places == [None, "A", "dog", None, "THE", "dog", "Dog", "?"]
    starts = found.spans[[1, 2, 4, 5, 6, 7], 0]
    assert (np.diff(starts) > 0).all()


def test_a_text_whose_lower_case_is_longer_keeps_its_places():
    """As that of a Turkish capital I with a dot."""
    found, said = table(["\u0130zmir", "dog"], text="\u0130zmir dog")
    assert [said[start:end] for start, end in found.spans[:2]] == ["\u0130zmir", "dog"]


def test_special_tokens_can_be_said():
    """Where their names do not tell; usual names then count no more than others."""
    is_special = np.array([False, True, True, False, False])
    found, said = table(["[CLS]", "USER", ":"], is_special=is_special)
    assert found.kinds == ("text", "special", "special", "image", "image")
    assert said == "[CLS]"


def test_patches_are_never_words():
    """Even if they are called like one."""
    found, said = token_table(["dog", "dog", "[PAD]"], np.array([False, True, True]))
    assert said == "dog"
    assert found.kinds == ("text", "image", "image")
    assert not found.is_padding.any()


def test_a_blank_or_a_line_break_stands_for_no_characters():
    """It keeps its own name, and has no place."""
    found, said = table(["\u0120a", "\u010a", "\u0120b"])
    assert said == "a b"
    assert found.texts[1] == "\u010a"
    assert found.spans[1].tolist() == [-1, -1]


@pytest.mark.parametrize("words", [["a\x00b", "c"], ["e\u0301", "c"], ["e", "##\u0301", "c"]])
def test_the_text_is_clean_as_an_example_keeps_it(words):
    """So that places in it are those of the text on show, whatever was in a token."""
    found, said = table(words)
    assert said == clean_text(said)
    for name, (start, end) in zip(found.texts, found.spans, strict=True):
        assert start == -1 or said[start:end] == name
    assert found.spans[len(words) - 1].tolist() == [len(said) - 1, len(said)]


@pytest.mark.parametrize(
    ("string", "characters"),
    [("##ing", "ing"), ("##", "##"), ("\u0120a", "a"), ("\u2581", ""), ("C#", "C#"), ("#1", "#1")],
)
def test_only_marks_are_taken_off(string, characters):
    """And not what a text may hold itself."""
    assert bare(string) == characters


def test_nothing_joins_to_nothing():
    """Of a model that saw no words."""
    assert joined([]) == ""
    assert table([])[1] == ""
