"""What a model makes of a data set is kept, and what it amounts to is right."""

import math
import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pages.shared import models
from pages.shared.data_sets import set_answers, set_scores, sets
from tests.pages.set_visits import Listed, choosing, forget_sets, plain
from vl_core.answers import Answer
from vl_core.datasets.scored import Scored
from vl_core.errors import ModelError, TextError

PATIENCE = 20  # seconds
NAMES = ("model", "listed")
number = st.floats(-700, 700) | st.just(math.nan)


class Fake:
    """A model that scores by the length of the text, and counts how often it is asked."""

    def __init__(self, weights_hash="hash"):
        self.provenance = SimpleNamespace(weights_hash=weights_hash)
        self.asked, self.gate = [], threading.Event()
        self.gate.set()

    def score(self, example):
        """As Model.score."""
        assert self.gate.wait(PATIENCE)
        self.asked.append(example.text)
        if "unreadable" in example.text:
            raise TextError("It is too long.")
        return float(len(example.text))

    def answer(self, example):
        """As Model.answer: the first word of what it is asked."""
        self.asked.append(example.text)
        if "unreadable" in example.text:
            raise TextError("It is too long.")
        return Answer(example.text.split()[0])


@pytest.fixture
def served(monkeypatch):
    """Lets a set in memory be scored by a model; nothing of it is known before."""
    forget_sets()

    def serve(*items, model=None, kind="table"):
        data, model = Listed(items, kind=kind), model or Fake()
        monkeypatch.setattr(sets, "names", lambda: ["listed"])
        monkeypatch.setattr(sets, "_open", lambda *_: data)
        monkeypatch.setattr(models, "model", lambda _: model)
        monkeypatch.setattr(models, "is_loaded", lambda _: True)
        return model

    yield serve
    forget_sets()


def sourced(text, *sources, right):
    """A question with sources."""
    item = choosing(text, *sources)
    asked = replace(item.asked[0], name=sets.SOURCES, right=frozenset(right))
    return replace(item, asked=(asked,))


def scored(*scores):
    """One question of an item with these scores."""
    return Scored(0, "item", 0, "candidates", scores, (0,))


@given(st.lists(number, min_size=1, max_size=6))
def test_shares_are_the_softmax_over_the_scores(scores):
    """Of those that are known; the others have none."""
    known = [one for one in scores if not math.isnan(one)]
    highest = max(known, default=0)
    total = sum(math.exp(one - highest) for one in known)
    wanted = [math.nan if math.isnan(one) else math.exp(one - highest) / total for one in scores]

    assert set_scores.shares(scored(*scores)) == pytest.approx(wanted, abs=1e-12, nan_ok=True)


def test_every_option_is_scored_once_for_all_visitors(served):
    """The second who looks at the item asks the model nothing."""
    model = served(plain("p"), choosing("q?", "a", "bbb", "cc", right=1))
    assert set_scores.judged(*NAMES, 1, 0) is None

    set_scores.score(*NAMES, 1)
    assert set_scores.score(*NAMES, 1) == {}

    assert model.asked == ["q? a", "q? bbb", "q? cc"]
    found = set_scores.judged(*NAMES, 1, 0).scored
    assert found.scores == (4, 6, 5)
    assert (found.top, found.is_right) == ((1,), True)


def test_scores_of_other_weights_under_the_same_name_are_not_mixed(served):
    """A checkpoint may be trained on, and be loaded again."""
    items = (choosing("q?", "a", "bb"),)
    served(*items)
    set_scores.score(*NAMES, 0)

    served(*items, model=Fake("another hash"))
    assert set_scores.judged(*NAMES, 0, 0) is None
    assert set_scores.all_scored(*NAMES) == []


