"""Where a word looks in A and in B, and what looks at it: what is chosen, pictures and bars."""

from html import escape
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from pages.shared import selection
from pages.shared.attention_files import offers_position, place
from pages.shared.comparing.comparison_pair import LETTERS, Pair
from pages.shared.drawn_patches import drawn_patches
from pages.shared.layout import downloads, escaped, percent
from pages.shared.selection import Selection
from vl_core.comparison import (
    InBoth,
    asked_and_answering,
    attention_in_both,
    has_same_picture,
    why_no_common_grid,
)
from vl_core.comparison_tables import attention_as_csv
from vl_core.figures import comparison as figures
from vl_core.figures.comparison import Seen
from vl_core.matched_tokens import Pairs
from vl_core.token_attention import asking, has_place, token_names
from vl_core.trace import Stack, TokenTable, Trace

if TYPE_CHECKING:
    import plotly.graph_objects as go

PICTURE = 260  # pixels, the least that a picture takes
SIDE = 480  # pixels of a picture: more than is shown, sharp on dense screens
FEW = 60  # words that fit a row of buttons
MEAN = "mean"  # in place of a layer or a head
NAMED = 3  # words that a title names
DIRECTIONS = {"looks_at": "Looks at", "looked_at_by": "Is looked at by"}
QUESTIONS = {"looks_at": "Where does a word look?", "looked_at_by": "What looks at a word?"}
BARS = {
    "looks_at": "**On words and special tokens that both have**",
    "looked_at_by": "**By words and special tokens that both have**",
}
KINDS = {"the picture": "is_image", "words": "is_text", "special tokens": "is_special"}
NO_WORD = {
    direction: f"The two texts have no word in common that {does} in this stack. Choose another "
    "stack, the other direction, or another example."
    for direction, does in (
        ("looks_at", "looks at something"),
        ("looked_at_by", "is looked at"),
    )
}
NOTHING = "None of these words looks at anything here. Choose another layer, head or word."
NOT_KEPT = (
    "What words look at cannot be compared: the attention of no layer was kept of both examples. "
    "It did not fit the memory allowed for one analysis."
)
OTHER_PICTURE = (
    "The two pictures differ: B − A compares the patches at the same place, whatever is seen there."
)


def draw(pair: Pair, chosen: Selection) -> None:
    """The words, and what they look at or are looked at by; or why that cannot be compared."""
    st.subheader(QUESTIONS[chosen.direction], anchor=False)
    _choose_direction(chosen.direction)
    words = pair.words(chosen)
    if not len(words):
        st.info(NO_WORD[chosen.direction], icon=":material/info:")
        return
    stacks = pair.stacks(chosen.stack)
    kept = [layer for layer in stacks[0].kept_layers if layer in stacks[1].kept_layers]
    if not kept:
        st.info(NOT_KEPT, icon=":material/info:")
        return
    some, asked = pair.chosen_words(chosen), _tables(stacks[1], chosen)[0]
    _choose_words(asked, words, some, pair.pins(chosen))
    layer = None if chosen.all_layers else min(kept, key=lambda one: abs(one - chosen.layer))
    _choose_place(stacks[1], kept, layer, chosen.head)
    found = _found(pair, chosen, some, kept, layer)
    where = place(stacks[1], layer, chosen.head)
    title = f"{_called(asked, some, chosen.direction)}, {where}"
    if not all(np.isfinite(shares).all() for shares in found.shares):
        st.info(NOTHING, icon=":material/info:")
        return
    if len(kept) < stacks[0].n_layers:
        numbers = ", ".join(str(stacks[0].layers[one] + 1) for one in kept)
        st.caption(f"Only of layers {numbers} the attention was kept; means are over these.")
    _show(pair, chosen, found, title)


def _choose_direction(now: str) -> None:
    """What the words look at, or what looks at them, as on the attention page."""
    st.session_state["compare_direction"] = now
    st.segmented_control(
        "Direction",
        list(DIRECTIONS),
        format_func=DIRECTIONS.__getitem__,
        key="compare_direction",
        required=True,
        label_visibility="collapsed",
        on_change=lambda: selection.update(direction=st.session_state["compare_direction"]),
    )


