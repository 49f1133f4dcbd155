"""The page that compares two examples: what is shown of both, what is pinned, what is refused."""

import base64
import json
from dataclasses import replace
from itertools import count
from types import SimpleNamespace
from urllib.parse import parse_qsl, urlencode

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from pages.shared import models, requests, session
from pages.shared.comparing import comparison_cards, comparison_offers, pinned
from pages.shared.data_sets import sets
from pages.shared.layout import percent
from pages.shared.requests import BLANK, Request, Upload
from tests.browser import ROOT
from tests.builders import random_picture
from tests.packed import unpacked
from tests.test_comparison import by, looking_at_words, trace_of, with_picture
from vl_core import head_stats
from vl_core.comparison import attention_in_both
from vl_core.datasets import Asked, Option
from vl_core.example import Region
from vl_core.matched_tokens import matched_tokens

A = requests.worked_example()
B = replace(A, question="what is it?")
ASKED = {"model": "embedded", "example": A.name}
numbers = count()


def opened(monkeypatch, one, other, page="compare", **link):
    """The page with A pinned and B on show, by a link, with these traces for them."""
    monkeypatch.setattr(models, "warm_up", lambda: None)
    traces = {A: (f"a {next(numbers)}", one), B: (f"b {next(numbers)}", other)}
    monkeypatch.setattr(session, "_find", lambda wanted, _: traces[wanted])
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120)
    app.query_params["with"] = urlencode(ASKED | {"question": A.question})
    for name, value in (ASKED | {"question": B.question} | link).items():
        app.query_params[name] = value
    app.run()
    app.switch_page(f"pages/{page}.py").run()
    assert not app.exception
    return app


@pytest.fixture
def both():
    """A with 4 words, B with 6; 3 layers of 5 heads, 2 x 3 patches of the same picture."""
    return trace_of(1, 4), trace_of(2, 6)


def maps(app):
    """What the three maps of heads were given: numbers as layer x head, and their labels."""
    found = []
    for message in (part.proto.bytes for part in app.get("bidi_component") if part.proto.bytes):
        header, part = unpacked(message)
        shape = len(header["layers"]), header["heads"]
        found.append(header | {"values": part("values", "<f4").reshape(shape)})
    return found


def said(app):
    """All text on the page outside the sidebar, as a reader sees it."""
    kinds = ("markdown", "caption", "info", "warning", "error", "subheader")
    parts = [element.value for kind in kinds for element in app.main.get(kind)]
    return " ".join(parts).replace("\\", "").replace("\N{NO-BREAK SPACE}", " ")


def figure(app, key):
    """A Plotly figure by the key of its chart, None if it is not there."""
    for chart in app.get("plotly_chart"):
        if chart.proto.id.endswith(f"-{key}"):
            return json.loads(chart.proto.spec)
    return None


def link_of(app):
    """What the address says is pinned."""
    return dict(parse_qsl(app.query_params["with"]))


def test_the_three_maps_show_a_b_and_b_minus_a(monkeypatch, both):
    """A and B on one scale, the difference around zero, each in the statistic's unit."""
    statistic = head_stats.TEXT_TO_IMAGE_MASS
    app = opened(monkeypatch, *both, statistic=statistic.key)

    one, other = (statistic.of(trace.stacks["encoder"]) for trace in both)
    shown = maps(app)
    for found, values in zip(shown, (one, other, other - one), strict=True):
        np.testing.assert_allclose(found["values"], values, atol=1e-6)
    lowest, highest = min(one.min(), other.min()), max(one.max(), other.max())
    for found in shown[:2]:
        assert (found["low"], found["high"]) == pytest.approx((lowest, highest))
    most = np.abs(other - one).max()
    assert (shown[2]["low"], shown[2]["high"]) == pytest.approx((-most, most))
    assert [found["unit"] for found in shown] == [
        "share of attention",
        "share of attention",
        "share of attention, B − A",
    ]
    assert "no test behind it" in said(app)


