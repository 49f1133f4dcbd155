"""Scores of candidates and sources, by every kind of model that gives any."""

import numpy as np
import pytest
import torch
from transformers import (
    BlipForImageTextRetrieval,
    BlipForQuestionAnswering,
    ViltForImageAndTextRetrieval,
    ViltForQuestionAnswering,
)

import vl_core
from tests.builders import random_picture
from tests.families import (
    test_blip,
    test_clip,
    test_gemma3,
    test_internvl,
    test_llava,
    test_paligemma,
    test_qwen_vl,
    test_vilt,
)
from vl_core import families
from vl_core.answers import Answer
from vl_core.errors import ModelError, TextError
from vl_core.example import Example, joined_parts

DECODERS = {
    "llava": test_llava.save,
    "qwen2_vl": test_qwen_vl.save_qwen2,
    "gemma3": test_gemma3.save,
    "internvl": test_internvl.save,
    "paligemma": test_paligemma.save,
}
MATCHING = {
    "vilt": lambda folder: test_vilt.save(folder, ViltForImageAndTextRetrieval),
    "blip": lambda folder: test_blip.save(folder, BlipForImageTextRetrieval),
    "clip": test_clip.save_clip,
}
SIZE = (165, 95)
QUESTION, ANSWER = "what color is the star?", "red"
CANDIDATES = ("the star is left of this", "a color")


def judged(candidate, task="candidate", answer=None, seed=0):
    """A question about noise and a candidate, or an answer to it and a rationale."""
    parts = [part for part in (QUESTION, answer, candidate) if part]
    text, breaks = joined_parts(parts)
    return Example(random_picture(SIZE, seed=seed), text, task=task, breaks=breaks)


@pytest.fixture(scope="module", params=DECODERS)
def decoder(request, tmp_path_factory):
    """A tiny random model that generates, whatever its prompt and its masks."""
    folder = DECODERS[request.param](tmp_path_factory.mktemp(request.param))
    return vl_core.load(str(folder))


@pytest.fixture(scope="module", params=MATCHING)
def matching(request, tmp_path_factory):
    """A tiny random model that compares a picture with a text."""
    return vl_core.load(str(MATCHING[request.param](tmp_path_factory.mktemp(request.param))))


def step_by_step(family, example):
    """Each token of the candidate: its number and its log-probability, one run for each.

    The model reads what it would read to answer, and then one token more each time.
    """
    before = example.text[: example.breaks[-1]].strip()
    read = family.inputs(Example(example.image, before))
    start, ids = read["input_ids"].shape[1], family.inputs(example)["input_ids"]
    assert torch.equal(ids[:, :start], read["input_ids"])
    found = []
    for number in ids[0, start:].tolist():
        with torch.inference_mode():
            logits = family.model(**read)["logits"][0, -1].double()
        found.append((number, float(logits[number] - logits.exp().sum().log())))
        for name, value in ((n, v) for n, v in read.items() if v.shape == read["input_ids"].shape):
            # PaliGemma reads the answer, of kind 1, in one direction only.
            is_kind = name == "token_type_ids" and family.name == "paligemma"
            new = number if name == "input_ids" else int(name == "attention_mask" or is_kind)
            if name != "input_ids":
                read[name] = torch.cat([value, torch.full((1, 1), new)], dim=1)
        read["input_ids"] = torch.cat([read["input_ids"], torch.tensor([[number]])], dim=1)
    return found


@pytest.mark.parametrize("candidate", CANDIDATES)
@pytest.mark.parametrize("answer", [None, ANSWER])
def test_a_decoder_scores_by_the_mean_log_probability(decoder, candidate, answer):
    """As by reading token after token behind the question, or behind question and answer."""
    example = judged(candidate, answer=answer)
    steps = step_by_step(decoder.family, example)
    said = decoder.family.tokenizer.decode([number for number, _ in steps])

    assert said.strip() == candidate
    assert decoder.score(example) == pytest.approx(np.mean([v for _, v in steps]), abs=1e-4)


def test_a_decoders_trace_has_the_candidate_in_the_answers_place(decoder):
    """All parts are text, each token for its own characters; nothing is generated."""
    example = judged(CANDIDATES[0], answer=ANSWER)
    trace = decoder.trace(example)
    table = trace.streams["language"].tokens

    assert not table.is_generated.any()
    spans = table.spans[table.is_text]
    assert {c for first, last in spans for c in range(first, last)} >= {
        i for i, c in enumerate(example.text) if c != " "
    }
    behind = np.flatnonzero(table.is_text & (table.spans[:, 0] >= example.breaks[-1]))
    assert behind.tolist() == list(range(len(table) - len(behind), len(table)))
    assert trace.prediction.kind == "score"
    assert trace.prediction.top[0][0] == CANDIDATES[0]
    assert trace.prediction.top[0][1] == pytest.approx(decoder.score(example), abs=1e-4)


