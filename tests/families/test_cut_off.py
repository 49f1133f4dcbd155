"""How long answers may become, and whether the model would have gone on at the bound."""

import numpy as np
import pytest
import torch

import vl_core
from tests.builders import random_picture
from tests.checkpoints import save_kdvlp
from tests.families.generating import KINDS, NEVER
from vl_core import families, store
from vl_core.answers import Answer
from vl_core.errors import ModelError, TextError
from vl_core.example import Example
from vl_core.families import generation

EXAMPLE = Example(random_picture((330, 190)), "what color is the zebra?")


def said(family):
    """What the model generates to the example: how it is told, and the tokens by number."""
    with torch.inference_mode():
        inputs = family.answered(family.inputs(EXAMPLE))
        prediction = family.prediction(EXAMPLE, inputs, family.model(**inputs))
    ids = inputs.get("decoder_input_ids", inputs["input_ids"])[0]
    return prediction, ids[-len(prediction.top) :].tolist()


@pytest.mark.parametrize("name", KINDS)
def test_an_answer_is_cut_off_unless_it_ends_at_the_bound_or_next(name, tmp_path):
    """Ended by one of its own tokens, with fewer and fewer tokens allowed."""
    kind = KINDS[name]
    family = families.load(kind.save(tmp_path))
    kind.end_by(family, NEVER)
    prediction, ids = said(family)
    assert len(ids) == generation.LONGEST
    assert prediction.is_cut_off

    count = 1 + next(i for i, token in enumerate(ids) if i >= 4 and token not in ids[:i])
    kind.end_by(family, ids[count - 1])
    for fewer, is_cut_off in ((-1, False), (0, False), (1, False), (2, True)):
        shorter = family.with_longest_answer(count - fewer)

        prediction, found = said(shorter)

        assert found == ids[: min(count, count - fewer)]
        assert prediction.is_cut_off is is_cut_off
        assert shorter.preprocessing()["max_answer_tokens"] == count - fewer


@pytest.mark.parametrize("name", KINDS)
def test_a_model_whose_answers_may_be_longer_says_more_and_makes_other_traces(name, tmp_path):
    """Counted by the estimate and by the store; the model that it came from stays as it was."""
    kind = KINDS[name]
    model = vl_core.load(str(kind.save(tmp_path)))
    kind.end_by(model.family, NEVER)
    grows = model.family.growing_stream
    longer = model.with_longest_answer(57)
    assert longer.family.model is model.family.model

    known, other = model.trace(EXAMPLE), longer.trace(EXAMPLE)

    for trace, one, count in ((known, model, generation.LONGEST), (other, longer, 57)):
        assert len(trace.prediction.top) == trace.streams[grows].tokens.is_generated.sum() == count
        assert trace.prediction.is_cut_off
        assert trace.provenance.preprocessing["max_answer_tokens"] == count
        assert trace.n_bytes <= one.estimate(EXAMPLE).total
        assert one.answer(EXAMPLE) == Answer(trace.prediction.text, is_cut_off=True)
    shares = [[share for _, share in trace.prediction.top] for trace in (known, other)]
    np.testing.assert_allclose(shares[0], shares[1][: generation.LONGEST], rtol=1e-3)
    room = [one.estimate(EXAMPLE).streams[grows] for one in (model, longer)]
    width = known.streams[grows].packed_states.shape[2]
    assert room[1] - room[0] == 9 * width * 2 * len(known.streams[grows].packed_states)
    assert store.key(model.provenance, EXAMPLE) != store.key(longer.provenance, EXAMPLE)
    assert longer.with_longest_answer(generation.LONGEST).provenance == model.provenance


@pytest.mark.parametrize("name", KINDS)
def test_an_answer_is_as_long_as_the_model_can_read_at_most(name, tmp_path):
    """Nothing longer can be asked for; with the longest there may be no room for the question."""
    family = families.load(KINDS[name].save(tmp_path))
    KINDS[name].end_by(family, NEVER)
    most = family.most_tokens
    longest = family.with_longest_answer(most)

    for wrong in (0, -3, most + 1):
        with pytest.raises(
            ModelError, match=rf"^Answers of {wrong} tokens .* 1 to {most}\. Choose"
        ):
            family.with_longest_answer(wrong)
    if "stream of its own" in name:
        _, ids = said(longest)
        assert len(ids) == most
    else:
        with pytest.raises(TextError, match="at most"):
            longest.inputs(EXAMPLE)


def test_models_that_write_no_answer_have_no_longest_one(tmp_path):
    """They choose it from a list, or say how well picture and text fit."""
    model = vl_core.load(str(save_kdvlp(tmp_path)))

    with pytest.raises(ModelError, match=r"writes no answer of its own.* Leave the longest answer"):
        model.with_longest_answer(20)