def _choose_words(tokens: TokenTable, words: Pairs, some: Pairs, field: str) -> None:
    """The words that both have, by their positions in B; field: that of a selection for them."""
    options = words[:, 1].tolist()
    names = _distinct([_name(tokens, word) for word in options])
    st.session_state["compare_words"] = some[:, 1].tolist()
    settings = {
        "format_func": dict(zip(options, names, strict=True)).__getitem__,
        "key": "compare_words",
        "on_change": lambda: selection.update(
            **{field: tuple(sorted(st.session_state["compare_words"]))}
        ),
        "help": "Words that both texts have. Several are shown as their mean; with none chosen it "
        "is the mean of all of them.",
    }
    if len(options) <= FEW:
        st.pills("Words of both", options, selection_mode="multi", **settings)
    else:
        st.multiselect("Words of both", options, **settings)


def _name(tokens: TokenTable, word: int) -> str:
    return tokens.texts[word] + (" (answer)" if tokens.is_generated[word] else "")


def _distinct(names: list[str]) -> list[str]:
    """Names of which the second of a kind says so."""
    return [
        name if names.count(name) == 1 else f"{name} ({names[: i + 1].count(name)})"
        for i, name in enumerate(names)
    ]


def _choose_place(stack: Stack, kept: list[int], layer: int | None, head: int | None) -> None:
    """Layer and head, those of all pages."""

    def keep() -> None:
        layer, head = (st.session_state[f"compare_{what}"] for what in ("layer", "head"))
        selection.update(head=None if head == MEAN else head)
        selection.update(**({"all_layers": True} if layer == MEAN else {"layer": layer}))

    layers = {one: str(stack.layers[one] + 1) for one in kept} | {MEAN: "Mean of all"}
    heads = {one: str(one + 1) for one in range(stack.n_heads)} | {MEAN: "Mean of all"}
    with st.container(horizontal=True, gap="medium"):
        for what, names, now in (("layer", layers, layer), ("head", heads, head)):
            st.session_state[f"compare_{what}"] = MEAN if now is None else now
            st.selectbox(
                what.capitalize(),
                list(names),
                format_func=names.__getitem__,
                key=f"compare_{what}",
                on_change=keep,
                width=160,
            )


def _found(
    pair: Pair, chosen: Selection, some: Pairs, kept: list[int], layer: int | None
) -> InBoth:
    """Their attention, once; of words of the answer the rows that are shown on all pages."""
    one, other = pair.stacks(chosen.stack)
    rows = some
    if chosen.direction == "looks_at" and offers_position(other):
        columns = zip((one, other), some.T.tolist(), strict=True)
        asked = [asking(stack.queries, words, chosen.position) for stack, words in columns]
        rows = np.array(asked).T
    key = (chosen.stack, chosen.direction, tuple(map(tuple, rows.tolist())), layer, chosen.head)
    place_of = None if layer is None else kept.index(layer)
    return pair.remembered(
        ("attention in both", *key),
        lambda: attention_in_both(
            one.of_layers(kept),
            other.of_layers(kept),
            rows,
            place_of,
            chosen.head,
            chosen.direction,
        ),
    )


def _called(tokens: TokenTable, words: Pairs, direction: str) -> str:
    names = token_names(tokens)
    called = ", ".join(names[word] for word in words[:NAMED, 1].tolist())
    called += " …" if len(words) > NAMED else ""
    return f"What {called} looks at" if direction == "looks_at" else f"What looks at {called}"


def _tables(stack: Stack, chosen: Selection) -> tuple[TokenTable, TokenTable]:
    """The tokens among which words are chosen, and those that their attention is told of."""
    return asked_and_answering(stack, chosen.direction)


def _show(pair: Pair, chosen: Selection, found: InBoth, title: str) -> None:
    one, other = (_tables(stack, chosen)[1] for stack in pair.stacks(chosen.stack))
    why_not = why_no_common_grid(*pair.traces, chosen.stack, chosen.direction)
    seen = _seen(pair.traces[0], one, found, 0), _seen(pair.traces[1], other, found, 1)
    difference = None if why_not else _on_patches(other, found)
    st.markdown(_shares(one, other, found, chosen.direction))
    _pictures(pair, seen, difference, why_not)
    bars = _bars(other, found)
    if len(bars.data[0].x):
        st.markdown(f"{BARS[chosen.direction]} :gray[(A pale, B full)]")
        _chart(bars, "compare_bars")
    downloads(
        "comparison-attention",
        csv=lambda: attention_as_csv(one, other, found),
        figure=lambda: _figure(seen, difference, bars),
        title=escape(title, quote=False),  # Plotly reads tags in its texts
        counted=pair.said(),
    )