def test_the_list_has_the_ten_heads_that_differ_most(monkeypatch, both):
    """In either direction, with the selected head marked."""
    one, other = (head_stats.ENTROPY.of(trace.stacks["encoder"]) for trace in both)
    difference = other - one
    order = np.argsort(-np.abs(difference), axis=None)[:10]
    layer, head = divmod(int(order[3]), 5)

    app = opened(monkeypatch, *both, statistic="entropy", layer=layer + 1, head=head + 1)

    assert app.session_state[app.dataframe[0].key]["selection"]["rows"] == [3]
    table = app.dataframe[0].value
    assert table["layer"].tolist() == (order // 5 + 1).tolist()
    assert table["head"].tolist() == (order % 5 + 1).tolist()
    np.testing.assert_allclose(table["B − A"], difference.ravel()[order], atol=1e-6)
    np.testing.assert_allclose(table["A"], one.ravel()[order], atol=1e-6)


def test_only_words_that_both_have_are_offered(monkeypatch, both):
    """With the last word that means something as the default; others can be chosen, also none."""
    app = opened(monkeypatch, *both, tokens="6", layer="2", head="4")

    words = app.button_group(key="compare_words")
    assert words.options == ["is", "the", "red", "star"]
    assert words.value == [4]  # "star": what the link names, "of", A has not
    words.set_value([2, 3]).run()
    assert app.query_params["tokens"] == "3,4"
    wanted = attention_in_both(
        *(trace.stacks["encoder"] for trace in both), np.array([[2, 2], [3, 3]]), 1, 3
    )
    bars = figure(app, "compare_bars")["data"]
    assert shares(bars[1]["x"]) == pytest.approx(wanted.common[1][:6], abs=1e-6)
    words = app.button_group(key="compare_words")
    words.set_value([]).run()
    assert app.query_params["tokens"] == "none"
    assert app.button_group(key="compare_words").value == [1, 2, 3, 4]


def shares(sent):
    """Numbers as Plotly sends them."""
    if isinstance(sent, dict):
        return np.frombuffer(base64.b64decode(sent["bdata"]), sent["dtype"])
    return np.array(sent)


def test_pictures_of_one_grid_have_a_difference_in_points(monkeypatch, both):
    """Three pictures; the shares are said in a table, also what the other one has not."""
    app = opened(monkeypatch, *both, tokens="4", layer="mean", head="mean")

    stacks = [trace.stacks["encoder"] for trace in both]
    found = attention_in_both(*stacks, np.array([[3, 3]]), None, None)
    patches = stacks[1].keys.is_image[found.tokens[:, 1]]
    marks = figure(app, "compare_picture_difference")["data"][0]["marker"]
    np.testing.assert_allclose(shares(marks["color"]), 100 * found.difference[patches], atol=1e-5)
    of_b = figure(app, "compare_picture_B")["data"][0]["marker"]
    np.testing.assert_allclose(shares(of_b["color"]), found.common[1][patches], atol=1e-7)
    change = 100 * (found.shares[1][8:].sum() - found.shares[0][6:].sum())
    assert f"{abs(change):.1f} points" in said(app)
    assert "tokens that the other one has not" in said(app)
    assert "The two pictures differ" not in said(app)


def test_pictures_of_two_sizes_stand_side_by_side(monkeypatch):
    """It is said why there is no difference; both maps are on one scale, from zero."""
    for other, why in (
        (with_picture((48, 60), 3, 3), "A's picture has 60 × 32 pixels and B's 48 × 60"),
        (
            with_picture((60, 32), 2, 6),
            "A's picture is cut into 6 patches and B's into 12, of which 0 lie at the same places",
        ),
    ):
        app = opened(monkeypatch, with_picture((60, 32), 2, 3), other, layer="2", head="4")

        [sentence] = [one.value for one in app.main.info]
        assert sentence.replace("\\", "") == (
            f"{why}, so that B − A of a patch would mean nothing, and A and B stand side by side "
            "on one color scale."
        )
        assert figure(app, "compare_picture_difference") is None
        marks = [figure(app, f"compare_picture_{one}")["data"][0]["marker"] for one in "AB"]
        colors = [shares(one["color"]) for one in marks]
        assert colors[0].max() != colors[1].max()
        most = max(one.max() for one in colors)
        scales = [one_scale(app, letter) for letter in "AB"]
        assert scales == [pytest.approx((0, most))] * 2


def one_scale(app, letter):
    """From where to where the colors of a picture's patches go."""
    shown = figure(app, f"compare_picture_{letter}")
    scale = shown["data"][0]["marker"]
    if "cmin" not in scale:
        scale = shown["layout"][scale["coloraxis"]]
    return scale["cmin"], scale["cmax"]


def test_two_pictures_of_one_grid_are_compared_with_a_word_of_caution(monkeypatch):
    """The same place need not show the same thing."""
    one = with_picture((60, 32), 2, 3)
    example = replace(one.example, image=random_picture((60, 32), seed=1))
    app = opened(monkeypatch, one, replace(one, example=example))

    assert "The two pictures differ: B − A compares the patches at the same place" in said(app)


def test_texts_without_a_word_in_common_have_their_heads_compared_alone(monkeypatch):
    """And a sentence in place of the words."""
    app = opened(monkeypatch, trace_of(1, 0), trace_of(2, 4), statistic="entropy")

    assert len(maps(app)) == 3
    assert "no word in common" in said(app)


def test_what_looks_at_a_word_is_compared_as_well(monkeypatch, both):
    """The choice of the attention page: the words' columns, whose shares have means and no sum."""
    app = opened(monkeypatch, *both, tokens="4", layer="2", head="3")
    assert app.subheader[-1].value == "Where does a word look?"
    app.segmented_control(key="compare_direction").set_value("looked_at_by").run()

    assert not app.exception
    assert app.query_params["direction"] == "looked_at_by"
    assert app.subheader[-1].value == "What looks at a word?"
    stacks = [trace.stacks["encoder"] for trace in both]
    found = attention_in_both(*stacks, np.array([[3, 3]]), 1, 2, "looked_at_by")
    patches = stacks[1].queries.is_image[found.tokens[:, 1]]
    marks = figure(app, "compare_picture_difference")["data"][0]["marker"]
    np.testing.assert_allclose(shares(marks["color"]), 100 * found.difference[patches], atol=1e-5)
    bars = figure(app, "compare_bars")["data"]
    assert shares(bars[1]["x"]) == pytest.approx(found.common[1][~patches], abs=1e-6)
    means = [
        percent(float(share[stack.queries.is_text].mean()))
        for share, stack in zip(found.shares, stacks, strict=True)
    ]
    assert f"| words | {means[0]} | {means[1]} |" in said(app)
    assert "tokens that the other one has not" not in said(app)


def test_words_of_another_stream_are_pinned_as_what_is_looked_at(monkeypatch):
    """Patches look at them; nothing else of that stack has words, and a swap keeps the word."""
    one, other = looking_at_words(4, 2, 3), looking_at_words(6, 2, 3)
    app = opened(monkeypatch, one, other, stack="vision<-language", direction="looked_at_by")

    words = app.button_group(key="compare_words")
    assert words.options == ["is", "the", "red", "star"]
    words.set_value([3]).run()
    assert app.query_params["keys"] == "4"
    stacks = [trace.stacks["vision<-language"] for trace in (one, other)]
    layer, head = (int(app.query_params[what]) - 1 for what in ("layer", "head"))
    found = attention_in_both(*stacks, np.array([[3, 3]]), layer, head, "looked_at_by")
    of_b = figure(app, "compare_picture_B")["data"][0]["marker"]
    np.testing.assert_allclose(shares(of_b["color"]), found.shares[1], atol=1e-6)

    app.button(key="swap").click().run()
    assert app.query_params["keys"] == "4"
    app.segmented_control(key="compare_direction").set_value("looks_at").run()
    assert "no word in common that looks at something" in said(app)


def test_models_of_another_shape_or_kind_are_refused_in_a_sentence(monkeypatch, both):
    """What A and B are is shown, and neither a map nor an error."""
    for other, sentence in (
        (trace_of(2, 6, layers=2), "A has 5 heads in each of the layers 1, 2, 3 and B has 5 heads"),
        (by(both[1], family="vilt", model_id="vilt"), "models of different kinds"),
    ):
        app = opened(monkeypatch, both[0], other)

        assert not app.error
        assert sentence in said(app)
        assert maps(app) == []
        assert "pinned" in said(app)


def test_two_checkpoints_are_compared_with_a_warning(monkeypatch, both):
    """Heads go by their numbers."""
    app = opened(monkeypatch, both[0], by(both[1], weights_hash="4567", model_id="tuned"))

    assert "A was read by tiny and B by tuned" in app.warning[0].value
    assert len(maps(app)) == 3


def test_the_selected_head_is_marked_on_all_maps_and_menus_choose_means(monkeypatch, both):
    """For all pages, as the address says."""
    app = opened(monkeypatch, *both, layer="2", head="4")

    assert [found["selected"] for found in maps(app)] == [[1, 3]] * 3
    app.selectbox(key="compare_layer").set_value(2).run()
    assert app.query_params["layer"] == "3"
    app.selectbox(key="compare_head").set_value("mean").run()
    assert (app.query_params["layer"], app.query_params["head"]) == ("3", "mean")
    app.selectbox(key="compare_layer").set_value("mean").run()
    assert app.query_params["layer"] == "mean"
    app.selectbox(key="compare_statistic").set_value("concentration").run()
    assert "Concentration" in maps(app)[2]["name"]
    app.toggle(key="compare_specials").set_value(False).run()
    assert app.query_params["specials"] == "without"
    wanted = [head_stats.CONCENTRATION.of(t.stacks["encoder"], with_specials=False) for t in both]
    np.testing.assert_allclose(maps(app)[2]["values"], wanted[1] - wanted[0], atol=1e-6)


def test_swapping_keeps_the_word(monkeypatch, both):
    """B is pinned, A on show, and the chosen word is the same although it stands elsewhere."""
    longer = trace_of(2, 6)
    app = opened(monkeypatch, both[0], longer, tokens="5")
    pairs = dict(
        matched_tokens(longer.stacks["encoder"].queries, both[0].stacks["encoder"].queries)
    )
    before = maps(app)

    app.button(key="swap").click().run()

    assert not app.exception
    assert link_of(app)["question"] == B.question
    assert app.query_params["question"] == A.question
    assert app.query_params["tokens"] == str(int(pairs[4]) + 1)
    np.testing.assert_allclose(maps(app)[2]["values"], -before[2]["values"], atol=1e-6)


def test_a_word_stands_elsewhere_after_a_swap(monkeypatch):
    """Its place in the other text is what is selected then."""
    with_specials, without = trace_of(1, 4), trace_of(2, 4)
    tokens = without.stacks["encoder"].queries
    moved = without.stacks["encoder"]
    order = np.r_[5, 0:5, 6 : len(tokens)]  # [SEP] in front: each word one place later
    table = tokens.chosen(order)
    stack = replace(moved, queries=table, keys=table)
    stream = replace(without.streams["encoder"], tokens=table)
    other = replace(without, streams={"encoder": stream}, stacks={"encoder": stack})
    app = opened(monkeypatch, with_specials, other, tokens="5")

    assert app.button_group(key="compare_words").value == [4]
    app.button(key="swap").click().run()

    assert app.query_params["tokens"] == "4"
    assert app.button_group(key="compare_words").value == [3]


def test_a_link_that_names_nothing_there_is_said_in_a_sentence_and_can_be_unpinned(monkeypatch):
    """The page stays usable."""
    monkeypatch.setattr(models, "warm_up", lambda: None)
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120)
    app.query_params["with"] = urlencode({"example": "nobody", "question": "what is it?"})
    app.query_params["example"] = A.name
    app.run()
    app.switch_page("pages/compare.py").run()

    assert "no example called 'nobody'" in app.error[0].value.replace("\\", "")
    app.button(key="unpin").click().run()
    assert not app.error
    assert "with" not in app.query_params
    assert "Nothing is pinned yet" in said(app)


