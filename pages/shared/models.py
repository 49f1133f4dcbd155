"""The models of this server: the embedded one, those that are loaded, and loading others.

A model is loaded in the background, for all visitors; whoever waits for it goes on with another,
and whoever gives it up leaves it to the others. A visitor waits for one at a time, the last one
asked for.
Downloads go side by side, weights are read one model after the other: only so it is known what
fits into the memory.
"""

import gc
import os
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from pages.shared import awaited, settings
from pages.shared.awaited import Awaited
from pages.shared.background import Report
from pages.shared.memo import Memo
from pages.shared.shelf import Shelf
from vl_core import checkpoints
from vl_core.checkpoints import EMBEDDED_NAME, Checkpoint, readable
from vl_core.errors import ModelError, VLError

if TYPE_CHECKING:
    from vl_core.model import Model

AT_ONCE = 4  # models on their way: whoever may load any must not load all
REMEMBERED = 32  # models that could not be loaded, with the reason
PATIENCE = 120  # seconds for runs to end of a model that goes
WAITING = "Waiting until another model is loaded"
LEAVING = "Waiting for the last run of a model that makes room"
READING = "Loading the weights and checking what is captured"
STOPPED = "Loading {} was stopped. Files that came whole are kept: load it again to fetch the rest."

# Before the client of Hugging Face comes: its other way to fetch files, Xet, cannot be stopped.
os.environ.setdefault("HF_HUB_DISABLE_XET", "1")


def model(name: str) -> "Model":
    """The model, one for all visitors: the embedded one is loaded now, others must be already.

    Raises ModelError for another that is not loaded.
    """
    if name == EMBEDDED_NAME:
        return _own().get(name, _embedded)
    found = _shelf().peek(name)
    if found is None:
        raise ModelError(
            f"The model {name} is not loaded on this server. Load it under Model in the sidebar, "
            "then press Analyse."
        )
    return found


def is_loaded(name: str) -> bool:
    """Whether the model is in memory."""
    return (_own() if name == EMBEDDED_NAME else _shelf()).peek(name) is not None


def is_ready(name: str) -> bool:
    """Whether the model can be asked; the embedded one always can."""
    return name == EMBEDDED_NAME or is_loaded(name)


def loaded() -> list[str]:
    """The names of those that are loaded beside the embedded one."""
    return _shelf().names()


def feature_width(name: str) -> int | None:
    """How many numbers a loaded model reads of each region; None for one that reads pixels."""
    found = _shelf().peek(name)
    if found is None:
        return None
    from vl_core.families import ReadsRegions  # noqa: PLC0415 the first page does without

    return found.family.feature_width if isinstance(found.family, ReadsRegions) else None


def warm_up() -> None:
    """Load the embedded model while the visitor looks at the first page."""
    _warming()


def load(name: str) -> None:
    """Begin to fetch and load a model for this visitor, or wait for it if that is under way."""
    with _guard():
        jobs, visitor = _jobs(), awaited.visitor()
        if is_ready(name):
            return
        for other in jobs.values():
            other.leave(visitor)
        if name in jobs and not jobs[name].is_done:
            jobs[name].join(visitor)
            return
        on_the_way = sum(not job.is_done for job in jobs.values())
        jobs[name] = Awaited(partial(_load, name, on_the_way), nullcontext(), visitor)
        jobs.move_to_end(name)
        _forget(jobs)


def give_up(name: str) -> None:
    """Let this visitor wait for it no longer; where nobody else does, it is fetched no further."""
    with _guard():
        if name in _jobs():
            _jobs()[name].give_up(awaited.visitor(), STOPPED.format(name))


def loading(name: str) -> Awaited[None] | None:
    """The work of loading this model, on its way or failed; None if there is none to tell of."""
    job = _jobs().get(name)
    return None if job is None or (job.is_done and job.problem is None) else job


def _forget(jobs: "OrderedDict[str, Awaited[None]]") -> None:
    """Drop what has arrived, and the oldest of what has failed."""
    ended = [name for name, job in jobs.items() if job.is_done]
    failed = [name for name in ended if jobs[name].problem is not None]
    for name in ended:
        if name not in failed[-REMEMBERED:]:
            del jobs[name]


