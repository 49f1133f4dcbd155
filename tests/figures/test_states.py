"""Figures of hidden states show the numbers they were given, kind by kind and state by state."""

import numpy as np
import pytest

from vl_core.figures import states
from vl_core.figures.style import KIND_COLORS, KIND_MARKS
from vl_core.trace import TokenTable
from vl_core.trace.nouns import QUERY_TOKEN, REGION

KINDS = ("special", "text", "text", "special", "image", "image", "image", "placeless", "answer")
PATCHES = ("patch 1, 1", "patch 1, 2", "patch 2, 1")
TEXTS = ("[CLS]", "red", "<b>star</b>", "[SEP]", *PATCHES, "query", "yes")


@pytest.fixture
def points():
    """Three states of nine tokens; each state is twice as wide as the one before."""
    rng = np.random.default_rng(3)
    return rng.normal(size=(3, 9, 2)) * np.array([1, 2, 4])[:, None, None]


def test_states_are_named_embeddings_and_after_each_layer():
    """State 0 is the embeddings and state k is after layer k."""
    assert states.state_names(3) == ("embeddings", "after layer 1", "after layer 2")
    assert states.state_names(1) == ("embeddings",)


def test_each_frame_holds_the_points_of_its_state_by_kind(points):
    """Every state has one frame, in which each kind's marks lie where its tokens lie."""
    figure = states.scatter(points, TEXTS, KINDS, "PCA")

    assert [frame.name for frame in figure.frames] == list(states.state_names(3))
    for state, frame in enumerate(figure.frames):
        shown = {marks.name: np.stack([marks.x, marks.y], axis=1) for marks in frame.data}
        for kind, noun in states.NOUNS.items():
            wanted = [points[state, i] for i in range(9) if KINDS[i] == kind]
            np.testing.assert_allclose(shown[noun.many], wanted)


def test_color_and_mark_both_tell_the_kind(points):
    """No kind shares its mark with another, and its color only within the image."""
    figure = states.scatter(points, TEXTS, KINDS, "PCA")

    looks = [(marks.marker.color, marks.marker.symbol) for marks in figure.data]
    assert looks == [(KIND_COLORS[kind], KIND_MARKS[kind]) for kind in states.NOUNS]
    assert len({mark for _, mark in looks}) == len(looks)
    assert len({color for color, _ in looks}) == len(looks) - 1


def test_what_a_model_says_and_what_has_no_place_have_marks_of_their_own():
    """Generated tokens, whatever they are; tokens of the image without a box."""
    boxes = np.full((5, 4), np.nan)
    boxes[1] = 0, 0, 5, 5
    tokens = TokenTable.of(
        ["what", "patch", "query", "red", "</s>"],
        ["text", "image", "image", "text", "special"],
        boxes,
        is_generated=np.array([False, False, False, True, True]),
    )

    assert states.mark_kinds(tokens) == ("text", "image", "placeless", "answer", "answer")


def test_a_kind_without_tokens_is_not_drawn(points):
    """A text-only stream has no patches in its legend."""
    kinds = tuple("text" if kind == "image" else kind for kind in KINDS)

    figure = states.scatter(points, TEXTS, kinds, "PCA")

    assert [marks.name for marks in figure.data] == [
        noun.many for kind, noun in states.NOUNS.items() if kind != "image"
    ]


@pytest.mark.parametrize(
    ("of_image", "called"),
    [
        (REGION, ["regions", "image tokens without a place"]),
        (QUERY_TOKEN, ["query tokens", "query tokens"]),
    ],
)
def test_tokens_of_the_picture_are_called_what_they_are(points, of_image, called):
    """Not all are patches, and all query tokens stand for no place."""
    figure = states.scatter(points, TEXTS, KINDS, "PCA", of_image=of_image)
    colors = [KIND_COLORS[kind] for kind in states.IMAGE_KINDS]

    assert [marks.name for marks in figure.data if marks.marker.color in colors] == called
    assert [marks.name for marks in figure.frames[-1].data if marks.name in called] == called


def test_markup_in_a_word_is_shown_and_not_obeyed(points):
    """Plotly reads tags in its texts, so a word that looks like one is escaped."""
    figure = states.scatter(points, TEXTS, KINDS, "<i>title</i>")

    assert figure.data[0].text == ("red", "&lt;b&gt;star&lt;/b&gt;")
    assert figure.layout.title.text == "&lt;i&gt;title&lt;/i&gt;"


def test_states_with_one_unit_share_one_frame(points):
    """Points that grow from state to state are seen to grow; all of them lie inside."""
    figure = states.scatter(points, TEXTS, KINDS, "PCA", shares_scale=True)

    ranges = {tuple(frame.layout.xaxis.range) for frame in figure.frames}
    ((low, high),) = ranges
    assert low < points[..., 0].min()
    assert points[..., 0].max() < high


def test_states_without_a_common_unit_fill_the_frame_each(points):
    """Each state's own range is just wide enough for its points."""
    figure = states.scatter(points, TEXTS, KINDS, "PCA", shares_scale=False)

    for frame, state in zip(figure.frames, points, strict=True):
        low, high = frame.layout.yaxis.range
        width = np.ptp(state[:, 1])
        assert low < state[:, 1].min()
        assert state[:, 1].max() < high
        assert high - low < 1.2 * width


def test_the_slider_reaches_every_state_by_its_name(points):
    """One step for each state, which animates to the frame of the same name."""
    figure = states.scatter(points, TEXTS, KINDS, "PCA")

    steps = figure.layout.sliders[0].steps
    assert [step.label for step in steps] == list(states.state_names(3))
    assert [step.args[0][0] for step in steps] == [frame.name for frame in figure.frames]


def test_the_gap_is_drawn_as_three_curves_with_the_state_marked():
    """Each measure stands in its own panel, and the shown state's mark is the largest."""
    curves = np.array([[0.1, 0.2, 0.3, 0.4], [0.9, 0.7, np.nan, 0.3], [1.0, 2.0, 3.0, 4.0]])

    figure = states.modality_gap(*curves, state=2)

    for drawn, curve in zip(figure.data, curves, strict=True):
        np.testing.assert_allclose(np.array(drawn.y, float), curve)
        assert int(np.argmax(drawn.marker.size)) == 2
        assert list(drawn.text) == list(states.state_names(4))
    assert len({drawn.xaxis for drawn in figure.data}) == 3
