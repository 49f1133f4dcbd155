"""Sinks on a page: what is said, what is left out, and that nothing is left out silently."""

from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.shared import session
from tests.builders import random_stack, random_stream, random_tokens, random_trace
from tests.pages import sinks_alone as alone
from tests.sinks.made import stack_of
from tests.sinks.test_finding import massive_states
from vl_core.errors import TextError
from vl_core.sinks import KINDS, NEUTRAL_PROMPT, find
from vl_core.trace import Stream, Trace

RED, PATCH = 3, 6
LAYER, HEAD = 2, 4


def traced(stack, states=None):
    """The usual example with this attention; hidden states have no visual sinks unless given."""
    made = random_trace()
    stream = (
        random_stream(tokens=stack.queries)
        if states is None
        else Stream.of("encoder", stack.queries, states)
    )
    stack = replace(stack, regions=made.example.regions)
    return Trace(
        made.example, {"encoder": stream}, {"encoder": stack}, made.prediction, made.provenance
    )


@pytest.fixture
def opened(monkeypatch):
    """Opens the page on a trace, one token of one head selected."""

    def at(trace, **selection):
        monkeypatch.setattr(session, "_worked_example", lambda: ("random", trace))
        session._results.clear()
        app = AppTest.from_file(alone.__file__, default_timeout=60)
        start = {"layer": LAYER, "head": HEAD, "tokens": (RED,)}
        app.session_state["selection"] = start | selection
        return app.run()

    yield at
    session._results.clear()


def said(app):
    """All sentences but the rules, one for the rows and one for the heads."""
    return [element.value for element in app.main.markdown if not element.value.startswith("- **")]


def used(app):
    """Name of the stack that the page works with, the row it shows, the share of specials."""
    texts = [element.value for element in app.text]
    row = np.array(texts[1].split()[1:], float)
    return texts[0].removeprefix("uses "), row, float(texts[2].split()[-1])


def share(value):
    """As the page writes it."""
    return f"{100 * value:.1f} %".replace(".0 %", " %").replace(" ", "\N{NO-BREAK SPACE}")


def test_sinks_are_told_and_left_in(opened):
    """At first nothing is left out; the row is the model's own, the sentence gives the shares.

    Three tokens of twelve that take less than a quarter are called what they are, and no sinks.
    """
    trace = traced(random_stack(), massive_states(random_tokens()))
    app = opened(trace)
    weights = trace.stacks["encoder"].weights[LAYER, HEAD]

    assert not app.exception
    name, row, _ = used(app)
    assert name == "encoder"
    np.testing.assert_allclose(row, weights[RED], atol=1e-4)
    total = weights[RED, [0, 5, PATCH + 1]].sum()
    of_row, of_heads = said(app)
    wanted = f"**2 special tokens and 1 visual sink** take **{share(total)}** of this row "
    assert of_row.startswith(f"{wanted}({share(3 / 12)} if spread evenly): ")
    assert f"patch 1, 2 {share(weights[RED, PATCH + 1])} (visual sink)" in of_row
    assert "Left out" not in of_row + of_heads


def test_left_out_is_said_with_what_it_took(opened):
    """The page works with another stack, and says what is missing from it."""
    trace = traced(random_stack(), massive_states(random_tokens()))
    app = opened(trace)
    app.segmented_control(key="sinks").set_value("left out").run()

    assert not app.exception
    name, row, special = used(app)
    assert name == "encoder without special, visual sinks"
    weights = trace.stacks["encoder"].weights[LAYER, HEAD].copy()
    took = weights[RED, [0, 5, PATCH + 1]].sum()
    weights[:, [0, 5, PATCH + 1]] = 0
    np.testing.assert_allclose(row, weights[RED] / weights[RED].sum(), atol=1e-4)
    assert special == 0
    of_row, of_heads = said(app)
    left_out = "**Left out: 2 special tokens and 1 visual sink**, which took"
    even = f"{share(3 / 12)} if spread evenly"
    assert of_row.startswith(f"{left_out} **{share(took)}** of this row ({even}): ")
    assert of_row.endswith(
        "Each row is divided by what is left of it; one with nothing left is missing."
    )
    sinks = find(trace, "encoder")
    removed = sinks.removed()
    assert f"which took **{share(removed[LAYER, HEAD])}** of the attention of words" in of_heads
    assert f"({even}; {share(removed.min())} to {share(removed.max())} over all heads)" in of_heads


