"""What stands beside the head map: the selected head in numbers, words and a picture."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import streamlit as st
from jaxtyping import Float

from pages.shared import head_effects, permalink, session
from pages.shared.drawn_patches import drawn_patches
from pages.shared.head_numbers import Numbers, pattern_numbers, patterns_called
from pages.shared.layout import escaped, percent
from pages.shared.measured import written
from pages.shared.selection import Selection
from vl_core.arrays import QueryMask, TokenMask
from vl_core.counted import counted
from vl_core.figures import heads as figures
from vl_core.head_stats.grounding import OF_CLASS_TOKEN, OF_WORDS
from vl_core.head_stats.looks import Looks, Received, looks
from vl_core.short_names import short_labels
from vl_core.token_attention import has_place, token_labels
from vl_core.trace import Stack, TokenTable
from vl_core.trace.nouns import image_noun

PICTURE_SIDE = 360  # pixels: twice what is shown, sharp on dense screens
LISTED = 5
NARROW, WIDE = 92, 180  # pixels: three narrow columns, or a wide one and a narrow one, fit a page
NO_PLACE = "The tokens of the image that are looked at here stand for no place in the picture."
LONGEST, LONGER = 13, 24  # characters of a token's name in a narrow and in a wide column
COLUMN, HIGHEST = 260, 230  # pixels, of the picture's figure


def looks_of(stack: Stack, chosen: Selection) -> Looks:
    """What the selected head looks at: its strongest pairs, and what `onlookers` and all look at.

    Of the mean over a layer's heads it is remembered, as it takes as long as all of them.
    """

    def found() -> Looks:
        return looks(
            stack,
            chosen.layer,
            chosen.head,
            (onlookers(stack)[1], _all_that_count(stack)),
            count=LISTED,
            with_specials=chosen.specials,
        )

    if chosen.head is not None:
        return found()
    with st.spinner("Forming the mean over the heads"):
        return session.remembered(("looks", stack.name, chosen.layer, chosen.specials), found)


def onlookers(stack: Stack) -> tuple[str, QueryMask]:
    """Whose looks at the picture are shown: words where there are any, else patches, else all."""
    queries = stack.queries
    patches = image_noun(queries).many
    found = {"words": queries.is_text, patches: queries.is_image, "tokens": ~queries.is_padding}
    return next((name, mask) for name, mask in found.items() if mask.any() or name == "tokens")


def _all_that_count(stack: Stack) -> QueryMask:
    """Words and patches; in a stack where neither look, all that do."""
    content = stack.queries.is_text | stack.queries.is_image
    return content if content.any() else ~stack.queries.is_padding


def facts(stack: Stack, chosen: Selection, shown: Numbers) -> None:
    """The head's name, its value and rank, its pattern, and the way to look through it."""
    layer, head = chosen.layer, chosen.head
    number = stack.layers[layer] + 1
    value = shown.means[layer] if head is None else shown.cells[layer, head]
    if head is None:
        st.subheader(f"Layer {number}, mean of its {counted(stack.n_heads, 'head')}", anchor=False)
    else:
        st.subheader(f"Layer {number}, head {head + 1}", anchor=False)
    said = written(value, shown.decimals)
    st.metric(escaped(shown.name), said, help=escaped(f"In {shown.unit}."))
    st.caption(escaped(_standing(shown, layer, head)))
    if head is not None:
        pattern = patterns_called(stack)[pattern_numbers(stack)[layer, head]]
        st.markdown(
            f"Pattern: **{escaped(pattern.name)}**",
            help=f"Named from its numbers: {escaped(pattern.rule)}.",
        )
        if chosen.statistic != head_effects.THIS_TYPE:
            _say_effect(stack, layer, head)
    st.page_link(
        "pages/attention.py",
        label="Look through this head" if head is not None else "Look through this layer",
        icon=":material/center_focus_strong:",
        query_params=permalink.parameters(),
    )


def _standing(shown: Numbers, layer: int, head: int | None) -> str:
    if head is None:
        return shown.unit
    if not np.isfinite(shown.cells[layer, head]):
        return "missing for this head"
    parts = [shown.unit, f"rank {shown.ranks[layer, head]} of {shown.n_ranked}"]
    if shown.cells is shown.z_scores:
        parts.append(f"{written(shown.in_own_unit[layer, head])} {shown.own_unit}")
    elif shown.z_scores is not None:
        parts.append(f"z {written(shown.z_scores[layer, head], 2)}")
    return " · ".join([*parts, *shown.measured.notes_on(layer, head)])


