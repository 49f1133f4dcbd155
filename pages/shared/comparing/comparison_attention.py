"""Where a word looks in A and in B: the choice of words, layer and head, pictures and bars."""

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
from vl_core.comparison import InBoth, attention_in_both, has_same_picture, why_no_common_grid
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
NOTHING = "None of these words looks at anything here. Choose another layer, head or word."
NOT_KEPT = (
    "What words look at cannot be compared: the attention of no layer was kept of both examples. "
    "It did not fit the memory allowed for one analysis."
)
OTHER_PICTURE = (
    "The two pictures differ: B − A compares the patches at the same place, whatever is seen there."
)


def draw(pair: Pair, chosen: Selection) -> None:
    """The words, and what they look at; or why that cannot be compared."""
    st.subheader("Where does a word look?", anchor=False)
    words = pair.words(chosen.stack)
    if not len(words):
        st.info(
            "The two texts have no word in common that looks at something in this stack. Choose "
            "another stack, or another example.",
            icon=":material/info:",
        )
        return
    stacks = pair.stacks(chosen.stack)
    kept = [layer for layer in stacks[0].kept_layers if layer in stacks[1].kept_layers]
    if not kept:
        st.info(NOT_KEPT, icon=":material/info:")
        return
    some = pair.chosen_words(chosen.stack, chosen.tokens)
    _choose_words(stacks[1].queries, words, some)
    layer = None if chosen.all_layers else min(kept, key=lambda one: abs(one - chosen.layer))
    _choose_place(stacks[1], kept, layer, chosen.head)
    found = _found(pair, chosen, some, kept, layer)
    where = place(stacks[1], layer, chosen.head)
    title = f"{_called(stacks[1].queries, some)}, {where}"
    if not all(np.isfinite(row).all() for row in found.rows):
        st.info(NOTHING, icon=":material/info:")
        return
    if len(kept) < stacks[0].n_layers:
        numbers = ", ".join(str(stacks[0].layers[one] + 1) for one in kept)
        st.caption(f"Only of layers {numbers} the attention was kept; means are over these.")
    _show(pair, chosen, found, title)


def _choose_words(tokens: TokenTable, words: Pairs, some: Pairs) -> None:
    """The words that both have, by their positions in B."""
    options = words[:, 1].tolist()
    names = _distinct([_name(tokens, word) for word in options])
    st.session_state["compare_words"] = some[:, 1].tolist()
    settings = {
        "format_func": dict(zip(options, names, strict=True)).__getitem__,
        "key": "compare_words",
        "on_change": lambda: selection.update(
            tokens=tuple(sorted(st.session_state["compare_words"]))
        ),
        "help": "Words that both texts have. Several are shown as the mean of their rows; with "
        "none chosen it is the mean of all of them.",
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
    """What they look at, once; of words of the answer the rows that are shown on all pages."""
    one, other = pair.stacks(chosen.stack)
    rows = some
    if offers_position(other):
        columns = zip((one, other), some.T.tolist(), strict=True)
        asked = [asking(stack.queries, words, chosen.position) for stack, words in columns]
        rows = np.array(asked).T
    key = (chosen.stack, tuple(map(tuple, rows.tolist())), layer, chosen.head)
    place_of = None if layer is None else kept.index(layer)
    return pair.remembered(
        ("attention in both", *key),
        lambda: attention_in_both(
            one.of_layers(kept), other.of_layers(kept), rows, place_of, chosen.head
        ),
    )


def _called(tokens: TokenTable, words: Pairs) -> str:
    names = token_names(tokens)
    called = ", ".join(names[word] for word in words[:NAMED, 1].tolist())
    return f"What {called}{' …' if len(words) > NAMED else ''} looks at"


def _show(pair: Pair, chosen: Selection, found: InBoth, title: str) -> None:
    one, other = pair.stacks(chosen.stack)
    why_not = why_no_common_grid(*pair.traces, chosen.stack)
    seen = _seen(pair.traces[0], one, found, 0), _seen(pair.traces[1], other, found, 1)
    difference = None if why_not else _on_patches(other.keys, found)
    st.markdown(_shares(one.keys, other.keys, found))
    _pictures(pair, seen, difference, why_not)
    bars = _bars(other.keys, found)
    if len(bars.data[0].x):
        st.markdown("**On words and special tokens that both have** :gray[(A pale, B full)]")
        _chart(bars, "compare_bars")
    downloads(
        "comparison-attention",
        csv=lambda: attention_as_csv(one.keys, other.keys, found),
        figure=lambda: _figure(seen, difference, bars),
        title=escape(title, quote=False),  # Plotly reads tags in its texts
        counted=pair.said(),
    )


def _bars(keys: TokenTable, found: InBoth) -> "go.Figure":
    """Of all tokens that have no place in the picture."""
    pairs = found.keys[~has_place(keys)[found.keys[:, 1]]]
    shares = found.rows[0][pairs[:, 0]], found.rows[1][pairs[:, 1]]
    return figures.word_bars(keys, pairs[:, 1], *shares)


def _seen(trace: Trace, stack: Stack, found: InBoth, side: int) -> Seen | None:
    """The picture with the shares of its patches; None without any."""
    patches, original = drawn_patches(stack.keys), trace.example.picture
    if original is None or trace.example.original_size is None or not patches.any():
        return None
    small = original.convert("RGB")
    small.thumbnail((SIDE, SIDE))
    width, height = trace.example.original_size
    scale = np.array([small.width / width, small.height / height] * 2)
    names = np.array(token_names(stack.keys))[patches].tolist()
    return Seen(
        np.asarray(small), stack.keys.boxes[patches] * scale, found.rows[side][patches], names
    )


def _on_patches(keys: TokenTable, found: InBoth) -> figures.PatchWeights:
    """B minus A on the patches that are drawn, in their order in B."""
    values = np.full(len(keys), np.nan)
    values[found.keys[:, 1]] = found.difference
    return values[drawn_patches(keys)]


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
        st.info(
            f"{escaped(why_not)} So no difference can be drawn"
            f"{', and A and B stand side by side.' if all(seen) else '.'}",
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


def _shares(one: TokenTable, other: TokenTable, found: InBoth) -> str:
    """Where the words' attention goes in A and in B, as a table."""
    kinds = {"the picture": "is_image", "words": "is_text", "special tokens": "is_special"}
    rows = {
        what: [
            float(row[getattr(tokens, mask)].sum())
            for tokens, row in zip((one, other), found.rows, strict=True)
        ]
        for what, mask in kinds.items()
        if getattr(one, mask).any() or getattr(other, mask).any()
    }
    if any(found.elsewhere):
        rows["… of these on tokens that the other one has not"] = list(found.elsewhere)
    lines = ["| of the attention, on | A | B | B − A |", "|---|--:|--:|--:|"]
    for what, (mine, its) in rows.items():
        points = f"{100 * (its - mine):+z.1f} points".replace("-", "\N{MINUS SIGN}")
        numbers = (percent(mine), percent(its), points)
        unbroken = (number.replace(" ", "\N{NO-BREAK SPACE}") for number in numbers)
        lines.append(f"| {what} | {' | '.join(unbroken)} |")
    return "\n".join(lines)
