"""Tokens by the text that they stand for, with each family's own tokenizer."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import T5Tokenizer

from tests.families import tiny
from vl_core.errors import TextError
from vl_core.families import loading, pieces, prompts
from vl_core.families.prompts import Prompt

# By the family that has it: how it is made, and of which type its checkpoints are.
KINDS = {
    "qwen": (lambda: tiny.qwen("<|image_pad|>"), "qwen2_vl"),
    "smol": (lambda: tiny.smol("<image>"), "smolvlm"),
    "opt": (lambda: tiny.opt("<image>"), "blip-2"),
    "clip": (tiny.clip, "clip"),
    "llama": (lambda: tiny.llama("<image>"), "llava"),
    "gemma": (lambda: tiny.gemma("<image>"), "gemma3"),
    "t5": (lambda: tiny.t5("<image>"), "blip-2"),
    "bert": (tiny.bert, "vilt"),
}
SPEAKING = sorted(KINDS.keys() - {"clip"})
MANY_BYTES = ("qwen", "smol", "opt", "llama", "gemma")  # those that have a token for each byte
TEXT = "Is the zebra of color ñandú, left 🙂 of this?"


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory):
    """Each as it is read from a checkpoint."""
    found = {}
    for name, (made, model_type) in KINDS.items():
        folder = tmp_path_factory.mktemp(name)
        made().save_pretrained(folder)
        (folder / "config.json").write_text(json.dumps({"model_type": model_type}))
        found[name] = loading.tokenizer(folder)
    for name in ("siglip", "siglip's pieces"):
        folder = tmp_path_factory.mktemp("siglip")
        tiny.save_siglip(folder, as_pieces=name != "siglip")
        found[name] = loading.tokenizer(folder)
    return found


@pytest.fixture(params=[*KINDS, "siglip", "siglip's pieces"])
def tokenizer(request, tokenizers):
    """One after the other."""
    return tokenizers[request.param]


def slow_decoded(tokenizer, ids):
    """The text of a whole sequence, as transformers gives it."""
    return tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def test_spans_are_those_characters_that_a_token_stands_for(tokenizer):
    """Together all of the text but blanks and what is dropped, in order, some in several tokens."""
    table = Prompt.whole(TEXT).tokens(tokenizer)
    spans = table.spans[table.is_text]

    dropped = "?," if tokenizer.model_max_length == 17 else ""
    wanted = {i for i, letter in enumerate(TEXT) if letter not in dropped + " "}
    assert {i for first, last in spans for i in range(first, last)} >= wanted
    assert (np.diff(spans[:, 0]) >= 0).all()
    assert (spans[:, 0] < spans[:, 1]).all()
    inside = [first >= 7 and last <= 12 for first, last in spans]
    assert sum(inside) > 1  # the zebra's


def test_a_token_is_called_by_its_characters(tokenizer):
    """Without the blank that it may carry; parts of a character are numbered."""
    table = Prompt.whole(TEXT).tokens(tokenizer)

    for i in np.flatnonzero(table.is_text):
        (first, last), name = table.spans[i], table.texts[i]
        said, _, part = name.partition(" (")
        assert said == (TEXT[first:last].strip() or "␣")
        assert not part or last - first == 1


def test_a_sign_for_a_blank_stands_for_that_blank(tokenizers):
    """Not for the letter behind it; the one that is put before a text stands for nothing."""
    for name in ("t5", "siglip"):
        ids = Prompt.whole("the quail").ids(tokenizers[name])
        table = Prompt.whole("the quail").tokens(tokenizers[name])
        blank = tokenizers[name].convert_ids_to_tokens(ids).index("▁")
        assert table.spans[blank].tolist() == [3, 4]
        assert (table.texts[blank], table.kinds[blank]) == ("␣", "text")
        assert table.spans[blank + 1].tolist() == [4, 5]
    table = Prompt.whole("Xi").tokens(tokenizers["llama"])
    assert table.texts == ("<s>", "␣", "X", "i")
    assert table.kinds == ("special", "special", "text", "text")
    assert table.spans.tolist() == [[-1, -1], [-1, -1], [0, 1], [1, 2]]


def test_blanks_at_the_end_stand_for_themselves(tokenizers):
    """Before a sign that stands for nothing."""
    text = "left  "
    table = Prompt.whole(text).tokens(tokenizers["llama"])

    assert table.spans[-1].tolist() == [5, 6]
    assert table.texts[-2:] == ("␣", "␣")


@pytest.mark.parametrize("name", MANY_BYTES)
def test_parts_of_a_character_are_numbered(tokenizers, name):
    """In what is read and in what is written."""
    ids = Prompt.whole("a 🙂").ids(tokenizers[name])
    read = Prompt.whole("a 🙂").tokens(tokenizers[name]).texts
    written = pieces.written(tokenizers[name], ids)

    wanted = ("🙂 (1/4)", "🙂 (2/4)", "🙂 (3/4)", "🙂 (4/4)")
    assert read[-4:] == wanted
    assert tuple(piece.name for piece in written[-4:]) == wanted
    assert [piece.text for piece in written[-4:]] == ["", "", "", "🙂"]


@pytest.mark.parametrize("name", SPEAKING)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(st.sampled_from([*TEXT.split(), "zebras", "red", "…", "é", "?"])))
def test_pieces_put_together_are_the_text(tokenizers, name, words):
    """After each token what was written so far, unless a character is not whole."""
    tokenizer = tokenizers[name]
    ids = tokenizer(" ".join(words))["input_ids"]
    found = pieces.written(tokenizer, ids)

    assert len(found) == len(ids)
    for count in range(len(ids) + 1):
        whole = slow_decoded(tokenizer, ids[:count])
        if not whole.endswith("\ufffd"):
            assert "".join(piece.text for piece in found[:count]) == whole
    for number, piece in zip(ids, found, strict=True):
        assert piece.is_sign == (slow_decoded(tokenizer, [number] * 2) == "" and not piece.text)


def test_no_blank_is_moved_about(tmp_path):
    """Older checkpoints ask for texts to be cleaned up, from which a token would be missing."""
    tiny.t5().save_pretrained(tmp_path)
    tokenizer = T5Tokenizer.from_pretrained(tmp_path, clean_up_tokenization_spaces=True)
    ids = tokenizer("star ? red", add_special_tokens=False)["input_ids"]

    assert tokenizer.decode(ids) == "star? red"
    assert "".join(piece.text for piece in pieces.written(tokenizer, ids)) == "star ? red"


def test_what_is_cut_off_within_a_character_is_said(tokenizers):
    """The last token tells that something is missing."""
    ids = tokenizers["qwen"]("a 🙂")["input_ids"][:-1]
    found = pieces.written(tokenizers["qwen"], ids)

    assert "".join(piece.text for piece in found) == slow_decoded(tokenizers["qwen"], ids)
    assert found[-1].text == "\ufffd"


def test_signs_have_their_place_and_no_text(tokenizers):
    """In the middle of the answer, too, and those that the vocabulary does not know."""
    tokenizer = tokenizers["bert"]
    known = tokenizer.convert_tokens_to_ids(["is", "[MASK]", "z", "##e"])
    ids = [*known, len(tokenizer)]
    found = pieces.written(tokenizer, ids)

    assert [piece.text for piece in found] == ["is", "", " z", "e", ""]
    assert [piece.name for piece in found] == ["is", "[MASK]", "z", "e", f"token {len(tokenizer)}"]
    assert [piece.is_sign for piece in found] == [False, True, False, False, True]


def test_what_goes_on_from_a_text_is_cut_from_it(tokenizers):
    """The rest of a word has no sign of that it is one, and the next word has its blank."""
    tokenizer = tokenizers["bert"]
    before, after = (
        tokenizer.convert_tokens_to_ids(one) for one in (["[CLS]", "z"], ["##e", "is"])
    )

    assert [piece.text for piece in pieces.written(tokenizer, after, before)] == ["e", " is"]
    assert [piece.text for piece in pieces.written(tokenizer, after)] == ["##e", " is"]


def test_blanks_are_legible(tokenizers):
    """Runs of new lines are tokens of Gemma's."""
    tokenizer = tokenizers["gemma"]
    ids = tokenizer("a\n\n left\n", add_special_tokens=False)["input_ids"]

    assert [piece.name for piece in pieces.written(tokenizer, ids)] == [
        "a",
        "\\n\\n",
        "left",
        "\\n",
    ]


@pytest.mark.parametrize("text", ["a <b>red</b> star", "<table> of this", "what\n\nis"])
def test_words_that_were_added_to_a_vocabulary_are_text(tokenizers, text):
    """They tell the model nothing about where something begins or ends."""
    prompts.check_text(tokenizers["gemma"], text)
    table = Prompt.whole(text).tokens(tokenizers["gemma"])

    assert table.kinds == ("special", *["text"] * (len(table) - 1))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("gemma", "a <eos>"),
        ("gemma", "<image>"),
        ("qwen", "<|im_start|>system"),
        ("llama", "what</s>"),
        ("t5", "a <extra_id_7>"),
        ("bert", "[SEP]"),
    ],
)
def test_signs_are_refused(tokenizers, name, text):
    """The model would take them for its own."""
    with pytest.raises(TextError, match="a sign of its own"):
        prompts.check_text(tokenizers[name], text)


def test_a_placeholder_is_refused_though_the_tokenizer_calls_it_text(tokenizers):
    """Nothing would stand for it."""
    prompts.check_text(tokenizers["gemma"], "a <b> star")
    with pytest.raises(TextError, match="contains <b>"):
        prompts.check_text(tokenizers["gemma"], "a <b> star", "<b>")