@pytest.mark.parametrize("said_of_it", ["model=/etc/passwd&example=star-by-moon", "=&&=", "what"])
def test_a_link_cannot_pin_what_no_visitor_may_choose(monkeypatch, said_of_it):
    """A path is no model, and nonsense names nothing."""
    monkeypatch.setattr(models, "warm_up", lambda: None)
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120)
    app.query_params["with"] = said_of_it
    app.query_params["example"] = A.name
    app.run()

    assert not app.exception
    assert "pinned" not in app.session_state


def test_what_is_on_show_is_pinned_on_the_overview_and_compared_later(monkeypatch, both):
    """The link carries it along; with nothing else on show, ready comparisons are offered."""
    app = opened(monkeypatch, *both, page="overview")
    assert "Compare with the pinned example" in [link.label for link in app.get("page_link")]

    next(one for one in app.button if one.label == "Pin this one instead").click().run()
    assert link_of(app)["question"] == B.question
    app.switch_page("pages/compare.py").run()

    assert "A and B are the same example" in said(app)
    assert maps(app) == []
    assert app.button(key="offer_0").label == "Compare"
    app.button(key="unpin").click().run()
    assert "Nothing is pinned yet" in said(app)


def test_ready_comparisons_suit_what_is_on_show():
    """Without the picture, another question, another picture; or the picture itself again."""
    own = trace_of(1, 4)
    blank, question, picture = comparison_offers.offers(A, own)

    assert (blank.one, blank.other) == (replace(A, instead=BLANK), A)
    assert question.one == picture.one == A
    assert (question.other.name, picture.other.name) == (A.name, "three-hearts")
    assert question.other.question != A.question
    itself, *_ = comparison_offers.offers(blank.one, own)
    assert (itself.one, itself.other) == (blank.one, A)
    last = Request("embedded", "gallery", "two-moons", "?")
    assert [offer.other.name for offer in comparison_offers.offers(last, own)][-1] == A.name
    blind = with_picture(None, 0, 0)
    uploaded = Request("embedded", "upload", "0" * 64, "what?")
    assert list(comparison_offers.offers(uploaded, blind)) == []
    assert [offer.title for offer in comparison_offers.offers(uploaded, own)] == [
        "Without the picture"
    ]


