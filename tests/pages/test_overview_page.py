"""The overview says of any model what it read, what it made of it, and what was kept."""

import base64
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from pages.shared import about_trace, session
from pages.shared.components.summary import MOST_TOKENS, payload
from pages.shared.components.summary.verdict import NO_PROBABILITY, NO_SHARE
from pages.shared.said import answer as said_in_words
from tests.browser import ROOT
from tests.builders import random_stack, random_stream, random_tokens, random_trace
from tests.decoders import decoder_trace
from tests.pages.sent import messages
from vl_core.datasets.captured import provenance_of_tensors
from vl_core.trace import Prediction, Provenance, TokenTable, Trace

EMBEDDED = "This model knows only generated scenes"


@pytest.fixture
def page(monkeypatch):
    """Opens the page on a trace."""

    def opened(trace: Trace) -> AppTest:
        monkeypatch.setattr(session, "_shown", lambda: (f"trace {id(trace)}", trace))
        monkeypatch.setattr("pages.shared.models.warm_up", lambda: None)
        app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120).run()
        assert not app.exception
        assert not app.error
        return app

    return opened


def card(app: AppTest) -> dict:
    """What the card was given."""
    [message] = messages(app, "vl_summary")
    return json.loads(message.json)


def said(app: AppTest) -> str:
    """All text on the page, as a reader sees it."""
    parts = [element.value for kind in ("markdown", "caption") for element in app.main.get(kind)]
    return " ".join(parts).replace("\\", "")


def predicting(kind: str, *top: tuple[str, float], similarity: float | None = None) -> Trace:
    """A trace in which the model said this."""
    text = "".join(word for word, _ in top) if kind == "text" else None
    return replace(random_trace(), prediction=Prediction(kind, top, similarity, text))


def test_answers_stand_beside_their_probabilities(page):
    """At most five, the likeliest first, each with its bar."""
    top = [(name, 0.3 - 0.03 * i) for i, name in enumerate("abcdef")]

    shown = card(page(predicting("answer", *top)))

    assert shown["title"] == "What the model answers"
    assert [answer["text"] for answer in shown["answers"]] == list("abcde")
    assert [answer["said"] for answer in shown["answers"]][:2] == ["30 %", "27 %"]
    assert [answer["share"] for answer in shown["answers"]] == [number for _, number in top[:5]]
    assert shown["note"] == ""


def test_a_cosine_is_no_probability(page):
    """It is said as what it is, with its sign, and nowhere in percent."""
    shown = card(page(predicting("similarity", ("a star", 0.2873), ("a heart", -0.0512))))

    assert [answer["said"] for answer in shown["answers"]] == ["0.287", "−0.051"]
    assert [answer["share"] for answer in shown["answers"]] == [0.2873, 0.0]
    assert shown["note"] == NO_PROBABILITY
    assert shown["title"] == "How alike the model finds picture and text"
    assert "%" not in json.dumps([shown["answers"], shown["note"]])


def test_a_score_is_no_probability(page):
    """It has no bar, as there is no end to it, and nothing in percent."""
    shown = card(page(predicting("score", ("the star is red", -3.456))))

    assert shown["answers"] == [{"text": "the star is red", "share": None, "said": "−3.46"}]
    assert shown["note"] == NO_SHARE


@pytest.mark.parametrize(
    ("told", "answers", "note"),
    [
        ("red", [{"text": "red", "share": None, "said": ""}], "was told beside its tensors"),
        (None, [], "was not told beside its tensors"),
    ],
)
def test_the_answer_of_a_model_that_ran_elsewhere_is_only_told(page, told, answers, note):
    """Without a number, and nothing is made up where it was not told."""
    trace = replace(random_trace(), prediction=Prediction.told(told))
    shown = card(page(trace))

    assert shown["answers"] == answers
    assert note in shown["note"]
    assert "The right answer is known: “yes”" in shown["truth"]
    assert said_in_words(trace.prediction) == (told or "not told", "")


@pytest.mark.parametrize("kind", ["answer", "score", "similarity", "text"])
def test_what_is_read_is_called_a_text(kind):
    """It may be a caption to be matched, or the beginning of one, and no question."""
    shown = payload(predicting(kind, ("match", 0.5)))

    assert shown["read"] == "The text, as the model reads it"
    assert "question" not in " ".join(one["title"] for one in shown["tokens"])


def test_a_cosine_beside_an_answer_is_named(page):
    """A model that matches picture and text gives both; half precision may round one up."""
    trace = predicting("answer", ("match", 1.0004), ("no match", 0.0), similarity=0.31)

    shown = card(page(trace))

    assert shown["answers"][0] == {"text": "match", "share": 1.0, "said": "100 %"}
    assert shown["note"].startswith("Cosine of picture and text: 0.310.")


