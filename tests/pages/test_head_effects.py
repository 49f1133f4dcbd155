"""Heads that are taken out, beside the statistics of where they look."""

import csv
import io
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import vl_core
from pages.shared import head_effects, requests, session
from pages.shared.measured import with_columns
from tests.browser import ROOT
from tests.builders import random_trace
from tests.packed import head_map_of
from vl_core import findings
from vl_core.attribution import ablation
from vl_core.datasets.gallery import GALLERY
from vl_core.errors import ModelError
from vl_core.findings import AblationFinding
from vl_core.head_stats import views
from vl_core.head_stats.sheet import as_csv

SHAPE = (3, 5)  # layers x heads of the random trace
CHANGE = np.random.default_rng(3).normal(-0.02, 0.05, SHAPE)
FOUND = AblationFinding(0.9, CHANGE, CHANGE - 0.015, CHANGE + 0.02, 200)
EFFECTS = SimpleNamespace(answer="yes", change=10 * CHANGE, flips=CHANGE < -0.05)


@pytest.fixture
def page(monkeypatch, tmp_path):
    """Opens the heads page on a random trace, with effects as the test says."""

    def opened(effects=EFFECTS, found=FOUND, kind="count", **link) -> AppTest:
        shown = random_trace()
        own = replace(shown.provenance, model_id=head_effects.MEASURED_MODEL)
        shown = replace(shown, provenance=own)
        means = tmp_path / "means"
        means.touch()
        monkeypatch.setattr(session, "_shown", lambda: (f"trace {id(shown)}", shown))
        monkeypatch.setattr("pages.shared.models.warm_up", lambda: None)
        monkeypatch.setattr(session, "HEAD_MEANS", means if effects else tmp_path / "missing")
        monkeypatch.setattr(session, "head_effects", lambda: effects)
        monkeypatch.setattr(requests, "question_type", lambda _: kind)
        monkeypatch.setattr(findings, "ablation", lambda name: found if name == "count" else None)
        app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120)
        app.query_params.update(link)
        app.switch_page("pages/heads.py").run()
        assert not app.exception
        assert not app.error
        return app

    return opened


def said(app):
    """All text on the page, as a reader sees it."""
    kinds = ("markdown", "caption", "info")
    parts = [element.value for kind in kinds for element in app.main.get(kind)]
    return " ".join(parts).replace("\\", "")


def test_the_effect_on_this_question_is_shown_around_zero_in_nats(page):
    """With what is done and what follows said below; a strong head stands first in the list."""
    app = page(statistic=head_effects.THIS_QUESTION)

    shown = head_map_of(app)
    assert np.array(shown["values"]) == pytest.approx(EFFECTS.change)
    assert shown["unit"] == "nats"
    assert shown["low"] == -shown["high"] == -np.abs(EFFECTS.change).max()
    assert "replaced by its mean" in said(app)
    assert "“yes”, which the whole model answers" in said(app)
    assert app.dataframe[0].value["value"].is_monotonic_increasing
    assert len(app.dataframe[0].value) == 15


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        (np.unravel_index(CHANGE.argmin(), SHAPE), "without it the answer changes"),
        (np.unravel_index(CHANGE.argmax(), SHAPE), "the answer stays without it"),
    ],
)
def test_the_panel_says_whether_the_answer_changes(page, place, sentence):
    """For the selected head, and for each one under the pointer."""
    layer, head = place
    link = {"layer": str(layer + 1), "head": str(head + 1)}
    app = page(statistic=head_effects.THIS_QUESTION, **link)

    assert sentence in said(app)
    shown = head_map_of(app)
    assert shown["sentences"][shown["which"][0, layer, head]] == sentence


@pytest.mark.parametrize("key", head_effects.NAMES)
def test_effects_have_z_scores_but_no_change_and_no_special_tokens_to_leave_out(page, key):
    """They are about one answer; views that make no sense of them are not offered."""
    app = page(statistic=key, view="z")
    assert np.array(head_map_of(app)["values"]) == pytest.approx(views.z_scores(CHANGE))
    assert app.toggle(key="heads_specials").disabled
    assert "Change" not in app.segmented_control(key="heads_view").options

    app.segmented_control(key="heads_view").set_value("vlinterpret").run()
    assert not app.exception


def test_next_to_nothing_stays_pale(page):
    """Else the greatest of fifteen tiny numbers would look like a finding."""
    tiny = SimpleNamespace(answer="yes", change=1e-5 * CHANGE, flips=CHANGE > 1)

    assert head_map_of(page(tiny, statistic=head_effects.THIS_QUESTION))["high"] == 0.1


