"""A page with nothing but the map of hidden states, for its browser tests.

With ?many the blob lists no neighbours, as where there are too many tokens; ?answer makes the last
word one of the model's answer; with ?long there are many words with long texts, two of them alike.
"""

from dataclasses import replace

import numpy as np
import streamlit as st
from PIL import Image

from pages.shared.components import blob_store
from pages.shared.components.state_map import Nearest, StatePicture, encoded, state_map
from vl_core.figures.states import state_names
from vl_core.trace import TokenTable

STATES, ROWS, COLUMNS, RANKS = 4, 2, 3, 2
WORDS = ("[CLS]", "red", "<b>star</b>", "[SEP]")
KINDS = ("special", "text", "text", "special") + ("image",) * (ROWS * COLUMNS)
SIZE = (60, 40)


def picture() -> Image.Image:
    """Six patches of plain colors, 20 pixels each."""
    red, green, blue, black = (200, 30, 30), (30, 200, 30), (30, 30, 200), (0, 0, 0)
    colors = [red, green, blue, (200, 200, 30), (30, 200, 200), black]
    cells = np.array(colors, np.uint8).reshape(ROWS, COLUMNS, 3)
    return Image.fromarray(cells.repeat(20, axis=0).repeat(20, axis=1))


def tokens() -> TokenTable:
    """Two specials, two words (one of them with markup), and the patches."""
    names = [f"patch {row + 1}, {column + 1}" for row in range(ROWS) for column in range(COLUMNS)]
    boxes = np.full((len(KINDS), 4), np.nan)
    for patch in range(ROWS * COLUMNS):
        row, column = divmod(patch, COLUMNS)
        boxes[len(WORDS) + patch] = np.array([column, row, column + 1, row + 1]) * 20
    return TokenTable.of((*WORDS, *names), KINDS, boxes)


def shown() -> StatePicture:
    """Points on a circle that turns by a fixed angle from state to state."""
    count = len(KINDS)
    angles = 2 * np.pi * np.arange(count) / count + 0.5 * np.arange(STATES)[:, None]
    points = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    neighbours = np.full((count, STATES, 2, RANKS), -1)
    neighbours[..., 0, 0] = 1
    neighbours[..., 1, :] = [4, 5]
    neighbours[2, 3, 1] = [9, 8]  # what lies nearest changes with the layer
    similarities = np.where(neighbours < 0, 0.0, -0.25)
    return StatePicture(
        title="Hidden states, PCA",
        points=points,
        tokens=tokens(),
        positions=np.arange(count),
        state_names=state_names(STATES),
        captions=tuple(f"caption {state}" for state in range(STATES)),
        shares_scale=True,
        neighbours=neighbours,
        similarities=similarities,
        picture=picture(),
        size=SIZE,
    )


def long() -> StatePicture:
    """Sixty words and nothing else, each of sixty characters and more."""
    texts = [f"{'?' * 60} ({max(2, number + 1)}/60)" for number in range(60)]
    places = np.arange(60) / 60
    return replace(
        shown(),
        points=np.stack([np.stack([places, places**2], axis=-1)] * STATES),
        tokens=TokenTable.of(texts, ["text"] * 60),
        positions=np.arange(60),
        neighbours=shown().neighbours[:0],
        similarities=shown().similarities[:0],
    )


def wanted() -> StatePicture:
    """What the address asks for."""
    if "long" in st.query_params:
        return long()
    picture = shown()
    if "many" in st.query_params:
        nobody = {"neighbours": picture.neighbours[:0], "similarities": picture.similarities[:0]}
        picture = replace(picture, **nobody)
    if "answer" in st.query_params:
        is_generated = np.arange(len(KINDS)) == WORDS.index("<b>star</b>")
        picture = replace(picture, tokens=replace(picture.tokens, is_generated=is_generated))
    return picture


def near(chosen: tuple[int, ...]) -> Nearest | None:
    """What lies nearest to the token that was chosen last."""
    if not chosen:
        return None
    picture = shown()
    return Nearest(chosen[-1], picture.neighbours[chosen[-1]], picture.similarities[chosen[-1]])


def choose(chosen: tuple[int, ...], state: int) -> None:
    """What a page does with a choice: keep it."""
    st.session_state["choice"] = (chosen, state)


def main() -> None:
    """Draw the map, what Python has heard, and a button by which Python chooses."""
    now = st.session_state.setdefault("choice", ((), 0))
    blob_store.deliver("alone", {"states": lambda: encoded(wanted())})
    state_map("alone/states", *now, choose, near(now[0]) if "many" in st.query_params else None)
    st.text(f"heard {now}")
    st.button("Python chooses", on_click=choose, args=((2,), 3))


if __name__ == "__main__":
    main()