def test_generated_text_is_text_with_each_tokens_probability(page):
    """Every token, in order, by its name on all pages; the whole without the signs that end it."""
    names = ("é (1/2)", "é (2/2)", "star", "␣", "</s>")
    added = ("", "é", " star", " ", "</s>")
    shares = (0.5, 0.25, 1.0, 0.0004, 0.75)
    kinds = [*["text"] * 4, "special"]
    said = TokenTable.of(names, kinds, is_generated=np.ones(5, bool))
    trace = random_trace()
    tokens = TokenTable.joined([trace.streams["encoder"].tokens, said])
    speaking = replace(
        trace,
        prediction=Prediction("text", tuple(zip(added, shares, strict=True)), text="é star "),
        streams={"encoder": random_stream("encoder", tokens)},
        stacks={"encoder": random_stack(queries=tokens, regions=trace.example.regions)},
    )

    shown = card(page(speaking))

    assert shown["whole"] == "é star"
    assert shown["inLine"]
    found = [(one["text"], one["adds"], one["share"]) for one in shown["answers"]]
    assert found == list(zip(names, added, shares, strict=True))
    assert [one["said"] for one in shown["answers"]] == ["50 %", "25 %", "100 %", "<0.1 %", "75 %"]
    assert "given all that came before" in shown["note"]
    assert shown["stopped"] == ""


def test_an_answer_that_was_cut_off_says_so(page):
    """In a sentence beside it, with the number of tokens that were allowed."""
    trace = predicting("text", ("a", 0.5), (" red", 0.4))
    cut_off = replace(trace, prediction=replace(trace.prediction, is_cut_off=True))

    shown = card(page(cut_off))

    assert shown["stopped"] == (
        "The answer was stopped after 2 tokens; the model would have gone on."
    )


@pytest.mark.parametrize(
    ("kind", "top", "answer", "sentence"),
    [
        ("answer", (("yes", 0.9),), "yes", "the model is right"),
        ("answer", (("no", 0.9),), "yes", "the model is wrong: it is “yes”"),
        ("answer", (("Yes", 0.9),), "yes", "the model is right"),
        ("answer", (("a dog", 0.9),), "Dog.", "the model is right"),
        ("score", (("yes", 3.5),), "yes", "The right answer is known: “yes”"),
        ("text", (("Yes", 0.9), (".", 0.9)), "yes", "The right answer is known: “yes”"),
        ("similarity", (("yes", 0.3),), "yes", "The right answer is known: “yes”"),
        ("match", (("no match", 0.9), ("match", 0.1)), "yes", "The right answer is known: “yes”"),
        ("answer", (("yes", 0.9),), None, ""),
    ],
)
def test_a_verdict_is_given_where_it_is_plain(kind, top, answer, sentence):
    """Free text is not compared with the right answer; that stands beside it."""
    trace = predicting(kind, *top)

    shown = payload(replace(trace, example=replace(trace.example, answer=answer)))

    assert sentence in shown["truth"]
    assert bool(shown["truth"]) == (answer is not None)


def test_an_answer_is_not_held_against_the_candidate_that_would_be_right():
    """A model with a fixed list of answers answers what a candidate says, too, in its own words."""
    trace = predicting("answer", ("no", 0.9))
    judged = replace(trace.example, answer="He waits.", task="candidate")

    assert payload(replace(trace, example=judged))["truth"] == (
        "The right one is known: “He waits.”"
    )


def test_without_a_picture_there_is_none_to_see(page):
    """The text and the answer are shown alone."""
    tokens = random_tokens(rows=0, columns=0)
    trace = random_trace()
    bare = replace(trace.example, image=None, picture=None, original_size=None, regions=())
    text = replace(
        trace,
        example=bare,
        streams={"encoder": random_stream("encoder", tokens)},
        stacks={"encoder": random_stack(queries=tokens)},
    )

    shown = card(page(text))

    assert (shown["picture"], shown["caption"], shown["size"]) == ("", "", None)
    assert [one["text"] for one in shown["tokens"]] == list(tokens.texts)


def test_the_question_is_read_off_the_stream_with_words(page):
    """Although the vision tower may come first; the answer and the patches are no part of it."""
    trace = decoder_trace()
    streams = dict(reversed(trace.streams.items()))

    shown = card(page(replace(trace, streams=streams)))

    tokens = trace.streams["language"].tokens
    asked = [
        text
        for text, kind, generated in zip(
            tokens.texts, tokens.kinds, tokens.is_generated, strict=True
        )
        if kind != "image" and not generated
    ]
    assert [one["text"] for one in shown["tokens"]] == asked


def test_of_several_views_the_finest_grid_is_drawn_and_all_are_counted():
    """Patches of the whole picture would lie over those of its tiles."""
    trace = decoder_trace()

    shown = payload(trace)

    tokens = trace.streams["language"].tokens
    tiles = tokens.boxes[np.array(tokens.views) == "tiles"]
    drawn = [
        [left, top, right, bottom]
        for top, bottom in shown["boxes"]["rows"]
        for left, right in shown["boxes"]["columns"]
    ]
    np.testing.assert_allclose(drawn, tiles, atol=0.01)
    assert "26 patches (whole picture: 6, tiles: 20)" in shown["caption"]


