"""Ready comparisons for the example on show: what could be compared with it at a click."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import streamlit as st

from pages.shared import models, requests, session
from pages.shared.comparing import pinned
from pages.shared.data_sets import set_show, sets
from pages.shared.layout import escaped
from pages.shared.requests import BLANK, OWN_TENSORS, Request
from vl_core.datasets.gallery import GALLERY
from vl_core.trace import Trace

CARD = 240  # pixels, the least that an offer takes


@dataclass(frozen=True)
class Offer:
    """A comparison that can be begun: what it is about, and what A and B are."""

    title: str
    said: str
    one: Request
    other: Request


def draw(shown: Request, trace: Trace) -> None:
    """A card for each of them."""
    found = list(offers(shown, trace))
    if not found:
        return
    grid = st.grid(min_column_width=CARD, gap="small", border=True, key="comparison_offers")
    for number, offer in enumerate(found):
        with grid.cell():
            st.markdown(f"**{escaped(offer.title)}**")
            st.caption(escaped(offer.said))
            st.button(
                "Compare",
                key=f"offer_{number}",
                icon=":material/compare_arrows:",
                on_click=begin,
                args=(offer,),
            )


def begin(offer: Offer) -> None:
    """Pin the one and put the other on show, if it is not there already."""
    shown = session.request()
    pinned.pin(offer.one, session.kept_upload())
    if offer.other != shown:
        pinned.show(offer.other)


def offers(shown: Request, trace: Trace) -> Iterator[Offer]:
    """What the example on show can be compared with, without typing anything."""
    if shown.instead:
        what = requests.in_its_place(shown)
        yield Offer(
            "The picture itself",
            f"A: {what}, as now. B: the picture itself, and the same question.",
            shown,
            shown.with_own_picture,
        )
    elif _can_be_blank(shown, trace):
        yield Offer(
            "Without the picture",
            "A: a blank picture and the same question. B: what is on show. Heads near 0 did the "
            "same whatever was in the picture.",
            replace(shown, instead=BLANK),
            shown,
        )
    if shown.source == "set":
        yield from _of_set(shown)
    elif shown.source in ("gallery", "scene"):
        yield from _of_scene(shown)


def _can_be_blank(shown: Request, trace: Trace) -> bool:
    has_pixels = shown.model != OWN_TENSORS and models.feature_width(shown.model) is None
    return trace.example.original_size is not None and has_pixels


def _of_scene(shown: Request) -> Iterator[Offer]:
    """Another question about the picture, and the next picture of the gallery."""
    texts = (question.text for question in requests.known_questions(shown))
    question = next((text for text in texts if text != shown.question), None)
    if question is not None:
        yield Offer(
            "Another question",
            f"A: what is on show. B: the same picture, “{question}”",
            shown,
            replace(shown, question=question),
        )
    names = [entry.name for entry in GALLERY]
    place = names.index(shown.name) + 1 if shown.name in names else 0
    entry = GALLERY[place % len(GALLERY)]
    yield Offer(
        "Another picture",
        f"A: what is on show. B: the example “{entry.title}” with a question of its own.",
        shown,
        Request(shown.model, "gallery", entry.name, entry.question.text),
    )


def _of_set(shown: Request) -> Iterator[Offer]:
    """The right candidate if it is known and not on show, else the next one."""
    asked = sets.asked(shown.name, shown.place)
    count = len(asked.options)
    if shown.question or count < 2:
        return
    others = sorted((asked.right or frozenset()) - {shown.place.option})
    is_right = bool(others) and shown.place.option not in asked.right
    option = others[0] if is_right else (shown.place.option + 1) % count
    other = replace(shown, place=replace(shown.place, option=option))
    what = "source" if asked.name == sets.SOURCES else "candidate"
    yield Offer(
        f"The right {what}" if is_right else f"Another {what}",
        f"A: what is on show. B: {set_show.said(other)}.",
        shown,
        other,
    )
