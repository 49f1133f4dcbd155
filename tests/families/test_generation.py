"""Generating: the likeliest token after each, told as one text and token by token."""

import numpy as np
import pytest
import torch
from transformers import BartConfig, BartForConditionalGeneration, GenerationConfig

from tests.families import tiny
from tests.families.decoder_checks import DEMANDS
from vl_core.errors import ModelError
from vl_core.families import generation


class Brief(generation.Generating):
    """A model that can read 19 tokens of its own."""

    @property
    def most_tokens(self):
        """All of them."""
        return 19


@pytest.fixture
def demanding():
    """A model, with another in it, whose configurations ask for more than the likeliest token."""
    sizes = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "vocab_size": 23}
    sizes |= {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    config = BartConfig(**sizes, max_position_embeddings=90)
    model = tiny.sharpened(BartForConditionalGeneration(config))
    model.inner = tiny.sharpened(BartForConditionalGeneration(config), seed=1)
    for part, end in ((model, 5), (model.inner, [6, 7])):
        part.generation_config = GenerationConfig(
            **DEMANDS | {"num_return_sequences": 1},
            forced_bos_token_id=3,
            bad_words_ids=[[4]],
            bos_token_id=1,
            eos_token_id=end,
            pad_token_id=2,
            decoder_start_token_id=8,
        )
    return model


def test_of_a_checkpoints_settings_beginnings_and_ends_are_left(demanding):
    """In all parts of a model that generate, each with its own."""
    generation.make_greedy(demanding)

    for part, end in ((demanding, 5), (demanding.inner, [6, 7])):
        plain = GenerationConfig(
            bos_token_id=1,
            eos_token_id=end,
            pad_token_id=2,
            decoder_start_token_id=8,
            do_sample=False,
            num_beams=1,
        )
        assert part.generation_config == plain


@pytest.mark.parametrize(("part", "ends"), [("model", [5]), ("part of a model", [6, 7])])
def test_what_is_said_is_the_likeliest_token_after_each(demanding, part, ends):
    """As a whole pass over all before it finds it, one after another, to the end or no further."""
    generation.make_greedy(demanding)
    model = (demanding if part == "model" else demanding.inner).eval()
    asked = torch.tensor([[9, 10, 11]])
    wanted = [8]
    longest = generation.LONGEST
    with torch.inference_mode():
        while len(wanted) <= longest and wanted[-1] not in ends:
            logits = model(input_ids=asked, decoder_input_ids=torch.tensor([wanted])).logits
            wanted.append(int(logits[0, -1].argmax()))
        found = model.generate(asked, max_new_tokens=longest)

    assert found.tolist() == [wanted]


def test_a_placeholder_is_never_said(demanding):
    """The number of the image's token is the whole model's."""
    demanding.config.image_token_id = 17
    generation.make_greedy(demanding)

    assert demanding.generation_config.suppress_tokens == [17]
    assert demanding.inner.generation_config.suppress_tokens == [17]


def test_an_answer_is_one_text_and_its_tokens():
    """What each adds, with the probability that the position before it gave it."""
    tokenizer = tiny.qwen()
    ids = [*tokenizer("a red 🙂")["input_ids"], tokenizer.eos_token_id]
    logits = torch.randn(len(ids) + 3, len(tokenizer), generator=torch.Generator().manual_seed(0))

    said = generation.spoken(tokenizer, ids, logits, [tokenizer.eos_token_id])

    shares = logits.double().softmax(dim=-1).numpy()
    wanted = [shares[i + 2, number] for i, number in enumerate(ids)]
    assert said.kind == "text"
    assert said.text == "a red 🙂"
    assert [word for word, _ in said.top] == ["a", " red", " ", "", "", "", "🙂", "<|im_end|>"]
    np.testing.assert_allclose([share for _, share in said.top], wanted, rtol=1e-5)


def test_an_answer_may_go_on_from_a_text():
    """Its first token may be the rest of a word."""
    tokenizer = tiny.bert()
    before = tokenizer.convert_tokens_to_ids(["a", "z"])
    ids = tokenizer.convert_tokens_to_ids(["##e", "is", "[SEP]"])

    said = generation.spoken(tokenizer, ids, torch.zeros(5, len(tokenizer)), [], before)

    assert said.text == "e is"
    assert [word for word, _ in said.top] == ["e", " is", "[SEP]"]


@pytest.mark.parametrize(
    ("last", "next_one", "is_cut_off"),
    [(7, 7, True), (5, 7, False), (7, 6, False)],
)
def test_an_answer_is_cut_off_where_the_model_would_have_gone_on(last, next_one, is_cut_off):
    """Without an end, which would not have come next either."""
    tokenizer, count = tiny.qwen(), 9
    logits = torch.zeros(count + 1, len(tokenizer))
    logits[-1, next_one] = 1

    said = generation.spoken(tokenizer, [7] * (count - 1) + [last], logits, [5, 6])

    assert said.is_cut_off is is_cut_off


@pytest.mark.parametrize(("end", "wanted"), [(None, ()), (5, (5,)), ([6, 7], (6, 7))])
def test_a_model_may_have_any_number_of_ends(demanding, end, wanted):
    """None, one or several, as its settings have them."""
    demanding.generation_config.eos_token_id = end
    generation.make_greedy(demanding)

    assert generation.ends(demanding) == wanted


@pytest.mark.parametrize("count", [1, 19, np.int64(7)])
def test_an_answer_may_have_as_many_tokens_as_a_whole_number_says(count):
    """Any kind of whole number, kept as a plain one, which files can hold."""
    found = Brief().with_longest_answer(count).longest_answer

    assert found == count
    assert type(found) is int


@pytest.mark.parametrize("wrong", [0, 20, 5.5, 5.0, True, "9", None, float("nan")])
def test_what_is_no_whole_number_of_tokens_is_refused(wrong):
    """As it came, with what would do."""
    with pytest.raises(ModelError) as refused:
        Brief().with_longest_answer(wrong)

    assert str(refused.value) == (
        f"Answers of {wrong!r} tokens at most were asked for; this model can give them 1 to 19. "
        "Choose a whole number between."
    )
