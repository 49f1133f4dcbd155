"""How attention divides between words and image, layer by layer."""

import csv
import io
from collections.abc import Mapping

import numpy as np
import streamlit as st

from pages.shared import session
from pages.shared.head_numbers import SPECIALS_LEFT_OUT
from pages.shared.head_values import values_of
from pages.shared.layout import downloads
from pages.shared.selection import Selection
from vl_core import head_stats
from vl_core.arrays import LayerCurve
from vl_core.figures import heads as figures
from vl_core.head_stats import views
from vl_core.trace import Stack, TokenTable
from vl_core.trace.nouns import image_noun

MASSES = {
    ("text", "text"): head_stats.TEXT_TO_TEXT_MASS,
    ("text", "image"): head_stats.TEXT_TO_IMAGE_MASS,
    ("image", "image"): head_stats.IMAGE_TO_IMAGE_MASS,
    ("image", "text"): head_stats.IMAGE_TO_TEXT_MASS,
}


def draw(stack: Stack, chosen: Selection) -> None:
    """Where attention goes, layer by layer."""
    shares = _shares(stack, chosen)
    if not shares:
        return
    st.markdown("**Through the layers**: where attention goes, mean over the heads of each layer.")
    st.caption(_reading(shares, stack, chosen))
    figure = session.remembered(
        ("depth_profile", stack.name, chosen.specials),
        lambda: figures.depth_profile(shares, [layer + 1 for layer in stack.layers]),
    )
    st.plotly_chart(figure, key="depth_profile", config={"displayModeBar": False})
    downloads(
        "through_the_layers",
        csv=lambda: _shares_csv(stack, shares),
        figure=lambda: figure,
        title="Where attention goes, mean over the heads of each layer",
        counted="" if chosen.specials else SPECIALS_LEFT_OUT,
    )


def _reading(shares: Mapping[tuple[str, str], LayerCurve], stack: Stack, chosen: Selection) -> str:
    """What one of the lines means, and where the rest goes."""
    looking, seen = ("text", "image") if ("text", "image") in shares else next(iter(shares))
    line = f"“{figures.CALLED[looking].capitalize()} at {figures.CALLED[seen]}”"
    who, what = _called(stack.queries, looking), _called(stack.keys, seen)
    says = f"{line} is the share of the {who}' attention on all {what}."
    has_rest = chosen.specials and stack.keys.is_special.any()
    return f"{says} What is missing to 1 goes to special tokens." if has_rest else says


def _called(tokens: TokenTable, kind: str) -> str:
    return "words" if kind == "text" else image_noun(tokens).many


def _shares(stack: Stack, chosen: Selection) -> dict[tuple[str, str], LayerCurve]:
    """The masses between words and patches that this stack has, mean over each layer's heads."""
    shares = {
        direction: views.layer_means(values_of(mass, stack, with_specials=chosen.specials))
        for direction, mass in MASSES.items()
    }
    return {direction: share for direction, share in shares.items() if np.isfinite(share).any()}


def _shares_csv(stack: Stack, shares: Mapping[tuple[str, str], LayerCurve]) -> str:
    """One row for each layer, by its number on screen."""
    content = io.StringIO()
    table = csv.writer(content)
    table.writerow(["layer", *(MASSES[direction].key for direction in shares)])
    for row, layer in enumerate(stack.layers):
        table.writerow([layer + 1, *(f"{share[row]:.8g}" for share in shares.values())])
    return content.getvalue()
