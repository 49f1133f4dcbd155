"""The heads page shows models of any kind and size: towers, text alone, causal, 80 x 64 heads."""

from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.shared import head_effects, head_list, head_panel, models, session
from tests.browser import ROOT
from tests.builders import random_stack, random_stream, random_tokens, random_trace
from tests.decoders import decoder_trace
from tests.packed import head_map_of
from tests.sinks.made import stack_of
from vl_core import head_stats
from vl_core.head_stats.pattern import patterns
from vl_core.head_stats.summary import ranks
from vl_core.trace import KeptNothing, Trace

LARGE = (80, 64)
KEYS = [one.key for one in head_stats.STATISTICS]


def text_trace() -> Trace:
    """A text tower: no patches, and no picture was asked about."""
    shown = random_trace()
    tokens = random_tokens(rows=0, columns=0)
    return replace(
        shown,
        example=replace(shown.example, image=None, picture=None, original_size=None, regions=()),
        streams={"encoder": random_stream("encoder", tokens)},
        stacks={"encoder": random_stack(queries=tokens)},
    )


def regions_trace() -> Trace:
    """Words that look at a detector's regions, and at nothing else."""
    shown = random_trace()
    words, regions = random_tokens(4, 0, 0), random_tokens(0, 2, 3, specials=False)
    regions = replace(regions, texts=tuple(f"region {number}" for number in range(1, 7)))
    across = random_stack(queries=words, keys=regions, regions=shown.example.regions)
    streams = {
        "language": random_stream("language", words),
        "vision": random_stream("vision", regions),
    }
    return replace(shown, streams=streams, stacks={across.name: across})


@pytest.fixture
def page(monkeypatch):
    """Opens the page on a trace."""

    def opened(trace: Trace, **link: str) -> AppTest:
        name = f"trace {id(trace)}"
        monkeypatch.setattr(session, "_shown", lambda: (name, trace))
        monkeypatch.setattr(models, "warm_up", lambda: None)
        app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120)
        app.query_params.update(link)
        app.run()
        app.switch_page("pages/heads.py").run()
        return unharmed(app)

    return opened


def unharmed(app: AppTest) -> AppTest:
    """The page, on which nothing went wrong."""
    assert not app.exception
    assert not app.error
    return app


def said(app: AppTest) -> str:
    """All text on the page, as a reader sees it."""
    kinds = ("markdown", "caption", "info", "subheader")
    parts = [element.value for kind in kinds for element in app.main.get(kind)]
    return " ".join(parts).replace("\\", "")


def test_stacks_are_called_by_who_looks_at_whom(page):
    """Streams by their names, cross-attention in words; a single stack is not asked for."""
    app = page(decoder_trace())

    chooser = app.selectbox(key="heads_stack")
    assert chooser.options == ["Language", "Vision", "Language looking at vision"]
    with pytest.raises(KeyError):
        page(random_trace()).selectbox(key="heads_stack")


@pytest.mark.parametrize(
    ("stack", "statistic"),
    [
        ("language", head_stats.TEXT_TO_IMAGE_MASS),
        ("vision", head_stats.REACH),
        ("language<-vision", head_stats.TEXT_TO_IMAGE_MASS),
    ],
)
def test_each_stack_opens_on_a_statistic_that_it_has(page, stack, statistic):
    """A vision tower has no words: how far its patches look is shown instead of an empty map."""
    trace = decoder_trace()
    app = page(trace)

    app.selectbox(key="heads_stack").set_value(stack).run()

    shown = head_map_of(unharmed(app))
    assert shown["name"] == statistic.name
    assert shown["values"] == pytest.approx(statistic.of(trace.stacks[stack]))
    assert shown["layers"] == [layer + 1 for layer in trace.stacks[stack].layers]


def test_generated_words_are_said_to_count_as_text(page):
    """Beside the definition of what is measured, and not where there is no text."""
    sentence = "The words of the answer count as text: 3 of the 10 text tokens that look were gen"
    app = page(decoder_trace(), statistic="text_to_image_mass", stack="language")
    assert sentence in said(app)

    for link in ({"stack": "vision"}, {"statistic": "image_to_image_mass", "stack": "language"}):
        assert "count as text" not in said(page(decoder_trace(), **link))


def test_it_is_said_which_row_is_a_generated_words(page):
    """And that the other one is to be had: on the attention page, if attention was kept."""
    row = "The row of each is the one at its own position, which reads it and predicts the next; "
    trace = decoder_trace()
    app = page(trace, statistic="text_to_image_mass", stack="language")
    assert row in said(app)
    assert "The attention page shows either row." in said(app)
    assert "The attention page shows" not in said(page(trace, statistic="entropy"))

    stack = trace.stacks["language"]
    blocks = tuple(
        tuple(replace(one, kept=KeptNothing(one.kept.shape, one.kept.mask)) for one in layer)
        for layer in stack.blocks
    )
    measured = {one: head_stats.by_key(one).of(stack) for one in KEYS}
    bare = replace(trace, stacks={"language": replace(stack, blocks=blocks, head_stats=measured)})
    app = page(bare, statistic="text_to_image_mass", stack="language")
    assert row in said(app)
    assert "The attention page shows" not in said(app)