def test_a_candidate_stands_where_an_answer_would(tmp_path):
    """Behind a blank, as LLaVA was taught; the template of Qwen ends with a new line already."""
    candidate = CANDIDATES[0]
    llava = vl_core.load(str(DECODERS["llava"](tmp_path / "llava"))).family
    prompt = f"USER: {'<image>' * 16}\n{QUESTION} ASSISTANT: {candidate}"
    qwen = vl_core.load(str(DECODERS["qwen2_vl"](tmp_path / "qwen"))).family
    ids = qwen.inputs(judged(candidate))["input_ids"][0].tolist()

    found = llava.inputs(judged(candidate))["input_ids"][0].tolist()
    assert found == llava.tokenizer(prompt)["input_ids"]
    assert qwen.tokenizer.decode(ids).endswith(f"assistant\n{candidate}")


def test_a_decoder_reads_a_source_and_answers(decoder):
    """It has no score for a source, and says so; a trace has its answer."""
    example = judged(CANDIDATES[0], "source")

    with pytest.raises(ModelError, match=r"no score to a source\. Choose .*embedded"):
        decoder.score(example)
    trace = decoder.trace(example)
    assert trace.prediction.kind == "text"
    assert trace.streams["language"].tokens.is_generated.any()


def test_signs_of_the_models_own_are_refused_in_a_candidate(decoder):
    """As in a question: the model would take them for commands."""
    sign = decoder.family.tokenizer.eos_token

    with pytest.raises(TextError, match="sign of its own"):
        decoder.score(judged(f"red {sign} star"))


def cosine(one, other):
    """Of the angle between two vectors."""
    return float(one @ other / np.sqrt((one @ one) * (other @ other)))


OWN_NUMBERS = {
    "vilt": lambda outputs: 1 / (1 + np.exp(-outputs["logits"][0, 0].item())),
    "blip": lambda outputs: 1 / (1 + np.exp(-np.diff(outputs["itm_score"][0].tolist())[0])),
    "clip": lambda outputs: cosine(
        outputs["image_embeds"][0].numpy(), outputs["text_embeds"][0].numpy()
    ),
}


@pytest.mark.parametrize("task", ["candidate", "source"])
def test_a_matching_model_scores_the_whole_text(matching, task):
    """The probability of a match, or the cosine; a trace shows what it shows of that text."""
    example = judged(CANDIDATES[1], task)
    with torch.inference_mode():
        outputs = matching.family.model(**matching.family.inputs(example))
    plain = matching.trace(Example(example.image, example.text)).prediction
    shown = matching.trace(example).prediction
    score = matching.score(example)

    assert score == pytest.approx(OWN_NUMBERS[matching.family.name](outputs), abs=1e-5)
    assert shown.kind == plain.kind
    assert dict(shown.top) == pytest.approx(dict(plain.top), abs=1e-5)
    name = "match" if shown.kind == "match" else example.text
    assert dict(shown.top)[name] == pytest.approx(score, abs=1e-5)
    assert matching.score(judged(CANDIDATES[0], task)) != pytest.approx(score, abs=1e-6)


@pytest.mark.parametrize(
    ("module", "kind"),
    [(test_vilt, ViltForQuestionAnswering), (test_blip, BlipForQuestionAnswering)],
)
def test_models_that_only_answer_say_so(module, kind, tmp_path):
    """And read a candidate as any text when they are traced."""
    model = vl_core.load(str(module.save(tmp_path, kind)))
    example = judged("a color")

    assert families.judge(model.family, "candidate") is None
    with pytest.raises(ModelError, match=r"no score to a candidate\. Choose .*CLIP"):
        model.score(example)
    assert model.trace(example).prediction.kind != "score"


def test_a_question_has_nothing_to_score(matching):
    """The message says what would have."""
    with pytest.raises(TextError, match=r"asks for an answer.*joined_parts"):
        matching.score(Example(random_picture(SIZE), QUESTION))


def test_a_decoder_answers_what_its_trace_says(decoder):
    """In words, all that it generates."""
    example = Example(random_picture(SIZE), QUESTION)

    said = decoder.trace(example).prediction
    assert decoder.answer(example) == Answer(said.text, said.is_cut_off)


def test_models_that_compare_answer_nothing(matching):
    """What they say of a question is how well it fits the picture."""
    with pytest.raises(ModelError, match=r"answers no questions.*Choose the embedded model"):
        matching.answer(Example(random_picture(SIZE), QUESTION))