def _bars(tokens: TokenTable, found: InBoth) -> "go.Figure":
    """Of all tokens that have no place in the picture; tokens: of B."""
    pairs = found.tokens[~has_place(tokens)[found.tokens[:, 1]]]
    shares = found.shares[0][pairs[:, 0]], found.shares[1][pairs[:, 1]]
    return figures.word_bars(tokens, pairs[:, 1], *shares)


def _seen(trace: Trace, tokens: TokenTable, found: InBoth, side: int) -> Seen | None:
    """The picture with the shares of its patches; None without any."""
    patches, original = drawn_patches(tokens), trace.example.picture
    if original is None or trace.example.original_size is None or not patches.any():
        return None
    small = original.convert("RGB")
    small.thumbnail((SIDE, SIDE))
    width, height = trace.example.original_size
    scale = np.array([small.width / width, small.height / height] * 2)
    names = np.array(token_names(tokens))[patches].tolist()
    return Seen(
        np.asarray(small), tokens.boxes[patches] * scale, found.shares[side][patches], names
    )


def _on_patches(tokens: TokenTable, found: InBoth) -> figures.PatchWeights:
    """B minus A on the patches that are drawn, in their order in B."""
    values = np.full(len(tokens), np.nan)
    values[found.tokens[:, 1]] = found.difference
    return values[drawn_patches(tokens)]


def _pictures(
    pair: Pair,
    seen: tuple[Seen | None, Seen | None],
    difference: figures.PatchWeights | None,
    why_not: str,
) -> None:
    shown = [one for one in seen if one is not None]
    if not shown:
        return
    if why_not:
        side_by_side = ", and A and B stand side by side on one color scale" * all(seen)
        st.info(
            f"{escaped(why_not.removesuffix('.'))}, so that B − A of a patch would mean nothing"
            f"{side_by_side}.",
            icon=":material/info:",
        )
    scale = figures.shares_scale(shown[0].weights, shown[-1].weights)
    grid = st.grid(3 if difference is not None else 2, min_column_width=PICTURE, gap="small")
    for letter, one in zip(LETTERS, seen, strict=True):
        if one is not None:
            with grid.cell():
                st.markdown(f"**{letter}**")
                _chart(figures.attention_on(one, scale), f"compare_picture_{letter}")
    if difference is not None and seen[1] is not None:
        with grid.cell():
            st.markdown(f"**{figures.DIFFERENCE}** :gray[on the picture of B]")
            _chart(figures.difference_on(seen[1], difference, scale), "compare_picture_difference")
        if not has_same_picture(*pair.traces):
            st.caption(OTHER_PICTURE)


def _chart(figure: "go.Figure", key: str) -> None:
    st.plotly_chart(figure, key=key, config={"displayModeBar": False})


def _figure(
    seen: tuple[Seen | None, Seen | None],
    difference: figures.PatchWeights | None,
    bars: "go.Figure",
) -> "go.Figure":
    """The pictures to take away, or the bars where there are no two pictures."""
    one, other = seen
    if one is None or other is None:
        return bars
    return figures.attention_maps(one, other, difference)


def _shares(one: TokenTable, other: TokenTable, found: InBoth, direction: str) -> str:
    """Where the words' attention goes in A and in B, or what each token gives them, as a table."""
    is_row = direction == "looks_at"
    rows = {}
    for what, mask in KINDS.items():
        masks = [getattr(tokens, mask) & ~tokens.is_padding for tokens in (one, other)]
        # Nothing falls on what one of them has not; but nothing gives no share, either.
        if (any if is_row else all)(here.any() for here in masks):
            of_kind = [shares[here] for shares, here in zip(found.shares, masks, strict=True)]
            rows[what] = [float(some.sum() if is_row else some.mean()) for some in of_kind]
    if is_row and any(found.elsewhere):
        rows["… of these on tokens that the other one has not"] = list(found.elsewhere)
    head = "of the attention, on" if is_row else "mean share, given by"
    lines = [f"| {head} | A | B | B − A |", "|---|--:|--:|--:|"]
    for what, (mine, its) in rows.items():
        numbers = percent(mine), percent(its), _points(its - mine)
        unbroken = (number.replace(" ", "\N{NO-BREAK SPACE}") for number in numbers)
        lines.append(f"| {what} | {' | '.join(unbroken)} |")
    return "\n".join(lines)


def _points(difference: float) -> str:
    return f"{100 * difference:+z.1f} points".replace("-", "\N{MINUS SIGN}")