def test_what_is_1_by_construction_is_no_number_to_open_on(page):
    """Words that can look at nothing but regions: entropy first, and of a mass one sentence why."""
    trace = regions_trace()
    app = page(trace)
    assert head_map_of(app)["name"] == head_stats.ENTROPY.name
    assert "by construction" not in said(app)

    app = page(trace, statistic="text_to_image_mass")
    assert head_map_of(app)["values"] == pytest.approx(1)
    assert "a word may look at nothing but regions" in said(app)
    assert "is the share of the words' attention on all regions." in said(app)
    assert "What is missing to 1" not in said(app)


def test_what_is_1_without_special_tokens_is_said_only_then(page):
    """Patches of a tower look at its class token, too, unless that does not count."""
    sentence = "may look at nothing but patches once special tokens are left out"
    link = {"stack": "vision", "statistic": "image_to_image_mass"}

    assert sentence not in said(page(decoder_trace(), **link))
    assert sentence in said(page(decoder_trace(), **link, specials="without"))


def test_a_statistic_is_kept_where_the_next_stack_has_it_too(page):
    """Entropy goes along to the tower; what needs words does not."""
    app = page(decoder_trace(), statistic="entropy")
    app.selectbox(key="heads_stack").set_value("vision").run()
    assert app.query_params["statistic"] == "entropy"

    app = page(decoder_trace(), statistic="text_to_text_mass")
    app.selectbox(key="heads_stack").set_value("vision").run()
    assert app.query_params["statistic"] == "reach"


@pytest.mark.parametrize(
    ("trace", "link", "sentence"),
    [
        (decoder_trace(), {"stack": "vision"}, "no words look in this stack"),
        (text_trace(), {}, "no patches are looked at in this stack"),
    ],
)
def test_a_link_to_what_a_stack_has_not_got_says_why(page, trace, link, sentence):
    """The map is hatched and the reason stands above it."""
    app = page(trace, statistic="text_to_image_mass", **link)

    assert np.isnan(head_map_of(app)["values"]).all()
    assert sentence in said(app)


def test_a_text_tower_is_shown_without_a_picture(page):
    """By the spread of its attention."""
    app = page(text_trace())

    assert head_map_of(app)["name"] == head_stats.ENTROPY.name
    assert "No words look at a picture here" in said(app)


def test_patches_that_cannot_see_the_words_are_said_to_be_nothing_by_construction(page):
    """In a causal model whose picture comes first: 0 in all heads, and one sentence why."""
    app = page(decoder_trace(), statistic="image_to_text_mass")
    assert not head_map_of(app)["values"].any()
    assert "no patch may look at any word: the mask forbids it" in said(app)

    assert "the mask forbids it" not in said(page(decoder_trace()))
    app = page(decoder_trace(), statistic="image_to_text_lift")
    assert np.isnan(head_map_of(app)["values"]).all()
    assert "the mask forbids it" in said(app)


def test_where_no_words_look_at_the_picture_its_patches_do(page):
    """The panel of a vision tower shows the mean over its patches."""
    app = page(decoder_trace(), stack="vision", layer="2", head="3")

    assert "Where its patches look: " in said(app)


def test_of_several_views_the_finest_is_drawn_and_named(page):
    """The share on the whole picture is not lost: it stands beside that on the tiles."""
    trace = decoder_trace()
    app = page(trace, layer="2", head="3")

    stack = trace.stacks["language"]
    weights = np.asarray(stack.weights[1, 2][stack.queries.is_text]).mean(axis=0)
    views = np.array(stack.keys.views)
    on_picture, on_tiles = (
        f"{100 * weights[views == view].sum():.1f} %"
        if view
        else f"{100 * weights[stack.keys.is_image].sum():.1f} %"
        for view in ("", "tiles")
    )
    assert (
        f"look: {on_picture} of their attention is on the picture, {on_tiles} on its view"
        in said(app)
    )


def test_effects_of_the_embedded_models_heads_are_not_offered_for_another_model(page, monkeypatch):
    """Not in the menu, not by a link, and not beside a head, also where the sizes are the same."""
    trace = random_trace(layers=6, heads=8)
    monkeypatch.setattr(session, "head_effects", lambda: pytest.fail("no heads were taken out"))

    app = page(trace, statistic=head_effects.THIS_QUESTION, layer="2", head="6")

    assert head_map_of(app)["name"] == head_stats.TEXT_TO_IMAGE_MASS.name
    assert not set(head_effects.NAMES.values()) & set(app.selectbox(key="heads_statistic").options)
    assert "Taken out" not in said(app)
    assert "Ablation" not in said(app)


