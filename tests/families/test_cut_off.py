"""Of an answer that stops at the bound it is known whether the model would have gone on."""

import pytest
import torch

from tests.builders import random_picture
from tests.families.generating import KINDS, NEVER
from vl_core import families
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
def test_an_answer_is_cut_off_unless_it_ends_at_the_bound_or_next(name, tmp_path, monkeypatch):
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
        monkeypatch.setattr(generation, "LONGEST", count - fewer)
        generation.make_greedy(family.model)

        prediction, found = said(family)

        assert found == ids[: min(count, count - fewer)]
        assert prediction.is_cut_off is is_cut_off
        assert family.preprocessing()["max_answer_tokens"] == count - fewer