def test_kinds_are_left_out_one_by_one(opened):
    """What is not chosen stays; with none chosen, all stays."""
    app = opened(traced(random_stack(), massive_states(random_tokens())))
    app.segmented_control(key="sinks").set_value("left out").run()
    kinds = app.get("button_group")[-1]
    assert app.session_state["sink_kinds"] == ["special", "visual"]

    kinds.set_value(["visual"]).run()
    name, row, special = used(app)
    assert name == "encoder without visual sinks"
    assert row[PATCH + 1] == 0
    assert (row[[0, 5]] > 0).all()
    assert special > 0
    assert said(app)[0].startswith("**Left out: 1 visual sink**, which took")

    app.get("button_group")[-1].set_value([]).run()
    assert used(app)[0] == "encoder"
    assert said(app) == []


def test_a_layer_of_which_nothing_is_left_out_says_so(opened):
    """Visual sinks are found layer by layer."""
    trace = traced(random_stack(), massive_states(random_tokens()))
    app = opened(trace, layer=0)
    app.segmented_control(key="sinks").set_value("left out").run()
    app.get("button_group")[-1].set_value(["visual"]).run()

    assert said(app)[0] == "Nothing is left out of this layer; sinks of other layers are."


def test_columns_speak_of_all_rows(opened):
    """Which share a column takes of each row adds up to nothing; all rows do."""
    trace = traced(random_stack())
    app = opened(trace, direction="looked_at_by")
    removed = find(trace, "encoder").removed()[LAYER, HEAD]

    of = f"of the attention of all words and patches ({share(2 / 12)} if spread evenly): "
    assert f" take **{share(removed)}** {of}" in said(app)[0]


def test_without_a_token_all_rows_are_spoken_of(opened):
    """A stack without words has none to choose by itself."""
    app = opened(traced(random_stack(queries=random_tokens(0, 2, 5))), tokens=())

    assert "of the attention of all patches (" in said(app)[0]


def test_means_over_heads_and_layers_are_told(opened):
    """None is all heads; of all layers, each with its own sinks."""
    trace = traced(random_stack(), massive_states(random_tokens()))
    sinks = find(trace, "encoder")
    app = opened(trace, head=None, all_layers=True)

    weights = np.asarray(trace.stacks["encoder"].weights).mean(axis=1)[:, RED]
    total = (weights * sinks.keys()).sum(axis=1).mean()
    even = (sinks.keys().sum(axis=1) / 12).mean()
    assert f"take **{share(total)}** of this row ({share(even)} if spread evenly): " in said(app)[0]
    mean = share(sinks.removed()[LAYER].mean())
    assert f"take **{mean}** of the attention of words and patches in the heads of" in said(app)[1]


def test_many_sinks_are_not_all_listed(opened):
    """The greatest four, and how many more; what takes its share to the digit is no sink."""
    tokens = random_tokens()
    tokens = replace(tokens, kinds=("special",) * 3 + ("text",) + ("special",) * 4 + ("image",) * 4)
    stack = stack_of(np.full((3, 5, 12, 12), 1 / 12), tokens)
    app = opened(traced(stack))

    wanted = f"**7 special tokens** take **{share(7 / 12)}** of this row ({share(7 / 12)} if"
    assert said(app)[0].startswith(wanted)
    assert f"; and 3 more, **{share(3 / 12)}** together." in said(app)[0]


@pytest.mark.parametrize(
    ("weight", "count"), [(0.3, "**1 sink** takes **30"), (0.02, "**1 special token** takes **2")]
)
def test_it_is_a_sink_if_it_takes_more_than_its_share(opened, weight, count):
    """One of twelve keys, whose share is a twelfth; in the singular, on both pages."""
    tokens = random_tokens(n_text=5, specials=False)
    tokens = replace(tokens, kinds=("special", *tokens.kinds[1:]))
    row = np.append(weight, np.full(10, (1 - weight) / 10))
    stack = stack_of(np.tile(row, (3, 5, 11, 1)), tokens)
    app = opened(traced(stack))

    for sentence in said(app):
        assert sentence.startswith(count)
        assert f"{share(1 / 11)} if spread evenly" in sentence


def test_tokens_of_one_name_are_told_together_and_long_names_are_cut(opened):
    """Nobody could tell them apart; a long name would fill the line."""
    tokens = random_tokens()
    kinds = ("special",) * 5 + tokens.kinds[5:]
    texts = ("_", "_", "a word, red", "_", "<|start_of_the_header|>", *tokens.texts[5:])
    row = np.array([0.2, 0.1, 0, 0.1, 0.15, 0.05, *[0.4 / 6] * 6])
    stack = stack_of(np.tile(row, (3, 5, 12, 1)), replace(tokens, kinds=kinds, texts=texts))
    app = opened(traced(stack), tokens=(7,))

    told = said(app)[0].replace("\\", "").replace("\N{NO-BREAK SPACE}", " ")
    assert ": 3 × '_' 40 % (special token); '<|start_of_the_…' 15 % (special token); " in told