@pytest.fixture(scope="module")
def large():
    """80 layers of 64 heads, with statistics measured beforehand as a trace has them."""
    layers, heads = LARGE
    trace = random_trace(layers=layers, heads=heads)
    stack = trace.stacks["encoder"]
    rng = np.random.default_rng(0)
    measured = {
        f"{one.key}{variant}": rng.random(LARGE)
        for one in head_stats.STATISTICS
        for variant in ("", "/without_specials")
    }
    return replace(trace, stacks={"encoder": replace(stack, head_stats=measured)})


@pytest.mark.parametrize("view", ["raw", "z"])
def test_the_map_of_5120_heads_takes_less_than_60_kilobytes(page, large, view):
    """Numbers alone go to the browser, and they are the core's."""
    app = page(large, view=view, statistic="entropy")

    [message] = [c.proto.bytes for c in app.get("bidi_component") if c.proto.bytes]
    assert len(message) < 60_000
    shown, stack = head_map_of(app), large.stacks["encoder"]
    values = stack.head_stats["entropy"]
    own = shown["values"] if view == "raw" else shown["own"]
    np.testing.assert_allclose(own, values, rtol=1e-6)
    named = [[shown["patterns"][number] for number in row] for row in shown["pattern"]]
    assert named == [[one.name for one in row] for row in patterns(stack)]


def test_of_5120_heads_the_first_are_listed(page, large):
    """In the order of their ranks; all of them are in the table to take away."""
    app = page(large, statistic="entropy")

    values = large.stacks["encoder"].head_stats["entropy"]
    table = max((frame.value for frame in app.dataframe), key=len)
    assert len(table) == head_list.LISTED
    places = table["layer"] - 1, table["head"] - 1
    assert table["value"].to_numpy() == pytest.approx(values[places])
    assert ranks(values)[places].tolist() == list(range(1, head_list.LISTED + 1))
    assert f"The first {head_list.LISTED} of 5,120 heads" in said(app)


def test_a_head_beyond_the_list_can_be_selected(page, large):
    """It is no row of the list, and everything else is about it."""
    values = large.stacks["encoder"].head_stats["entropy"]
    layer, head = np.unravel_index(values.argmin(), values.shape)

    app = page(large, statistic="entropy", layer=str(layer + 1), head=str(head + 1))

    assert app.subheader[0].value == f"Layer {layer + 1}, head {head + 1}"
    assert "rank 5120 of 5120" in said(app)
    assert app.query_params["head"] == str(head + 1)


def test_the_mean_over_the_heads_is_formed_once(page, monkeypatch):
    """It takes as long as all heads together; looking at it again takes no time."""
    formed = []
    looks = head_panel.looks
    monkeypatch.setattr(
        head_panel,
        "looks",
        lambda *args, **options: formed.append(args[2]) or looks(*args, **options),
    )
    app = page(random_trace(), layer="2", head="mean")
    app.run()
    app.run()

    assert formed == [None]


def test_regions_are_called_so_on_the_whole_page(page):
    """In the panel, the list, the hints, the definitions and the rules."""
    trace = random_trace()
    tokens = trace.streams["encoder"].tokens
    texts = [f"region {i}" if tokens.is_image[i] else text for i, text in enumerate(tokens.texts)]
    tokens = replace(tokens, texts=tuple(texts))
    weights = np.full((12, 12), 1 / 12)
    weights[tokens.is_image] = np.eye(12)[3]  # all look at one word
    stack = stack_of(np.tile(weights, (3, 5, 1, 1)), tokens)
    stack = replace(stack, regions=trace.example.regions)
    stream = replace(trace.streams["encoder"], tokens=tokens)
    shown = replace(trace, streams={"encoder": stream}, stacks={"encoder": stack})
    app = page(shown, statistic="reach", layer="1", head="1")

    told = [*app.main.markdown, *app.main.caption, *app.main.metric]
    texts = " ".join(f"{one.value} {getattr(one, 'help', '')}" for one in told).replace("\\", "")
    rules = [one.value for one in told if one.value.startswith("- **")]  # of sinks, with sources
    assert "A region that enters the layer" in rules[0]
    assert "patch" not in texts.replace(rules[0].replace("\\", ""), "")
    assert "image query's region and the image keys' regions" in texts
    assert "In regions, from 0 up." in texts
    assert "*regions look at the words*: regions go at least half" in texts
    assert "The mean share of the attention of all words and regions." in texts
    assert not [name for name in head_map_of(app)["patterns"] if "patch" in name]
    assert set(app.main.dataframe[0].value["pattern"]) == {"regions look at the words"}
