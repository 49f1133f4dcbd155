"""What a visitor looks at, and all caching of it; the models themselves are kept by `models`.

Nothing here is keyed by an object's identity: a request is plain values, a trace is named by the
hash of its file. Traces of generated scenes and of data sets are shared by all visitors and kept
on disk; what a visitor uploads stays in that visitor's session and goes with it.
"""

import hashlib
import importlib
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import streamlit as st

from pages.shared import models, requests, settings
from pages.shared.clock import CLOCK
from pages.shared.data_sets import sets
from pages.shared.memo import Memo
from pages.shared.requests import Request, Upload
from vl_core import findings, store
from vl_core.checkpoints import EMBEDDED_NAME
from vl_core.datasets.gallery import WORKED_EXAMPLE
from vl_core.errors import BudgetError, SettingError, TextError, VLError
from vl_core.example import Example
from vl_core.shortage import is_shortage
from vl_core.trace import Trace

if TYPE_CHECKING:
    from vl_core.attribution.ablation import HeadEffects
    from vl_core.capture import Estimate
    from vl_core.model import Model
    from vl_core.progress import Progress

T = TypeVar("T")

TRACES = 16  # traces kept in memory for all visitors: 1 to 15 MB each of small models
PRIVATE_TRACES = 4  # ... and for one visitor's uploads
TRACE_BYTES, PRIVATE_BYTES = 2**30, 2**28  # ... of large models as many as fit here, two at least
PREVIEWS = 256  # small or drawn pictures, some 100 kB each
RESULTS = 64  # projections and the like
STORE_BYTES = 500 * 2**20
# What takes the place of a head of the embedded model that is taken out.
HEAD_MEANS = findings.HEAD_MEANS
STORES_UPLOADS = settings.stores_uploads()


def request() -> Request:
    """What is on show."""
    return st.session_state.setdefault("request", requests.worked_example())


def trace() -> Trace:
    """The trace on show."""
    return _shown()[1]


def trace_with_own_picture() -> Trace:
    """The trace of the same question with nothing in the picture's place."""
    return trace_of(request().with_own_picture)


def trace_of(wanted: Request, upload: Upload | None = None) -> Trace:
    """The trace of another request; made now if it is not remembered.

    upload: the files behind it, where they are not those behind what is on show.
    """
    return _find(wanted, upload or kept_upload())[1]


def trace_id() -> str:
    """A name for the trace on show that changes with its content."""
    return _shown()[0]


def remembered(key: tuple[Hashable, ...], compute: Callable[[], T]) -> T:
    """What was computed from the trace on show, once for all visitors who look at it."""
    memo = _private("results", RESULTS) if request().is_private else _results()
    return memo.get((trace_id(), *key), compute)


def compared(
    other: Request, upload: Upload | None, key: tuple[Hashable, ...], compute: Callable[[], T]
) -> T:
    """What was computed from the trace on show and that of another request, once.

    Where one of them belongs to a visitor alone, the result does, too.
    """
    is_private = request().is_private or other.is_private
    memo = _private("results", RESULTS) if is_private else _results()
    names = trace_id(), _find(other, upload or kept_upload())[0]
    return memo.get((*names, *key), compute)


def head_effects() -> "HeadEffects":
    """What becomes of the answer on show when each head is taken out; measured once."""
    return remembered(("head effects",), _head_effects)


def preview(key: Hashable, make: Callable[[], T], *, is_private: bool = False) -> T:
    """A picture as it is drawn, made once; a visitor's own stays with the visitor."""
    memo = _private("previews", PRIVATE_TRACES) if is_private else _previews()
    return memo.get(key, make)


def ask(wanted: Request, upload: Upload | None = None) -> None:
    """Note what the visitor wants to see; it is analysed before the page is drawn."""
    st.session_state["asked"] = (wanted, upload)


def wanted() -> Request:
    """What is on show, or is about to be."""
    return st.session_state.get("asked", (request(), None))[0]