def test_patches_that_form_no_grid_are_drawn_one_by_one():
    """As a detector's regions, which overlap."""
    boxes = np.array([[0, 0, 30, 20], [10, 5, 40, 25], [3, 3, 9, 9]], float)
    tokens = TokenTable.of(["region"] * 3, ["image"] * 3, boxes)
    trace = random_trace()
    regions = replace(
        trace,
        streams={"encoder": random_stream("encoder", tokens)},
        stacks={"encoder": random_stack(queries=tokens, regions=trace.example.regions)},
    )

    assert payload(regions)["boxes"]["each"] == boxes.tolist()


def test_a_long_prompt_is_cut_and_counted():
    """Thousands of words are no longer a picture of what was asked."""
    tokens = TokenTable.of(["word"] * (MOST_TOKENS + 1234), ["text"] * (MOST_TOKENS + 1234))
    trace = random_trace()
    long = replace(
        trace,
        streams={"encoder": random_stream("encoder", tokens, states=1)},
        stacks={
            "encoder": random_stack(
                queries=tokens,
                layers=1,
                heads=1,
                kept="queries_keys",
                regions=trace.example.regions,
            )
        },
    )

    shown = payload(long)

    assert len(shown["tokens"]) == MOST_TOKENS
    assert shown["more"] == "and 1,234 more"


def test_all_streams_and_stacks_are_listed_with_their_sizes(page):
    """Tokens by kind, states and their width; layers, heads, who looks at whom."""
    trace = decoder_trace()

    text = said(page(trace))

    assert "3 kinds of attention were kept: Language, Vision, Language looking at vision." in text
    language, vision = (len(trace.streams[name].tokens) for name in ("language", "vision"))
    table = about_trace.parts_table(trace).replace("\\", "")
    for row in (
        f"| language | {language}: 7 words, 26 patches, 7 special, 4 of the answer",
        "of the answer | 4, each 6 wide |",
        f"| Language | 3 layers of 6 | {language} on themselves |",
        f"| Vision | 2 layers of 4 | {vision} on themselves |",
        f"| Language looking at vision | 2 layers of 6 | {language} on {vision} |",
    ):
        assert row in table
        assert row in text


def test_what_is_true_of_the_embedded_model_is_not_said_of_others(page):
    """Their model's name and family, and that no claim is made about them."""
    other = said(page(random_trace()))
    assert EMBEDDED not in other
    assert "tiny, read as a model of the family kdvlp" in other

    trace = random_trace()
    own = replace(trace, provenance=replace(trace.provenance, model_id="embedded"))
    assert EMBEDDED in said(page(own))


@pytest.mark.parametrize("model_id", ["embedded", "tiny"])
def test_every_figure_of_fidelity_is_shown_for_any_model(page, model_id):
    """With what it compares; one that is not known yet with its name alone."""
    trace = random_trace()
    figures = {"weights_vs_eager": 1e-7, "output_on_off": 0.0, "new | figure": 3e-4}
    provenance = replace(trace.provenance, model_id=model_id, fidelity=figures)

    text = said(page(replace(trace, provenance=provenance)))

    assert f"| weights vs eager | 1e-07 | {about_trace.FIDELITY['weights_vs_eager']} |" in text
    assert "| output on off | 0 |" in text
    assert "| new | figure | 0.0003 |  |" in text  # its bar is escaped


def test_nothing_is_claimed_of_tensors_that_came_without_their_model(page):
    """No fidelity, no weights and no device; what is missing has no empty line."""
    trace = random_trace()
    provenance = provenance_of_tensors("own tensors", np.dtype(np.float16))
    text = said(page(replace(trace, provenance=provenance)))

    assert about_trace.NOT_MEASURED in text
    assert "own tensors: attention and hidden states that a model left elsewhere." in text
    assert "| Number format | float16 |" in text
    for absent in ("0 is perfect", "Revision", "SHA-256", "of the family", " on  |"):
        assert absent not in text


def test_a_revision_is_named_where_a_hub_has_one():
    """A local folder has none."""
    provenance: Provenance = random_trace().provenance
    assert "| Revision | abc |" in about_trace.provenance_table(provenance)
    local = replace(provenance, revision="local")
    assert "Revision" not in about_trace.provenance_table(local)


def test_the_picture_is_the_one_that_was_asked_about(page):
    """In the card's own words and pixels."""
    trace = random_trace()

    shown = card(page(trace))

    content = base64.b64decode(shown["picture"].partition(",")[2])
    assert Image.open(io.BytesIO(content)).size == trace.example.picture.size
    assert shown["alt"] == "The picture that was analysed, with its patches"
    assert (
        "6 patches. The picture of 60 × 32 pixels reaches the model as 48 × 32." in shown["caption"]
    )
