"""What models answered to items of data sets that have no candidates, kept for all visitors."""

from dataclasses import dataclass

import streamlit as st

from pages.shared import models, session
from pages.shared.data_sets import sets
from pages.shared.memo import Memo
from vl_core.answers import is_same

KEPT = 8  # pairs of a set and a model


@dataclass(frozen=True)
class Answered:
    """What a model said to an item, in words; right: the set's answer, None where not told.

    is_cut_off: whether it would have gone on.
    """

    said: str
    right: str | None
    is_cut_off: bool

    @property
    def is_right(self) -> bool | None:
        """Whether both have the same words; None where the set does not tell."""
        return None if self.right is None else is_same(self.said, self.right)


def answered(model: str, name: str, number: int) -> Answered | None:
    """What the model said to an item of the set, if it was asked already."""
    return _known(model, name).get(number)


def answer(model: str, name: str, number: int) -> Answered:
    """Ask the model about an item, unless it was asked already.

    Raises ModelError if it answers nothing or is not loaded; TextError, ImageError or DatasetError
    if the item cannot be read, by us or by the model.
    """
    known, loaded = _known(model, name), models.model(model)
    if number not in known:
        item = sets.item(name, number)
        with session.turn(model, lambda _: None), session.told_if_too_large(model):
            said = loaded.answer(item.example)
            known[number] = Answered(said.text, item.answer, said.is_cut_off)
    return known[number]


def all_answered(model: str, name: str) -> dict[int, Answered]:
    """All that the model was asked of the set, by the items' numbers, in order."""
    return dict(sorted(_known(model, name).copy().items()))  # others may be adding to it


def key(model: str, name: str) -> tuple[str, str, str]:
    """What names all that a model with the weights that are loaded now made of a set."""
    return model, models.model(model).provenance.weights_hash, name


def _known(model: str, name: str) -> dict[int, Answered]:
    if not models.is_loaded(model):
        return {}
    return _all_known().get(key(model, name), dict[int, Answered])


@st.cache_resource(show_spinner=False)
def _all_known() -> Memo:
    return Memo(KEPT)