def complain(message: str) -> None:
    """Note why something cannot be met; it is said once, above the page."""
    st.session_state["problem"] = message


def problem() -> str | None:
    """Why the last request was not met, once; the last good result stays on show."""
    return st.session_state.pop("problem", None)


def analyse_if_asked() -> tuple[Request, VLError] | None:
    """Meet the visitor's request, with progress on the page, or note why it cannot be met.

    Returns what could not be met, and why.
    """
    wanted, upload = st.session_state.get("asked", (None, None))
    if wanted is None:
        return None
    try:
        _find(wanted, upload or kept_upload())
    except Exception as error:
        del st.session_state["asked"]
        if not isinstance(error, VLError):
            raise
        complain(str(error))
        return wanted, error
    # Not before: if another click ends this run, which is no Exception, the next run meets it.
    del st.session_state["asked"]
    st.session_state["request"] = wanted
    if upload is not None:
        # For what is asked about it next; the fields in the sidebar forget it when not drawn.
        st.session_state["upload"] = upload
    return None


def can_read(wanted: Request) -> bool:
    """Whether the model can read this text, which may be too long; nothing is run.

    It is taken for granted of the embedded model, which reads all questions about scenes, and of
    one that is not loaded. What else may be wrong is said where it is analysed.
    """
    if wanted.model == EMBEDDED_NAME or not models.is_loaded(wanted.model):
        return True
    try:
        models.model(wanted.model).estimate(requests.example(wanted, None))
    except TextError:
        return False
    except VLError:
        return True
    return True


def add_own_modules() -> None:
    """Import the modules in which this server's owner registers statistics and families, once."""
    _own_modules()


def estimate(wanted: Request, upload: Upload | None) -> "Estimate":
    """What an analysis would keep, without running the model; one for all questions.

    A few words more or less take next to nothing. Raises ModelError, ImageError or TextError where
    an analysis would.
    """
    memo = _private("results", RESULTS) if wanted.is_private else _results()
    return memo.get(
        ("estimate", replace(wanted, question="")),
        lambda: models.model(wanted.model).estimate(requests.example(wanted, upload)),
    )


def _shown() -> tuple[str, Trace]:
    return _find(request(), kept_upload())


def kept_upload() -> Upload | None:
    """The files behind the last upload that was analysed; they go with the visit."""
    return st.session_state.get("upload")


def _find(wanted: Request, upload: Upload | None) -> tuple[str, Trace]:
    if wanted == requests.worked_example():
        return _worked_example()
    memo = _private_traces() if wanted.is_private else _traces()
    return memo.get(wanted, lambda: _analysed(wanted, upload))


def _analysed(wanted: Request, upload: Upload | None) -> tuple[str, Trace]:
    if wanted.source == "set":
        open_set(wanted.name)
    if wanted.model == requests.OWN_TENSORS:
        with told("Reading the tensors and measuring their heads"):
            return _held(wanted)
    example = requests.example(wanted, upload)
    with told("Analysing the picture") as tell:
        return _traced(wanted, example, tell)


def open_set(name: str) -> None:
    """Open a data set, with progress on the page if it is not open yet; raises DatasetError."""
    if sets.is_opened(name):
        return
    place = st.empty()
    place.progress(0.0, f"Opening “{name}”")
    try:
        sets.opened(name, lambda share, sentence: place.progress(share or 0.0, sentence))
    finally:
        place.empty()


def _held(wanted: Request) -> tuple[str, Trace]:
    """The trace that a data set holds; its name changes with what was measured of all heads."""
    found = requests.held_trace(wanted)
    digest = hashlib.sha256(repr((wanted.name, wanted.place.item, found.example.text)).encode())
    for stack in found.stacks.values():
        for values in stack.head_stats.values():
            digest.update(values.tobytes())
    return digest.hexdigest()[:16], found


@contextmanager
def told(what: str) -> Iterator["Progress"]:
    """Say on the page what is being done and for how long, until it is done or has failed."""
    place = st.empty()
    try:
        with place.status(what, expanded=True):
            line = st.empty()
            st.html(CLOCK)
            yield line.write
    finally:
        place.empty()


