"""What a visitor looks at, and all caching of the app.

Nothing here is keyed by an object's identity: a request is plain values, a trace is named by the
hash of its file. Traces of generated scenes are shared by all visitors and kept on disk; what a
visitor uploads stays in that visitor's session and goes with it.
"""

import gc
import hashlib
import importlib
import os
import threading
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, TypeVar

import streamlit as st

from pages.shared import requests
from pages.shared.memo import Memo
from pages.shared.requests import Request
from vl_core import store
from vl_core.datasets.gallery import WORKED_EXAMPLE
from vl_core.errors import StatisticError, VLError
from vl_core.example import Example
from vl_core.trace import Trace

if TYPE_CHECKING:
    from vl_core.model import Model

T = TypeVar("T")

TRACES = 16  # traces kept in memory for all visitors, each 1 to 15 MB
PRIVATE_TRACES = 4  # ... and for one visitor's uploads
RESULTS = 64  # projections and the like
STORE_BYTES = 500 * 2**20
STORES_UPLOADS = os.environ.get("VLINTERPRET_STORE_UPLOADS") == "1"


def request() -> Request:
    """What is on show."""
    return st.session_state.setdefault("request", requests.worked_example())


def trace() -> Trace:
    """The trace on show."""
    return _shown()[1]


def trace_id() -> str:
    """A name for the trace on show that changes with its content."""
    return _shown()[0]


def remembered(key: tuple[Hashable, ...], compute: Callable[[], T]) -> T:
    """What was computed from the trace on show, once for all visitors who look at it."""
    memo = _private("results", RESULTS) if request().is_private else _results()
    return memo.get((trace_id(), *key), compute)


def preview(name: str, make: Callable[[], bytes], *, is_private: bool = False) -> bytes:
    """A small picture for the sidebar, made once; a visitor's own stays with the visitor."""
    memo = _private("previews", PRIVATE_TRACES) if is_private else _previews()
    return memo.get(name, make)


def ask(wanted: Request, upload: bytes | None = None) -> None:
    """Note what the visitor wants to see; it is analysed before the page is drawn."""
    st.session_state["asked"] = (wanted, upload)


def complain(message: str) -> None:
    """Note why something cannot be met; it is said once, above the page."""
    st.session_state["problem"] = message


def problem() -> str | None:
    """Why the last request was not met, once; the last good result stays on show."""
    return st.session_state.pop("problem", None)


def analyse_if_asked() -> None:
    """Meet the visitor's request, with progress on the page, or note why it cannot be met."""
    wanted, upload = st.session_state.pop("asked", (None, None))
    if wanted is None:
        return
    try:
        _find(wanted, upload)
    except VLError as error:
        complain(str(error))
        return
    st.session_state["request"] = wanted


def add_own_statistics() -> None:
    """Import the modules in which this server's owner registers statistics, once."""
    _own_statistics()


def warm_up() -> None:
    """Load the embedded model while the visitor looks at the first page."""
    _warming()


def model(name: str) -> "Model":
    """The loaded model, one for all visitors."""
    return _models().get(name, lambda: _loaded(name))


def _shown() -> tuple[str, Trace]:
    shown = request()
    return _find(shown, None)


def _find(wanted: Request, upload: bytes | None) -> tuple[str, Trace]:
    if wanted == requests.worked_example():
        return _worked_example()
    memo = _private("traces", PRIVATE_TRACES) if wanted.is_private else _traces()
    return memo.get(wanted, lambda: _analysed(wanted, upload))


def _analysed(wanted: Request, upload: bytes | None) -> tuple[str, Trace]:
    example = requests.example(wanted, upload)
    place = st.empty()
    with place.status("Analysing the picture", expanded=True) as status:
        found = _traced(wanted, example, status.write)
    place.empty()
    return found


def _traced(wanted: Request, example: Example, tell: Callable[[str], None]) -> tuple[str, Trace]:
    if not _is_loaded(wanted.model):
        tell("Loading the model (first time only)")
    loaded = model(wanted.model)
    key = store.key(loaded.provenance, example)
    disk = None if wanted.is_private and not STORES_UPLOADS else _disk()
    found = disk.get(key) if disk else None
    if found is None:
        found = _run(wanted.model, loaded, example, tell)
        if disk:
            disk.put(key, found)
    return key[:16], found


def _run(name: str, loaded: "Model", example: Example, tell: Callable[[str], None]) -> Trace:
    lock = _forward_lock(name)
    if lock.locked():
        tell("Another picture is being analysed; yours is next")
    with lock:
        return loaded.trace(example, tell)


@st.cache_resource(show_spinner=False)
def _disk() -> store.TraceStore:
    return store.TraceStore(store.default_folder(), STORE_BYTES)


@st.cache_resource(show_spinner=False)
def _worked_example() -> tuple[str, Trace]:
    content = WORKED_EXAMPLE.read_bytes()
    return hashlib.sha256(content).hexdigest()[:16], Trace.load(WORKED_EXAMPLE)


@st.cache_resource(show_spinner=False)
def _traces() -> Memo:
    return Memo(TRACES)


@st.cache_resource(show_spinner=False)
def _results() -> Memo:
    return Memo(RESULTS)


@st.cache_resource(show_spinner=False)
def _previews() -> Memo:
    return Memo(TRACES)


@st.cache_resource(show_spinner=False)
def _models() -> Memo:
    return Memo(1)


def _private(name: str, size: int) -> Memo:
    return st.session_state.setdefault(f"private_{name}", Memo(size))


def _is_loaded(name: str) -> bool:
    return _models().peek(name) is not None


def _loaded(name: str) -> "Model":
    # Before torch comes: threads that wait by spinning cost a busy machine many times the model's
    # own work (20 times was measured).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import vl_core  # noqa: PLC0415

    loaded = vl_core.load(name)
    gc.collect()
    gc.freeze()  # keeps each click fast: what just came stays for good
    return loaded


@st.cache_resource(show_spinner=False)
def _forward_lock(name: str) -> threading.Lock:  # noqa: ARG001 one lock for each model's name
    return threading.Lock()


@st.cache_resource(show_spinner=False)
def _own_statistics() -> list[str]:
    names = [name.strip() for name in os.environ.get("VLINTERPRET_STATISTICS", "").split(",")]
    wanted = [name for name in names if name]
    for name in wanted:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise StatisticError(
                f"VLINTERPRET_STATISTICS names the module {name}, which cannot be imported "
                f"({error}). Start the server where it can be found, or correct the name."
            ) from error
    return wanted


@st.cache_resource(show_spinner=False)
def _warming() -> threading.Thread:
    # The memo's own lock makes an impatient visitor wait for this load instead of starting another.
    thread = threading.Thread(target=model, args=("embedded",), name="warm-up", daemon=True)
    thread.start()
    return thread
