"""Stepping through the items of a data set: those that cannot be shown are passed over, and said.

An item may be damaged, its picture missing, its text too long for the model; which of them are is
known only when they are tried.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice

import streamlit as st

from pages.shared import session
from pages.shared.data_sets import set_show, sets
from pages.shared.data_sets.sets import Place
from pages.shared.requests import Request
from vl_core.errors import BudgetError, ModelError, VLError

MOST = 20  # items that are tried in one step
LISTED = 5  # numbers of items that are said one by one


@dataclass(frozen=True)
class Step:
    """A step on its way.

    shown: what was on show before. left: the items that are still to be tried, in order. passed:
    those that were tried in vain. why: the first of them.
    """

    shown: Request
    left: tuple[int, ...]
    passed: tuple[int, ...] = ()
    why: str = ""

    def after(self, why: str) -> "Step":
        """The step with its next item passed over."""
        first, *left = self.left
        return replace(self, left=tuple(left), passed=(*self.passed, first), why=self.why or why)


def go(shown: Request, numbers: Iterable[int]) -> None:
    """To the first of these items that can be shown: the same task and option, if it has them.

    For a button: whether an item can be analysed turns out on the page, where `recover` goes on.
    """
    st.session_state["set_step"] = _asked_for(Step(shown, tuple(islice(numbers, MOST))))


def recover(failed: tuple[Request, VLError] | None) -> None:
    """Where what was put on show could not be analysed: try the next, or leave all as it was.

    failed: what could not be met just now, and why. The page is drawn anew then, as its sidebar
    shows already what was wanted.
    """
    step: Step | None = st.session_state.pop("set_step", None)
    if failed is not None:
        wanted, error = failed
        if not set_show.take_back(wanted):
            return
        # What a model lacks, or the memory, the next item will lack, too.
        is_of_item = not isinstance(error, ModelError | BudgetError)
        step = _others(step.after(str(error))) if step is not None and is_of_item else None
    if step is not None and step.passed:
        _tell(step)
    if failed is not None:
        st.rerun()


def passed_over() -> str:
    """What the last step has passed over and why, once."""
    return str(st.session_state.pop("set_passed", ""))


def reached(shown: Request) -> int:
    """The item from which the next step goes on: the last that was tried in vain from there."""
    since, number = st.session_state.get("set_tried", (None, 0))
    return int(number) if since == shown else shown.place.item


def _asked_for(step: Step) -> Step:
    """Ask for the first of the items that can be read; with those before it passed over."""
    while step.left:
        try:
            set_show.put(_at(step.shown, step.left[0]))
        except VLError as error:
            step = step.after(str(error))
        else:
            break
    return step


def _others(step: Step) -> Step:
    """Analyse one after the other, until one succeeds or none is left."""
    session.problem()  # it is said with the others
    while (step := _asked_for(step)).left:
        failed = session.analyse_if_asked()
        if failed is None:
            break
        session.problem()
        set_show.take_back(failed[0])
        step = step.after(str(failed[1]))
    return step


def _at(shown: Request, number: int) -> Request:
    """What is on show, at another item; raises DatasetError or TextError if it cannot be read."""
    item = sets.item(shown.name, number)
    asked = min(shown.place.asked, len(item.asked) - 1)
    option = min(shown.place.option, len(item.asked[asked].options) - 1)
    return replace(shown, place=Place(number, asked, option), question="", instead="")


def _tell(step: Step) -> None:
    numbers = sorted(step.passed)
    said = f"{_listed(numbers)} passed over: {step.why}"
    if step.left:
        st.session_state["set_passed"] = said
        return
    st.session_state["set_tried"] = step.shown, step.passed[-1]
    session.complain(said)


def _listed(numbers: list[int]) -> str:
    if len(numbers) == 1:
        return f"Item {numbers[0] + 1:,} was"
    if len(numbers) > LISTED:
        return f"{len(numbers)} items, {numbers[0] + 1:,} to {numbers[-1] + 1:,}, were"
    *first, last = (f"{number + 1:,}" for number in numbers)
    return f"Items {', '.join(first)} and {last} were"