@pytest.mark.parametrize(
    ("shown", "right", "offered"),
    [
        (0, {2}, ("The right candidate", 2)),
        (2, {2}, ("Another candidate", 3)),
        (3, None, ("Another candidate", 0)),
    ],
)
def test_of_a_set_the_right_candidate_is_offered_or_the_next(monkeypatch, shown, right, offered):
    """Whichever is not on show; after the last one comes the first."""
    options = tuple(Option(str(i), f"candidate {i}", Image.new) for i in range(4))
    asked = Asked("Q->A", "what?", options, None if right is None else frozenset(right))
    monkeypatch.setattr(sets, "asked", lambda *_: asked)
    wanted = Request("embedded", "set", "some set", "", place=sets.Place(5, 0, shown))

    *_, offer = comparison_offers.offers(wanted, trace_of(1, 4))

    title, option = offered
    assert offer.title == title
    assert (offer.one, offer.other) == (wanted, replace(wanted, place=sets.Place(5, 0, option)))
    assert f"candidate {option + 1} of 4" in offer.said
    own = replace(wanted, question="my own?")
    assert [one.title for one in comparison_offers.offers(own, trace_of(1, 4))] == [
        "Without the picture"
    ]


def test_a_ready_comparison_is_begun_at_a_click(monkeypatch, both):
    """A is pinned, B put on show, and the address names both."""
    monkeypatch.setattr(models, "warm_up", lambda: None)
    name, (one, other) = next(numbers), both
    found = {True: (f"a {name}", one), False: (f"b {name}", other)}
    monkeypatch.setattr(session, "_find", lambda wanted, _: found[wanted == A])
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120).run()
    app.switch_page("pages/compare.py").run()
    app.button(key="offer_1").click().run()

    assert not app.exception
    assert link_of(app)["question"] == A.question
    assert app.query_params["question"] != A.question
    assert len(maps(app)) == 3