def _say_effect(stack: Stack, layer: int, head: int) -> None:
    """Beside what the head looks at, whether it matters, for a question of a known type."""
    found = head_effects.on_type(stack)
    if found is None:
        return
    kind = head_effects.called(str(head_effects.question_type()))
    change = head_effects.points(found.change[layer, head])
    st.markdown(
        f"Taken out: **{escaped(change)} points** of accuracy", help=head_effects.INTERVENTION
    )
    st.caption(
        escaped(
            f"{head_effects.interval(found, layer, head)}, of {found.n_questions} questions of "
            f"this type ({kind}). This is cause; where a head looks is not."
        )
    )


def picture(stack: Stack, seen: Looks, statistic: str) -> None:
    """Where the words of the head look at the picture, on average; patches where no words look.

    statistic: the key of the chosen one; with one that is about boxes, these are drawn.
    """
    who, _ = onlookers(stack)
    original = session.trace().example.picture
    patches = drawn_patches(stack.keys)
    if original is None or not patches.any():
        has_image = bool(stack.keys.is_image.any())
        st.caption(NO_PLACE if has_image else f"No {who} look at a picture here.")
        return
    received = seen.received[0]
    if not np.isfinite(received).all():
        st.caption(f"The {who} of this head look at nothing.")
        return
    st.caption(escaped(_said_of_picture(who, stack.keys, received, patches)))
    small = original.copy()
    small.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    width, height = session.trace().example.original_size
    scale = np.array([small.width / width, small.height / height] * 2)
    names = np.array(token_labels(stack.keys))[patches]
    figure = figures.words_on_picture(
        np.asarray(small),
        stack.keys.boxes[patches] * scale,
        received[patches],
        names,
        _grounded(stack, statistic) * scale,
    )
    # As high as the picture is when it fills the column beside the map.
    figure.update_layout(height=min(HIGHEST, COLUMN * small.height / small.width))
    st.plotly_chart(figure, key="words_on_picture", config={"displayModeBar": False})


def _grounded(stack: Stack, statistic: str) -> Float[np.ndarray, "place 4"]:
    """The boxes that a statistic measures against; none for others."""
    places: set[tuple[float, ...]] = set()
    if statistic in {one.key for one in OF_WORDS}:
        places = {region.box for region in stack.regions if region.span is not None}
    elif statistic in {one.key for one in OF_CLASS_TOKEN}:
        places = {region.box for region in stack.regions if region.is_asked}
    return np.array(sorted(places), float).reshape(-1, 4)


def _said_of_picture(who: str, tokens: TokenTable, received: Received, drawn: TokenMask) -> str:
    on_all, on_drawn = (float(received[some].sum()) for some in (has_place(tokens), drawn))
    said = f"Where its {who} look: {percent(on_all)} of their attention is on the picture"
    if not (has_place(tokens) & ~drawn).any():
        return said
    view = tokens.views[int(drawn.argmax())]
    return f"{said}, {percent(on_drawn)} on its view “{view}”, which is drawn"


def strongest(stack: Stack, seen: Looks) -> None:
    """The pairs of tokens with the greatest weights, and the tokens that are looked at most."""
    st.markdown("**Looks at most**", help="The greatest weights from one token to another.")
    queries, keys = short_labels(stack.queries, LONGEST), short_labels(stack.keys, LONGEST)
    _list(
        {
            "token": [queries[pair.query] for pair in seen.pairs],
            "looks at": [keys[pair.key] for pair in seen.pairs],
            "weight": [pair.weight for pair in seen.pairs],
        },
        "weight",
    )
    who = f"words and {image_noun(stack.queries).many}"
    st.markdown("**Is looked at most**", help=f"The mean share of the attention of all {who}.")
    shares = seen.received[1]
    most = np.argsort(-np.nan_to_num(shares), kind="stable")[:LISTED]
    keys = short_labels(stack.keys, LONGER)
    _list({"token": [keys[key] for key in most], "share": shares[most]}, "share")


def _list(columns: Mapping[str, Sequence[object]], number: str) -> None:
    """A small table with a bar behind its numbers, the longest for the greatest."""
    greatest = float(np.nanmax([*columns[number], 1e-9]))
    bar = st.column_config.ProgressColumn(
        format="%.3f", min_value=0, max_value=greatest, width=NARROW
    )
    width = WIDE if len(columns) == 2 else NARROW
    texts = {name: st.column_config.TextColumn(width=width) for name in columns}
    st.dataframe(pd.DataFrame(columns), hide_index=True, column_config=texts | {number: bar})
