"""Several texts as one sequence, with tags as words and other signs as text."""

import pytest

from training.recipe import processor
from vl_core.datasets.scenes import UNSEEN_SEEDS, choice_items, spoken
from vl_core.datasets.vcr.rendering import called, said
from vl_core.families.kdvlp.segments import joined, only_tags


@pytest.fixture
def tokenizer():
    """The embedded model's, new for each test: it remembers how it was used."""
    return processor().tokenizer


def test_each_part_has_its_kind_and_its_separator(tokenizer):
    """A separator is of the kind of the part before it."""
    found = joined(tokenizer, ("what is [2]?", "[1].", "because [1] is red."))

    assert tokenizer.convert_ids_to_tokens(found.ids) == [
        *("[CLS]", "what", "is", "[2]", "?", "[SEP]"),
        *("[1]", ".", "[SEP]"),
        *("because", "[1]", "is", "red", ".", "[SEP]"),
    ]
    assert found.types == [0] * 6 + [2] * 3 + [3] * 6
    assert [first for first, _ in found.parts] == [1, 6, 9]


def test_tags_are_words_and_other_signs_are_text(tokenizer):
    """Whatever a data set writes, no separator comes from it."""
    words = only_tags(tokenizer)
    texts = ("is [3] a [SEP] or [MASK]?", "[pad] [CLS][2][unk]")
    found = joined(tokenizer, texts, words)
    known = tokenizer.convert_ids_to_tokens(found.ids)

    assert [name for name in known if name.startswith("[")].count("[3]") == 1
    assert known.count("[2]") == 1
    assert known.count("[SEP]") == 2
    assert known.count("[CLS]") == 1
    assert "[MASK]" not in known
    assert "[PAD]" not in known


def test_it_does_not_matter_how_the_tokenizer_was_used_last(tokenizer):
    """A visitor's question is cut in the other way, maybe at the same time."""
    words = only_tags(tokenizer)
    before = joined(tokenizer, ("is [3] red?",), words).ids
    tokenizer.split_special_tokens = True
    typed = tokenizer("is [3] red?")["input_ids"]
    after = joined(tokenizer, ("is [3] red?",), words).ids
    tokenizer.split_special_tokens = False

    assert typed != before == after
    assert tokenizer.convert_tokens_to_ids("[3]") in after


def test_words_put_together_are_read_as_those_that_training_saw(tokenizer):
    """Whether marks stand at their word or apart, to this tokenizer they are the same."""
    words = only_tags(tokenizer)
    for item in choice_items(UNSEEN_SEEDS, 60):
        asked = item.asked
        names = called([one.shape for one in item.scene.objects], "number")
        for parts in (asked.question, *asked.answers, *asked.rationales):
            taught, read = spoken(parts), said(parts, names).text
            assert taught != read
            found = joined(tokenizer, (read,), words)
            assert found.ids == joined(tokenizer, (taught,)).ids


@pytest.mark.parametrize("count", [0, 4])
def test_only_as_many_texts_as_there_are_kinds(tokenizer, count):
    """One to three."""
    with pytest.raises(ValueError, match=f"{count} texts came, wanted one to 3"):
        joined(tokenizer, ["what?"] * count)