def test_the_effect_on_questions_of_the_type_is_in_points_with_its_interval(page):
    """The share of right answers, times a hundred."""
    app = page(statistic=head_effects.THIS_TYPE, layer="2", head="3")

    assert np.array(head_map_of(app)["values"]) == pytest.approx(100 * CHANGE)
    assert head_map_of(app)["unit"] == "points of accuracy"
    low, high = (head_effects.points(ends[1, 2]) for ends in (FOUND.low, FOUND.high))
    assert f"95 %: {low} to {high}" in said(app)
    assert "on 200 questions of this type (count)" in said(app)
    assert "answers 90 % rightly" in said(app)


@pytest.mark.parametrize("statistic", ["entropy", "grounding", head_effects.THIS_QUESTION])
def test_what_the_head_is_needed_for_stands_beside_any_statistic(page, statistic):
    """The change, its interval, the number of questions, and that this is about cause."""
    app = page(statistic=statistic, layer="2", head="3")

    change, low, high = (
        head_effects.points(part[1, 2]) for part in (FOUND.change, FOUND.low, FOUND.high)
    )
    assert f"Taken out: **{change} points** of accuracy" in said(app)
    assert f"95 %: {low} to {high}, of 200 questions of this type (count)" in said(app)
    assert "This is cause" in said(app)


@pytest.mark.parametrize(
    ("options", "statistic", "sentence"),
    [
        ({"effects": None}, head_effects.THIS_QUESTION, head_effects.NO_MEANS),
        ({"found": None}, head_effects.THIS_TYPE, head_effects.NO_FINDING),
        ({"kind": None}, head_effects.THIS_TYPE, head_effects.NO_TYPE),
        (
            {"effects": SimpleNamespace(change=np.zeros((6, 8)))},
            head_effects.THIS_QUESTION,
            head_effects.OTHER_STACK,
        ),
    ],
)
def test_effects_that_are_not_known_say_why(page, options, statistic, sentence):
    """All cells are missing, and nothing is said of the head beside them."""
    app = page(**options, statistic=statistic)

    assert np.isnan(head_map_of(app)["values"]).all()
    assert sentence in said(app)
    if "effects" not in options:
        assert "Taken out" not in said(app)


def test_means_of_other_weights_are_not_used(page, monkeypatch):
    """After another training the file is out of date; the page says so and goes on."""

    def refuse():
        raise ModelError("the means of other weights")

    app = page()
    monkeypatch.setattr(session, "head_effects", refuse)
    app.selectbox(key="heads_statistic").set_value(head_effects.THIS_QUESTION).run()

    assert not app.exception
    assert head_effects.NO_MEANS in said(app)


def test_a_finding_of_another_shape_is_not_shown(page):
    """Heads of one part of a model are not those of another."""
    zeros = np.zeros((6, 8))

    assert "Taken out" not in said(page(found=AblationFinding(1.0, zeros, zeros, zeros, 200)))


def test_the_table_to_take_away_has_columns_for_them():
    """One row for each head, layer by layer; what is missing is empty."""
    stack = random_trace().stacks["encoder"]
    missing = CHANGE.copy()
    missing[1, 2] = np.nan

    table = with_columns(as_csv(stack), {"ablation_type": missing})

    rows = list(csv.DictReader(io.StringIO(table)))
    assert len(rows) == missing.size
    for row in rows:
        value = missing[int(row["layer"]) - 1, int(row["head"]) - 1]
        assert row["ablation_type"] == ("" if np.isnan(value) else f"{value:.8g}")
    assert with_columns(as_csv(stack), {}) == as_csv(stack)


def test_a_question_of_the_generator_has_a_type_and_one_in_free_words_has_none():
    """Only what the generator asks was measured by type."""
    shown = requests.worked_example()

    assert requests.question_type(shown) == "color"
    for source, name in (("gallery", shown.name), ("upload", "0" * 64)):
        free = requests.Request("embedded", source, name, "what is this?")
        assert requests.question_type(free) is None


def test_each_head_of_the_embedded_model_can_be_taken_out_from_the_page(monkeypatch, tmp_path):
    """The page shows what the core measures, in one run of the model for all heads."""
    model = vl_core.load("embedded")
    means = ablation.head_means(model, [GALLERY[0].example(), GALLERY[1].example()])
    means.save(tmp_path / "means.safetensors")
    monkeypatch.setattr(session, "HEAD_MEANS", tmp_path / "means.safetensors")

    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=180)
    app.query_params.update(example="three-hearts", statistic=head_effects.THIS_QUESTION)
    app.switch_page("pages/heads.py").run()

    assert not app.exception
    assert not app.error
    expected = ablation.head_effects(model, GALLERY[1].example(), means)
    assert np.array(head_map_of(app)["values"]) == pytest.approx(expected.change, abs=1e-4)
