"""What of a stack goes to the browser, in which order, and what is worked out by the server."""

import json
from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.shared.components import blob_store
from pages.shared.selection import Selection
from tests.builders import grid, random_stack, random_tokens
from tests.decoders import decoder_trace, language_tokens, prefix_mask, words
from tests.pages import linked_view_alone as alone
from tests.pages.sent import blobs, dropped, view
from vl_core import wire
from vl_core.linked_view import delivery
from vl_core.linked_view.delivery import Delivery, shown_tokens
from vl_core.linked_view.tokens import folds, tables
from vl_core.token_attention import profiles
from vl_core.trace import TokenTable

LANGUAGE = decoder_trace().stacks["language"]
ACROSS = decoder_trace().stacks["language<-vision"]


def opened(**parameters: str) -> AppTest:
    """The view alone, opened at that address."""
    test = AppTest.from_file(alone.__file__, default_timeout=60)
    test.query_params.update(parameters)
    test.run()
    assert not test.exception
    return test


def names(test: AppTest) -> list[str]:
    """What was sent, without the analysis."""
    return [key.partition("/")[2] for key in blobs(test)]


def heads(layer: int, count: int) -> list[str]:
    """Names of all heads of a layer of the encoder."""
    return [f"encoder/{layer}/h{head}" for head in range(count)]


def test_bytes_are_sent_once_what_is_on_show_first():
    """The first run sends all layers and the picture, the second nothing."""
    test = opened()

    found = names(test)
    assert found[:5] == [
        "encoder/tokens",
        "encoder/1",
        "encoder/1/k0",
        "encoder/1/h2",
        "picture",
    ]
    for layer in range(3):
        assert set(heads(layer, 5)) <= set(found)
    assert len(found) == len(set(found))
    assert blobs(test.run()) == {}


def test_of_a_long_stack_the_selected_layer_is_sent(monkeypatch):
    """Beyond the limit the browser gets one layer, and is told that it has not got them all."""
    size = sum(wire.sizes(layer).bytes for layer in alone.stack().blocks)
    monkeypatch.setattr(delivery, "WHOLE_BYTES", size - 1)
    test = opened()

    assert set(heads(1, 5)) <= set(names(test))
    assert not set(names(test)) & {"encoder/0", *heads(0, 5), "encoder/2"}
    assert view(test)["isWhole"] is False
    assert view(test)["holdsLayer"] is True
    assert view(test)["profile"] is None


def test_of_a_longer_one_the_selected_head_and_what_all_heads_do_with_what_is_pinned(monkeypatch):
    """Other heads stay here; their values for the pinned token are worked out here."""
    monkeypatch.setattr(delivery, "WHOLE_BYTES", 100)
    monkeypatch.setattr(delivery, "LAYER_BYTES", 100)
    test = opened()

    profile = view(test)["profile"]
    assert set(names(test)) & set(heads(1, 5)) == {"encoder/1/h2"}
    assert view(test)["holdsLayer"] is False
    assert (profile["layer"], profile["tokens"]) == (1, [4])
    wanted = wire.packed(profiles(alone.stack(), 1, (4,), "looks_at")[:, None])
    assert blobs(test)[profile["key"]] == wanted


def test_a_mean_of_heads_that_are_not_there_is_worked_out_here(monkeypatch):
    """No head is sent for it."""
    monkeypatch.setattr(delivery, "WHOLE_BYTES", 100)
    monkeypatch.setattr(delivery, "LAYER_BYTES", 100)
    chosen = Selection("language", head=None, tokens=(40,))

    found = Delivery.of(LANGUAGE, chosen, offers_position=True)

    assert found.sends_profile
    assert not [name for name in found.chosen() | found.rest() if "/h" in name]


@pytest.mark.parametrize(("count", "sends"), [(2, False), (3, True)])
def test_many_tokens_are_left_to_the_server(monkeypatch, count, sends):
    """What the browser would take longer for than a blink; one head alone may still be quick."""
    monkeypatch.setattr(delivery, "WHOLE_BYTES", 100)
    products = wire.sizes(LANGUAGE.blocks[0]).products
    monkeypatch.setattr(delivery, "BLINK", 2 * LANGUAGE.n_heads * products)
    chosen = Selection("language", tokens=tuple(range(count)))

    found = Delivery.of(LANGUAGE, chosen, offers_position=False)

    assert found.reach == 2 * LANGUAGE.n_heads
    assert found.sends_profile == sends


def test_the_server_works_with_the_position_that_was_chosen(monkeypatch):
    """What predicts a word of the answer is the row before it; columns have no such choice."""
    monkeypatch.setattr(delivery, "WHOLE_BYTES", 100)
    monkeypatch.setattr(delivery, "LAYER_BYTES", 100)
    word = int(np.flatnonzero(LANGUAGE.queries.is_generated)[1])
    chosen = Selection("language", tokens=(word,))

    def values(**changes: object) -> bytes:
        found = Delivery.of(LANGUAGE, replace(chosen, **changes), offers_position=True)
        return found.chosen()[found.profile_name]()

    for row, changes in [(word - 1, {}), (word, {"position": "reads"})]:
        wanted = profiles(LANGUAGE, 0, (row,), "looks_at")
        assert values(**changes) == wire.packed(wanted[:, None])
    column = profiles(LANGUAGE, 0, (word,), "looked_at_by")
    assert values(direction="looked_at_by") == wire.packed(column[:, None])