def test_an_option_that_cannot_be_read_has_no_score_and_a_reason(served):
    """The others have theirs; an item of which none can be read is tried again the next time."""
    model = served(choosing("q?", "a", "unreadable"), choosing("q?", "unreadable", "unreadable "))

    judged = set_scores.score(*NAMES, 0)[0]
    assert judged.scored.scores[0] == 4
    assert math.isnan(judged.scored.scores[1])
    assert judged.unread == {"1": "It is too long."}

    for _ in range(2):
        assert set_scores.score(*NAMES, 1)[0].scored.top == ()
    assert len(model.asked) == 2 + 2 * 2


def test_a_model_is_right_about_an_item_if_it_is_in_all_that_is_asked(served):
    """Nothing is said of items that are not scored or whose truth is not told."""
    right, wrong = choosing("q?", "bb", "a"), choosing("q?", "a", "bb")
    both = choosing("q?", "bb", "a")
    both = type(both)(both.name, both.text, (right.asked[0], wrong.asked[0]))
    served(right, wrong, both, choosing("q?", "a", "b", right=None), right)
    for item in range(4):
        set_scores.score(*NAMES, item)

    assert set_scores.outcomes(*NAMES) == {0: True, 1: False, 2: False}


def test_an_answer_is_asked_for_once_and_compared_word_for_word(served):
    """With the set's; an item of which the set tells no answer is not right and not wrong."""
    model = served(
        plain("The. left", answer="the"), plain("red one", answer="blue"), plain("green one")
    )
    for number in (0, 1, 2, 0):
        set_answers.answer(*NAMES, number)

    assert len(model.asked) == 3
    assert set_answers.answered(*NAMES, 1).said == "red"
    assert set_scores.outcomes(*NAMES) == {0: True, 1: False}
    assert set_scores.figures(*NAMES) == [(set_scores.ANSWERS, 0.5)]


def test_answers_of_other_weights_are_not_mixed(served):
    """Nor is anything known of a model that is not loaded."""
    served(plain("a", answer="a"))
    set_answers.answer(*NAMES, 0)
    served(plain("a", answer="a"), model=Fake("another hash"))

    assert set_answers.answered(*NAMES, 0) is None


def test_scoring_a_set_asks_for_answers_where_there_are_no_candidates(served):
    """Only of items whose answer is told; what gives neither score nor answer is counted."""
    model = served(
        choosing("q?", "bb", "a"),
        plain("red", answer="red"),
        plain("not told"),
        plain("unreadable", answer="red"),
        choosing("q?", "unreadable", "unreadable "),
        choosing("z?", "a", "unreadable"),
        None,
    )
    assert sets.tasks("listed") == {"candidates", "question"}

    set_scores.begin(*NAMES, 7)
    job = set_scores.job(*NAMES)
    job.thread.join(PATIENCE)

    assert (job.result, job.problem) == (3, None)
    assert "not told" not in model.asked
    assert set_scores.outcomes(*NAMES) == {0: True, 1: True, 5: True}
    assert set_scores.figures(*NAMES) == [("candidates", 1.0), (set_scores.ANSWERS, 1.0)]


def test_what_a_model_is_judged_by_is_found_anywhere_in_a_set(served):
    """Not by the first item alone, which may be another one or damaged."""
    items = [plain("p")] * 7
    served(None, *items, choosing("q?", "a", "b"))
    assert sets.tasks("listed") == {"candidates"}

    forget_sets()
    served(choosing("q?", "a"), *items)
    assert sets.tasks("listed") == set()

    forget_sets()
    served(*items, plain("p", answer="a"))
    assert sets.tasks("listed") == {"question"}


def test_the_right_sources_are_those_chosen_and_no_other(served):
    """At the threshold on show; not the highest alone, which costs no F1."""
    data = [
        sourced("a", "22", "55555", right={1}),
        sourced("b", "4444", "55555", "1", right={0, 1}),
        sourced("c", "4444", "55555", right={1}),
        sourced("d", "55555", "4444", right={1}),
    ]
    served(*data, kind="WebQA")
    for number in range(4):
        set_scores.score(*NAMES, number)

    known = set_scores.all_scored(*NAMES)
    threshold = set_scores.threshold(*NAMES)
    wanted = {
        one.number: {p for p, score in enumerate(one.scores) if score > threshold} == set(one.right)
        for one in known
    }
    assert set_scores.outcomes(*NAMES) == wanted
    assert set(wanted.values()) == {True, False}
    assert wanted != {one.number: one.is_right for one in known}


