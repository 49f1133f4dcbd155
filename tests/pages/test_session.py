"""What is analysed: within the owner's budget, and told plainly where memory ends."""

from contextlib import suppress

import pytest
import streamlit as st
import torch

from pages.shared import models, requests, session
from pages.shared.requests import Request
from tests.builders import random_trace
from vl_core.errors import BudgetError, ModelError

SCENE = Request("embedded", "gallery", "three-hearts", "how many hearts are there?")


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Nothing is remembered, nothing is told on a page."""
    monkeypatch.delenv("VLINTERPRET_TRACE_MB", raising=False)
    session._traces.clear()
    yield
    session._traces.clear()


class Failing:
    """A model whose run ends like this."""

    def __init__(self, error):
        self.provenance = random_trace().provenance
        self.error = error

    def trace(self, *_):
        """No trace."""
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_a_run_without_memory_is_told_in_a_sentence(monkeypatch, error):
    """Python's own and torch's, on both kinds of device."""
    monkeypatch.setattr(models, "model", lambda _: Failing(error))

    with pytest.raises(BudgetError, match="not enough memory for embedded"):
        session.trace_of(SCENE)


def test_any_other_failure_is_left_as_it_is(monkeypatch):
    """It goes to the log, and is not taken for a want of memory."""
    monkeypatch.setattr(models, "model", lambda _: Failing(RuntimeError("shape mismatch")))

    with pytest.raises(RuntimeError, match="shape mismatch"):
        session.trace_of(SCENE)


def test_another_budget_is_another_analysis(monkeypatch):
    """What was left out for want of memory comes back once the owner allows more."""
    assert session.trace_of(SCENE).stacks["encoder"].is_kept
    session._traces.clear()
    monkeypatch.setenv("VLINTERPRET_TRACE_MB", "0.001")
    assert not session.trace_of(SCENE).stacks["encoder"].is_kept
    session._traces.clear()
    monkeypatch.delenv("VLINTERPRET_TRACE_MB")
    assert session.trace_of(SCENE).stacks["encoder"].is_kept


def test_nothing_is_asked_of_a_model_that_is_not_loaded():
    """Neither an estimate nor an analysis loads one."""
    wanted = Request("someone/large", "gallery", requests.worked_example().name, "what?")

    with pytest.raises(ModelError, match="not loaded on this server"):
        session.trace_of(wanted)
    with pytest.raises(ModelError, match="not loaded on this server"):
        session.estimate(wanted, None)


class Interrupted(BaseException):
    """Streamlit's way to end a run when the visitor clicks something else."""


@pytest.mark.parametrize(
    ("error", "is_asked_still"),
    [(Interrupted(), True), (RuntimeError("ours"), False), (ModelError("no"), False)],
)
def test_what_is_asked_is_lost_only_where_it_cannot_be_met(monkeypatch, error, is_asked_still):
    """A run that another click ends leaves it to the next; what fails is not tried for ever."""
    monkeypatch.setattr(st, "session_state", {})

    def failing(*_):
        raise error

    monkeypatch.setattr(session, "_find", failing)
    session.ask(SCENE)
    with suppress(Interrupted, RuntimeError):
        assert session.analyse_if_asked() == (SCENE, error)

    assert (session.wanted() == SCENE) == is_asked_still
    monkeypatch.setattr(session, "_find", lambda *_: None)
    assert session.analyse_if_asked() is None
    assert (session.request() == SCENE) == is_asked_still
