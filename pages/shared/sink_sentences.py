"""What the sinks of a stack take, in sentences; left out, what they took is said as well."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import streamlit as st

from pages.shared import session
from pages.shared.layout import cut, escaped, percent
from pages.shared.sinks import Shown
from vl_core.sinks import Sink, SinkKind, mean_row
from vl_core.token_attention import token_labels
from vl_core.trace import Stack
from vl_core.trace.nouns import image_noun

LONGEST = 16  # characters of a token's name
NAMED = 4  # sinks that a sentence lists
NO_BREAK = "\N{NO-BREAK SPACE}"
LEFT = "Each row is divided by what is left of it; one with nothing left is missing."


def of_rows(
    shown: Shown, layer: int | None, head: int | None, tokens: Sequence[int], direction: str
) -> None:
    """Say what the sinks take: of these tokens' rows; of all rows where columns are shown.

    All rows it is without a token, too. Nothing is said where there are no sinks.
    """
    if direction == "looks_at" and tokens:
        rows, of = tokens, "this row" if len(tokens) == 1 else "these rows"
    else:
        rows, of = _content(shown.whole), f"the attention of all {_content_called(shown.whole)}"
    if (taken := _taken(shown, layer, head, rows)) is None:
        _say_nothing_is_left_out(shown)
        return
    uniform = f" ({taken.uniform})" if taken.uniform else ""
    _say(shown, taken, f"{taken.total} of {of}{uniform}")


def of_heads(shown: Shown, layer: int, head: int | None) -> None:
    """Say what the sinks of a layer take of a head, and of all heads where that is known."""
    if (taken := _taken(shown, layer, head, _content(shown.whole))) is None:
        _say_nothing_is_left_out(shown)
        return
    where = f"layer {shown.whole.layers[layer] + 1}"
    who = f"the heads of {where} on average" if head is None else f"{where}, head {head + 1}"
    besides = "; ".join(filter(None, [taken.uniform, _range(shown)]))
    of = f"the attention of {_content_called(shown.whole)} in {who}"
    _say(shown, taken, f"{taken.total} of {of}{f' ({besides})' if besides else ''}")


class _Taken(NamedTuple):
    """What the sinks take of some rows, in words.

    count: how many there are, and what they are called. total: their share. uniform: what it would
    be if the rows were spread evenly, empty where nobody looks. names: of the greatest.
    """

    count: str
    is_one: bool
    total: str
    uniform: str
    names: str


def _taken(
    shown: Shown, layer: int | None, head: int | None, queries: Sequence[int]
) -> _Taken | None:
    """What the sinks take of these rows; nothing where there are none."""
    listed = shown.sinks.listed(_shares(shown, layer, head, queries), layer, shown.kinds)
    if not listed:
        return None
    total, uniform = sum(sink.share for sink in listed), _uniform(shown, layer, queries)
    written = [_written(share) for share in (total, uniform) if not np.isnan(share)]
    is_known = len(written) == 2
    # Told apart as they are read: what takes its share to the digit takes no more than that.
    is_more = is_known and total > uniform and written[0] != written[1]
    return _Taken(
        _counted(listed, are_sinks=is_more),
        len(listed) == 1,
        _total(listed),
        f"{written[1]} if spread evenly" if is_known else "",
        _names(shown.whole, listed),
    )


def _say(shown: Shown, taken: _Taken, what: str) -> None:
    if shown.is_left_out:
        start = f"**Left out: {taken.count}**, which took"
        st.markdown(f"{start} {what}: {taken.names}. {LEFT}")
    else:
        verb = "takes" if taken.is_one else "take"
        st.markdown(f"**{taken.count}** {verb} {what}: {taken.names}.")


def _say_nothing_is_left_out(shown: Shown) -> None:
    if shown.is_left_out:
        st.markdown("Nothing is left out of this layer; sinks of other layers are.")


def _range(shown: Shown) -> str:
    """From the head in which they take least to that in which they take most."""
    if "received" not in vars(shown.sinks):  # not gone through: the stack is large
        return ""
    removed = shown.sinks.removed(shown.kinds)
    if np.isnan(removed).all():
        return ""
    return f"{_written(np.nanmin(removed))} to {_written(np.nanmax(removed))} over all heads"


def _content(stack: Stack) -> list[int]:
    return np.flatnonzero(stack.queries.is_text | stack.queries.is_image).tolist()


def _content_called(stack: Stack) -> str:
    """Who has attention to give: words, patches, or both."""
    tokens = stack.queries
    patches = image_noun(tokens).many
    kinds = {"words": tokens.is_text, patches: tokens.is_image}
    return " and ".join(name for name, is_kind in kinds.items() if is_kind.any()) or "words"


def _uniform(shown: Shown, layer: int | None, queries: Sequence[int]) -> float:
    """What would fall on the sinks if each of these queries looked at all it may alike."""
    name, kinds = shown.whole.name, shown.kinds
    chosen = np.isin(np.arange(len(shown.whole.queries)), queries)
    return session.remembered(
        ("uniform", name, tuple(kind.key for kind in kinds), layer, tuple(queries)),
        lambda: shown.sinks.uniform(chosen, layer, kinds),
    )


def _shares(
    shown: Shown, layer: int | None, head: int | None, queries: Sequence[int]
) -> np.ndarray:
    """What falls on each sink; nan where none of these queries looks anywhere."""
    name, kinds = shown.whole.name, shown.kinds
    return session.remembered(
        ("sink shares", name, tuple(kind.key for kind in kinds), layer, head, tuple(queries)),
        lambda: mean_row(shown.whole, layer, head, queries, shown.sinks.keys(kinds)),
    )


def _counted(listed: Sequence[Sink], *, are_sinks: bool) -> str:
    """How many: sinks, or by the names of their rules where they take no more than their share."""
    if are_sinks:
        return f"{len(listed)} sink{'' if len(listed) == 1 else 's'}"
    counts = Counter(sink.kinds[0] for sink in listed)
    parts = [f"{n} {kind.name if n == 1 else kind.plural}" for kind, n in counts.items()]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if parts[1:] else parts)


def _total(listed: Sequence[Sink]) -> str:
    total = sum(sink.share for sink in listed)
    return "an unknown share" if np.isnan(total) else f"**{_written(total)}**"


def _written(share: float) -> str:
    """A share that no line break tears from its sign."""
    return percent(share).replace(" ", NO_BREAK)


def _names(stack: Stack, listed: Sequence[Sink]) -> str:
    """The greatest, each with its share and kinds, and how many more there are.

    Tokens of one name, which nobody could tell apart, are told together.
    """
    alike: dict[tuple[str, tuple[SinkKind, ...]], list[Sink]] = {}
    labels, is_patch = token_labels(stack.keys), stack.keys.is_image
    for sink in listed:
        alike.setdefault((labels[sink.key], sink.kinds), []).append(sink)
    groups = sorted(alike.items(), key=lambda one: -sum(sink.share for sink in one[1]))
    parts = []
    for (label, kinds), those in groups[:NAMED]:
        name = escaped(cut(label, LONGEST))
        called = name if is_patch[those[0].key] else f"'{name}'"
        if those[1:]:
            called = f"{len(those)}{NO_BREAK}×{NO_BREAK}{called}"
        share = sum(sink.share for sink in those)
        written = "" if np.isnan(share) else f" {_written(share)}"
        parts.append(f"{called}{written} ({', '.join(kind.name for kind in kinds)})")
    rest = [sink for _, those in groups[NAMED:] for sink in those]
    more = [f"and {len(rest)} more, {_total(rest)} together"] if rest else []
    return "; ".join([*parts, *more])