def test_where_there_are_none_nothing_can_be_left_out(opened):
    """The control is off, says so, and each rule says why it found nothing."""
    tokens = random_tokens(specials=False)
    app = opened(traced(random_stack(queries=tokens)))

    assert app.segmented_control(key="sinks").disabled
    assert "No token is a sink by any rule here." in [one.value for one in app.caption]
    assert said(app) == []
    [rules] = [element.value for element in app.main.markdown]
    assert rules.count("None by this rule") == len(KINDS)
    assert all(kind.definition in rules and kind.source in rules for kind in KINDS)


def test_a_choice_that_fits_another_trace_only_is_let_go(opened, monkeypatch):
    """Left out stays chosen; kinds that are not here are not asked for."""
    trace = traced(random_stack(), massive_states(random_tokens()))
    app = opened(trace)
    app.segmented_control(key="sinks").set_value("left out").run()
    plain = traced(random_stack())
    monkeypatch.setattr(session, "_worked_example", lambda: ("plain", plain))
    app.run()

    assert not app.exception
    assert used(app)[0] == "encoder without special sinks"


def test_a_large_stack_is_gone_through_only_if_asked(opened, monkeypatch):
    """The other rules work at once, and shares are those of what is on show."""
    monkeypatch.setattr("pages.shared.sinks.MOST_WEIGHTS", 10)
    passes = []
    monkeypatch.setattr(
        "vl_core.sinks.finding.received", lambda stack: passes.append(stack) or given(stack)
    )
    app = opened(traced(random_stack()))
    assert passes == []
    assert said(app)[0].startswith("**2 special tokens** take ")
    assert "over all heads" not in said(app)[1]
    assert any("Not measured here yet" in element.value for element in app.main.markdown)

    app.checkbox(key="sinks_measured").check().run()
    assert len(passes) == 1
    assert "over all heads" in said(app)[1]


def given(stack):
    """The function itself, whatever stands in its place."""
    from vl_core.sinks.receiving import received  # noqa: PLC0415 not the one that is replaced

    return received(stack)


@pytest.fixture
def neutral(monkeypatch):
    """What the neutral prompt is answered with, and which requests were made for it."""
    asked = []

    def answer(trace):
        def trace_of(request):
            asked.append(request.question)
            if isinstance(trace, Exception):
                raise trace
            return trace

        monkeypatch.setattr(session, "trace_of", trace_of)
        return asked

    return answer


def test_the_neutral_prompt_is_asked_only_when_wanted(opened, neutral):
    """Then a map is drawn, with whose rows it divides and which words the model does not know."""
    asked = neutral(traced(random_stack(7, queries=random_tokens(6))))
    app = opened(traced(random_stack(queries=random_tokens(5))))
    assert asked == []
    assert not app.get("plotly_chart")

    app.toggle(key="neutral_prompt").set_value(True).run()

    assert not app.exception
    assert asked == [NEUTRAL_PROMPT]
    assert len(app.get("plotly_chart")) == 1
    caption = app.caption[-1].value
    assert caption.startswith("Divided are the mean rows of all words of either question.")
    assert "does not know 1 of the 6 words of the neutral prompt" in caption


def test_the_row_that_predicts_is_named_for_a_decoder(opened, neutral):
    """By its position in either prompt, from 1."""
    neutral(traced(random_stack(7, queries=random_tokens(3), mask="causal")))
    app = opened(traced(random_stack(mask="causal")))
    app.toggle(key="neutral_prompt").set_value(True).run()

    assert "the last position of either prompt (12 and 11)" in app.caption[-1].value


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (TextError("The model cannot read it."), "The model cannot read it"),
        (traced(random_stack(queries=random_tokens(4, 3, 4))), "into 6 patches for this question"),
    ],
)
def test_what_cannot_be_divided_is_said_in_a_sentence(opened, neutral, answer, message):
    """And the rest of the page stays."""
    neutral(answer)
    app = opened(traced(random_stack()))
    app.toggle(key="neutral_prompt").set_value(True).run()

    assert not app.exception
    assert message in app.info[0].value
    assert not app.get("plotly_chart")


def test_nothing_to_divide_by_is_said(opened, neutral):
    """The neutral prompt looks at no patch at all."""
    weights = np.zeros((3, 5, 12, 12))
    weights[..., 0] = 1
    neutral(traced(stack_of(weights, random_tokens())))
    app = opened(traced(random_stack()))
    app.toggle(key="neutral_prompt").set_value(True).run()

    assert not app.exception
    assert "nothing to divide by" in app.info[0].value
    assert not app.get("plotly_chart")