def test_a_whole_set_is_scored_in_the_background_up_to_a_number(served):
    """What was known already is not asked again, and damaged items are counted."""
    model = served(
        *[choosing(f"q{n}?", "a", "bb") for n in range(3)], None, choosing("z?", "a", "b")
    )
    set_scores.score(*NAMES, 1)

    set_scores.begin(*NAMES, 4)
    job = set_scores.job(*NAMES)
    job.thread.join(PATIENCE)

    assert (job.result, job.problem) == (1, None)
    assert len(model.asked) == 6
    assert [one.number for one in set_scores.all_scored(*NAMES)] == [0, 1, 2]
    assert set_scores.figures(*NAMES) == [("candidates", 0.0)]


def test_scoring_a_set_can_be_stopped_and_goes_on_where_it_was(served):
    """What was scored is kept; a second visitor's click starts no second run."""
    model = served(*[choosing(f"q{n}?", "a", "bb") for n in range(30)])
    model.gate.clear()
    set_scores.begin(*NAMES, 30)
    job = set_scores.job(*NAMES)
    set_scores.begin(*NAMES, 30)
    assert set_scores.job(*NAMES) is job
    set_scores.stop(*NAMES)
    model.gate.set()
    job.thread.join(PATIENCE)

    assert (job.was_stopped, job.problem) == (True, set_scores.STOPPED)
    so_far = len(set_scores.all_scored(*NAMES))
    assert so_far < 30
    set_scores.begin(*NAMES, 30)
    set_scores.job(*NAMES).thread.join(PATIENCE)
    assert len(set_scores.all_scored(*NAMES)) == 30
    assert len(model.asked) == 60


def test_a_model_that_cannot_score_says_so_once(served):
    """For the whole set, too."""

    class Mute(Fake):
        def score(self, _):
            raise ModelError("This model gives no score to a candidate.")

    served(*[choosing("q?", "a", "b")] * 3, model=Mute())
    with pytest.raises(ModelError, match="no score"):
        set_scores.score(*NAMES, 0)
    set_scores.begin(*NAMES, 3)
    job = set_scores.job(*NAMES)
    job.thread.join(PATIENCE)

    assert job.problem == "This model gives no score to a candidate."
    assert not job.was_stopped
    assert set_scores.all_scored(*NAMES) == []


def test_figures_are_of_all_that_is_scored_by_now(served):
    """They follow when more is known."""
    served(choosing("q?", "bb", "a"), choosing("q?", "a", "bb"))
    assert set_scores.figures(*NAMES) == []
    set_scores.score(*NAMES, 0)
    assert set_scores.figures(*NAMES) == [("candidates", 1.0)]
    set_scores.score(*NAMES, 1)
    assert set_scores.figures(*NAMES) == [("candidates", 0.5)]


def test_of_a_model_that_is_not_loaded_nothing_is_known(served, monkeypatch):
    """And nothing is loaded to find that out."""
    served(choosing("q?", "bb", "a"))
    set_scores.score(*NAMES, 0)
    monkeypatch.setattr(models, "is_loaded", lambda _: False)
    monkeypatch.setattr(models, "model", lambda _: pytest.fail("loads the model"))

    assert set_scores.outcomes(*NAMES) == {}
    assert set_scores.judged(*NAMES, 0, 0) is None
    assert set_scores.figures(*NAMES) == []


def test_shares_of_equal_scores_are_equal():
    """However many there are, and however low."""
    assert np.allclose(set_scores.shares(scored(-900.0, -900.0, -900.0)), 1 / 3)