def _traced(wanted: Request, example: Example, tell: "Progress") -> tuple[str, Trace]:
    loaded = _loaded_now(wanted.model, tell)
    key = store.key(loaded.provenance, example, {"budget": settings.trace_bytes()})
    disk = None if wanted.is_private and not STORES_UPLOADS else _disk()
    found = disk.get(key) if disk else None
    if found is None:
        found = _run(wanted.model, loaded, example, tell)
        if disk:
            disk.put(key, found)
    return key[:16], found


def _run(name: str, loaded: "Model", example: Example, tell: "Progress") -> Trace:
    with turn(name, tell), told_if_too_large(name):
        return loaded.trace(example, tell, settings.trace_bytes())


@contextmanager
def told_if_too_large(name: str) -> Iterator[None]:
    """Raise BudgetError in place of what Python and torch raise when there is no memory left."""
    try:
        yield
    except Exception as error:
        if not is_shortage(error):
            raise
        raise BudgetError(
            f"There is not enough memory for {name} to read this example. Choose a smaller "
            "picture, a shorter question or a smaller model."
        ) from error


@contextmanager
def turn(name: str, tell: "Progress") -> Iterator[None]:
    """Run the model within it: one visitor at a time for each model; who waits is told."""
    lock = _forward_lock(name)
    if lock.locked():
        tell("Another picture is being analysed; yours is next")
    with lock:
        yield


def _head_effects() -> "HeadEffects":
    shown = request()
    example = requests.example(shown, kept_upload())
    with told("Taking out each head in turn") as tell:
        loaded = _loaded_now(shown.model, tell)
        from vl_core.attribution import ablation  # noqa: PLC0415 it brings torch

        means = ablation.HeadMeans.load(HEAD_MEANS, loaded.provenance.weights_hash)
        with turn(shown.model, tell):
            tell("Asking again without each head")
            return ablation.head_effects(loaded, example, means)


@st.cache_resource(show_spinner=False)
def _disk() -> store.TraceStore:
    return store.TraceStore(store.default_folder(), STORE_BYTES)


@st.cache_resource(show_spinner=False)
def _worked_example() -> tuple[str, Trace]:
    content = WORKED_EXAMPLE.read_bytes()
    return hashlib.sha256(content).hexdigest()[:16], Trace.load(WORKED_EXAMPLE)


@st.cache_resource(show_spinner=False)
def _traces() -> Memo:
    return Memo(TRACES, _trace_bytes, TRACE_BYTES)


def _trace_bytes(found: tuple[str, Trace]) -> int:
    return found[1].n_bytes


@st.cache_resource(show_spinner=False)
def _results() -> Memo:
    return Memo(RESULTS)


@st.cache_resource(show_spinner=False)
def _previews() -> Memo:
    return Memo(PREVIEWS)


def _private(name: str, size: int) -> Memo:
    return st.session_state.setdefault(f"private_{name}", Memo(size))


def _private_traces() -> Memo:
    memo = Memo(PRIVATE_TRACES, _trace_bytes, PRIVATE_BYTES)
    return st.session_state.setdefault("private_traces", memo)


def _loaded_now(name: str, tell: "Progress") -> "Model":
    if not models.is_loaded(name):
        tell("Loading the model (first time only)")
    return models.model(name)


@st.cache_resource(show_spinner=False)
def _forward_lock(name: str) -> threading.Lock:  # noqa: ARG001 one lock for each model's name
    return threading.Lock()


@st.cache_resource(show_spinner=False)
def _own_modules() -> list[str]:
    wanted = [(name, module) for name, some in settings.modules().items() for module in some]
    for name, module in wanted:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise SettingError(
                f"{name} names the module {module}, which cannot be imported "
                f"({error}). Start the server where it can be found, or correct the name."
            ) from error
    return [module for _, module in wanted]