def test_a_table_of_allowed_keys_is_sent_once_for_all_layers(monkeypatch):
    """And before the layers that need it."""
    mask = prefix_mask(len(LANGUAGE.queries), 30)
    blocks = tuple(
        tuple(replace(block, kept=replace(block.kept, mask=mask)) for block in layer)
        for layer in LANGUAGE.blocks
    )
    stack = replace(LANGUAGE, blocks=blocks)

    found = Delivery.of(stack, Selection("language", layer=1), offers_position=False)
    sent = list(found.chosen() | found.rest())

    assert [name for name in sent if "mask" in name] == ["language/mask0"]
    assert sent.index("language/mask0") < sent.index("language/1")
    assert json.loads(found.chosen()["language/1"]())["blocks"][0]["mask"]["allowed"] == "mask0"


@pytest.mark.parametrize("direction", ["looks_at", "looked_at_by"])
def test_what_is_on_show_is_pinned_or_all_words(direction):
    """Across streams, queries and keys are pinned apart; a tower has no words."""
    chosen = Selection("language<-vision", direction=direction, tokens=(3,), keys=(7, 8))
    unpinned = replace(chosen, tokens=(), keys=())
    asks_queries = direction == "looks_at"

    assert shown_tokens(ACROSS, chosen) == ((3,) if asks_queries else (7, 8))
    wanted = np.flatnonzero(ACROSS.queries.is_text)
    assert shown_tokens(ACROSS, unpinned) == tuple(wanted if asks_queries else [6])
    assert shown_tokens(LANGUAGE, chosen) == (3,)


def test_tables_tell_each_side_of_its_own_tokens():
    """Once for a stream that looks at itself, with the views of the picture and what they cover."""
    own = json.loads(tables(LANGUAGE, (60, 32)))
    across = json.loads(tables(ACROSS, (60, 32)))

    assert own["keys"] is None
    assert own["queries"]["views"] == ["whole picture", "tiles"]
    assert own["queries"]["covered"] == pytest.approx([1, 1])
    assert own["queries"]["viewOf"][:4] == [-1, -1, 0, 0]
    assert own["queries"]["generated"] == np.flatnonzero(LANGUAGE.queries.is_generated).tolist()
    assert across["streams"] == ["language", "vision"]
    assert across["keys"]["covered"] == pytest.approx([0.6])
    assert across["keys"]["texts"][0] == "class"
    assert across["keys"]["boxes"][0] is None
    # Patches of the language stream do not look at the tower: they are not there to be asked.
    assert not any(across["queries"]["boxes"])
    assert across["queries"]["kinds"][2] == "padding"
    assert across["queries"]["kinds"][0] == "special"


def test_long_texts_are_cut_and_beside_it_whole():
    """A name of an undecodable answer may be sixty characters long, forty-eight times."""
    texts = [f"{'?' * 60} ({i + 1}/48)" for i in range(48)]
    tokens = TokenTable.joined([words(["red"]), words(texts)])

    table = json.loads(tables(random_stack(queries=tokens), None))["queries"]

    assert table["texts"][0] == "red"
    assert table["texts"][12] == "???????… (12/48)"
    assert max(map(len, table["texts"])) <= 16
    assert max(map(len, table["labels"])) <= 16
    assert table["wholes"] == {str(i + 1): text for i, text in enumerate(texts)}
    assert len(set(table["labels"])) == 49


def test_views_have_the_tint_of_their_name():
    """Whichever view the model is shown first."""
    tokens = LANGUAGE.queries
    swapped = {"whole picture": "tiles", "tiles": "whole picture", "": ""}
    other = replace(tokens, views=tuple(swapped[view] for view in tokens.views))

    for queries in (tokens, other):
        table = json.loads(tables(random_stack(queries=queries), (60, 32)))["queries"]
        tints = dict(zip(table["views"], table["tints"], strict=True))
        assert tints == {"whole picture": 1.0, "tiles": 0.55}
    assert json.loads(tables(ACROSS, (60, 32)))["keys"]["tints"] == [1.0]


def test_tables_tell_what_the_tokens_of_the_picture_are():
    """Patches, or the regions of a detector."""
    regions = TokenTable.of(["region 1", "region 2"], ["image"] * 2, grid(1, 2, (60, 32)))

    table = json.loads(tables(random_stack(queries=regions), (60, 32)))["queries"]

    assert table["noun"] == {"one": "region", "many": "regions"}
    assert table["labels"] == ["region 1", "region 2"]


def test_runs_of_specials_are_folded_but_never_the_answer():
    """Ends of rows stand apart in the stream and next to each other in the list."""
    tokens = language_tokens(tiles=(4, 5), answer=["<a>", "<b>", "<c>", "<d>", "<e>"])

    texts = [[tokens.texts[token] for token in fold] for fold in folds(tokens)]

    assert texts == [["<s>", "USER:", *["<row>"] * 4]]
    assert folds(random_tokens()) == []
    three = TokenTable.joined([words(["[A]"] * 3, "special"), words(["b"])])
    assert folds(three) == []


def test_what_was_sent_first_goes_when_it_becomes_too_much(monkeypatch):
    """Nothing that is needed now goes, and what went is sent again when it is needed."""
    monkeypatch.setattr(delivery, "WHOLE_BYTES", 100)
    test = opened()
    first = blobs(test)
    monkeypatch.setattr(blob_store, "KEPT_BYTES", 100)

    test.session_state["choice"] = alone.START | {"layer": 2}
    test.run()
    gone = dropped(test)
    assert set(gone) == {key for key in first if "encoder/1" in key}
    assert set(blobs(test)) >= {"alone/encoder/2", "alone/encoder/2/h2"}

    test.session_state["choice"] = alone.START
    test.run()
    assert set(blobs(test)) == set(gone)


def test_stacks_of_one_analysis_never_share_a_name():
    """The browser keeps all of them side by side."""
    found = [
        Delivery.of(stack, Selection(stack.name), offers_position=False)
        for stack in decoder_trace().stacks.values()
    ]

    sent = [name for one in found for name in one.chosen() | one.rest()]
    assert len(sent) == len(set(sent))