def _load(name: str, on_the_way: int, report: Report) -> None:
    """Fetch a model and put it on the shelf, after others have made room for it."""
    if on_the_way >= AT_ONCE:
        raise ModelError(
            f"{on_the_way} models are being loaded already, as many as this server loads at once. "
            "Try again when one of them has come."
        )
    checkpoint = _found(name, lambda words, share: report(share, words))
    with _turn(report):
        try:
            _make_room(checkpoint, report)
            _read_for(name, checkpoint, report)
        except VLError as error:
            # Visitors know the model by its name; where it lies is the owner's business.
            raise ModelError(str(error).replace(str(checkpoint.path), name)) from error
        finally:
            _settle()


def _read_for(name: str, checkpoint: Checkpoint, report: Report) -> None:
    """Read a model and keep it, unless nobody wants it any longer once it is there."""
    report(None, READING)
    found = _read(checkpoint, settings.precision())
    try:
        report(None, READING)
        _shelf().put(name, found)
    finally:
        del found  # what stops this would hold it with the whole stack


@contextmanager
def _turn(report: Report) -> Iterator[None]:
    """The only block in which weights are read; waiting for it can be stopped."""
    report(None, WAITING)
    while not _reading().acquire(timeout=0.25):
        report(None, WAITING)
    try:
        yield
    finally:
        _reading().release()


def _found(name: str, tell: checkpoints.Tell) -> Checkpoint:
    settings.check_offered(name)
    find = checkpoints.find if settings.is_folder(name) else checkpoints.find_published
    return find(name, tell=tell)


def _make_room(checkpoint: Checkpoint, report: Report) -> None:
    """Let models go for this one; raises ModelError if the owner allows none of its size."""
    wanted = checkpoints.demand_of(checkpoint, settings.precision())
    limit = settings.model_bytes()
    if limit is not None and wanted.weights > limit:
        raise ModelError(
            f"{checkpoint.model_id} takes {readable(wanted.weights)} of memory; the owner of this "
            f"server allows {readable(limit)} for models. Choose a smaller one."
        )
    gone = [weakref.ref(model) for model in _shelf().make_room(wanted, limit)]
    if gone:
        report(None, LEAVING)
        _wait(lambda: any(model() is not None for model in gone))
        _settle()


def _wait(goes_on: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while goes_on() and time.monotonic() < end:
        time.sleep(0.05)


def _embedded() -> "Model":
    found = _read(checkpoints.find(EMBEDDED_NAME), "auto")
    _settle()
    return found


def _read(checkpoint: Checkpoint, precision: checkpoints.Precision) -> "Model":
    # Before torch comes: threads that wait by spinning cost a busy machine many times the model's
    # own work (20 times was measured).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from vl_core import model  # noqa: PLC0415 it brings torch

    return model.loaded(checkpoint, precision)


def _settle() -> None:
    """Spare the garbage collector what stays, and let go what does not.

    Modules of a model refer to each other in circles: what was frozen with one that has gone since
    is collected only now.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


@st.cache_resource(show_spinner=False)
def _own() -> Memo:
    return Memo(1)


@st.cache_resource(show_spinner=False)
def _shelf() -> Shelf:
    return Shelf()


@st.cache_resource(show_spinner=False)
def _jobs() -> "OrderedDict[str, Awaited[None]]":
    return OrderedDict()


@st.cache_resource(show_spinner=False)
def _guard() -> threading.Lock:
    return threading.Lock()


@st.cache_resource(show_spinner=False)
def _reading() -> threading.Lock:
    return threading.Lock()


@st.cache_resource(show_spinner=False)
def _warming() -> threading.Thread:
    # The memo's own lock makes an impatient visitor wait for this load instead of starting another.
    thread = threading.Thread(target=model, args=(EMBEDDED_NAME,), name="warm-up", daemon=True)
    thread.start()
    return thread