def test_the_files_of_a_pinned_upload_stay_with_it(monkeypatch):
    """Whatever is uploaded after it; of what is no upload nothing is kept."""
    state = {}
    monkeypatch.setattr(pinned.st, "session_state", state)
    own, files = Request("embedded", "upload", "0" * 64, "what?"), Upload(b"picture")

    pinned.pin(own, files)
    assert pinned.upload() is files
    pinned.pin(A, files)
    assert pinned.upload() is None
    pinned.unpin()
    assert pinned.current() is None


def test_what_was_computed_of_an_upload_stays_with_the_visitor(monkeypatch):
    """Also where the other example is public."""
    monkeypatch.setattr(session.st, "session_state", {})
    monkeypatch.setattr(session, "_find", lambda wanted, _: (f"{wanted}", None))
    own = Request("embedded", "upload", f"{next(numbers)}", "what?")
    shared = session._results()

    assert session.compared(own, None, ("key",), lambda: "private") == "private"
    assert session.compared(A, None, ("key",), lambda: "public") == "public"

    names = str(A), str(own)
    assert shared.peek((*names, "key")) is None
    assert shared.peek((str(A), str(A), "key")) == "public"


def test_what_each_is_and_said_stands_on_top_with_its_own_words_marked(monkeypatch, both):
    """B's text has two words that A has not; nothing of A's is marked."""
    app = opened(monkeypatch, *both)

    texts = [element.value for element in app.main.markdown if "is the red star" in element.value]
    assert texts == [
        "is the red star left of it",
        "is the red star :blue-background[left of] it",
    ]
    assert said(app).count("The model answers: **yes** :gray[(75 %)]") == 2


def test_the_boxes_of_a_sets_example_are_drawn_on_its_card(monkeypatch):
    """On the picture as it was kept, which may be smaller than what boxes are counted in."""
    monkeypatch.setattr(session, "preview", lambda _, make, **__: make())
    example = with_picture((60, 32), 2, 3).example
    seen = {"picture": random_picture((30, 16)), "regions": (Region("[2]", (6, 8, 30, 24)),)}
    trace = SimpleNamespace(example=replace(example, **seen))

    drawing = comparison_cards._picture(Request("embedded", "set", "some set", ""), trace)
    scale = comparison_cards.WIDTH / 60
    where = f'x="{6 * scale:.1f}" y="{8 * scale:.1f}" width="{24 * scale:.1f}" '
    assert where in drawing
    assert ">[2]</text>" in drawing
    assert isinstance(comparison_cards._picture(A, trace), bytes)
