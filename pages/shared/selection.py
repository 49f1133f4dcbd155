"""What is selected on every page at once: statistic, layer, head, direction, pinned tokens."""

from dataclasses import dataclass, replace

import streamlit as st

from pages.shared import head_effects, session
from vl_core import head_stats
from vl_core.head_stats import HeadStatistic
from vl_core.head_stats.meaning import telling_statistic, why_undefined
from vl_core.linked_view.telling import telling_head, telling_stack, telling_tokens
from vl_core.trace import Trace

DIRECTIONS = ("looks_at", "looked_at_by")
POSITIONS = ("predicts", "reads")
VIEWS = ("raw", "z", "change", "vlinterpret")
PROJECTIONS = ("pca", "umap", "tsne")
FITS = ("joint", "layers")
TOKENS = ("tokens", "keys")
STAYING = ("stack", "statistic", "layer", "all_layers", "head", "state")
OF_A_STACK = ("layer", "all_layers", "head", "state", *TOKENS)


@dataclass(frozen=True)
class Selection:
    """What all pages share; layers, heads and tokens count from 0.

    stack: whose attention. statistic: the key of a head statistic or of one of head_effects.
    specials: whether special tokens take part. view: "raw", "z", "change" or "vlinterpret".
    head: None is the mean over the layer's heads. all_layers: the mean over all layers instead of
    `layer`. direction: "looks_at" or "looked_at_by". tokens: pinned positions of the stream that
    looks. keys: pinned positions of another stream that is looked at. position: whether a word of
    the answer is shown at the position that "predicts" or "reads" it. picture_view: which view of
    the picture, "" for the first. state: the hidden state shown. projection: "pca", "umap" or
    "tsne". fit: one for all layers ("joint") or one for each.
    """

    stack: str
    statistic: str = "text_to_image_mass"
    specials: bool = True
    view: str = "raw"
    layer: int = 0
    all_layers: bool = False
    head: int | None = 0
    direction: str = "looks_at"
    tokens: tuple[int, ...] = ()
    keys: tuple[int, ...] = ()
    position: str = "predicts"
    picture_view: str = ""
    state: int = 0
    projection: str = "pca"
    fit: str = "joint"


def current() -> Selection:
    """The visitor's selection, made to fit the trace on show."""
    kept: dict[str, object] = st.session_state.get("selection", {})
    trace = session.trace()
    return _fitting(replace(_default(trace, kept.get("stack")), **kept), trace)


def update(**changes: object) -> None:
    """Change part of the selection, for all pages; choosing a layer ends the mean over layers."""
    if "layer" in changes:
        changes = {"all_layers": False} | changes
    st.session_state["selection"] = st.session_state.get("selection", {}) | changes


def choose_stack(name: str) -> None:
    """Look at another stack; what belongs to the tokens and layers of the last one is forgotten.

    A statistic is kept where it means something there, too.
    """
    kept = dict(st.session_state.get("selection", {}))
    one = _known().get(str(kept.get("statistic")))
    if one is not None and why_undefined(one, session.trace().stacks[name]):
        del kept["statistic"]
    other = {field: value for field, value in kept.items() if field not in OF_A_STACK}
    st.session_state["selection"] = other | {"stack": name}


def forget() -> None:
    """Go back to what the trace on show suggests."""
    st.session_state["selection"] = {}


def forget_tokens() -> None:
    """Unpin what belongs to another picture or question."""
    kept = st.session_state.get("selection", {})
    st.session_state["selection"] = {k: v for k, v in kept.items() if k not in TOKENS}


def stay(n_characters: int) -> None:
    """Keep what is selected for another text of the same model.

    Of the pinned tokens stay words among the first `n_characters` of the text on show, which the
    other one begins with; all others would be pinned to something else there.
    """
    chosen = current()
    spans = session.trace().stacks[chosen.stack].queries.spans
    kept = tuple(one for one in chosen.tokens if 0 <= spans[one, 0] < spans[one, 1] <= n_characters)
    forget_tokens()
    update(**{field: getattr(chosen, field) for field in STAYING})
    if kept:
        update(tokens=kept)


def _default(trace: Trace, stack_name: object = None) -> Selection:
    """What tells most of a stack, of the one that tells most unless told otherwise."""
    # What tells most is told by the picture itself, whatever is in its place.
    own = session.trace_with_own_picture() if session.request().instead else trace
    name = str(stack_name) if stack_name in own.stacks else telling_stack(own)
    stack = own.stacks[name]
    layer, head = telling_head(stack)
    statistic = telling_statistic(stack).key
    return Selection(name, statistic, layer=layer, head=head, tokens=telling_tokens(stack))


def _fitting(wanted: Selection, trace: Trace) -> Selection:
    default = _default(trace, wanted.stack)
    stack = trace.stacks.get(wanted.stack)
    if stack is None:
        fields = {field: getattr(default, field) for field in ("stack", *OF_A_STACK)}
        wanted, stack = replace(wanted, **fields), trace.stacks[default.stack]
    states = len(trace.streams[stack.query_stream].scales)
    return replace(
        wanted,
        layer=_clamped(wanted.layer, stack.n_layers),
        head=None if wanted.head is None else _clamped(wanted.head, stack.n_heads),
        state=_clamped(wanted.state, states),
        tokens=_among(wanted.tokens, len(stack.queries)),
        keys=() if stack.is_self_attention else _among(wanted.keys, len(stack.keys)),
        statistic=wanted.statistic if wanted.statistic in _statistics(trace) else default.statistic,
        direction=wanted.direction if wanted.direction in DIRECTIONS else default.direction,
        position=wanted.position if wanted.position in POSITIONS else default.position,
        view=wanted.view if wanted.view in _views(wanted.statistic) else default.view,
        projection=wanted.projection if wanted.projection in PROJECTIONS else default.projection,
        fit=wanted.fit if wanted.fit in FITS else default.fit,
    )


def _statistics(trace: Trace) -> set[str]:
    return set(_known()) | set(head_effects.names(trace))


def _known() -> dict[str, HeadStatistic]:
    return {statistic.key: statistic for statistic in head_stats.all_statistics()}


def _views(statistic: str) -> set[str]:
    """A change takes two pictures, and effects are about one answer each."""
    has_change = session.request().instead and statistic not in head_effects.NAMES
    return set(VIEWS) if has_change else set(VIEWS) - {"change"}


def _among(tokens: tuple[int, ...], count: int) -> tuple[int, ...]:
    return tuple(token for token in tokens if 0 <= token < count)


def _clamped(index: int, size: int) -> int:
    return max(0, min(index, size - 1))
