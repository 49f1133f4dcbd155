"""Sends immutable bytes to the browser, each once per visit; components read them from the bus.

A message that changes with every click would carry megabytes each time. So what never changes
(attention codes, pictures) goes once, and the components that show it get small messages.
"""

import json
from collections.abc import Callable, Iterable, Mapping

import streamlit as st

from pages.shared.components.assets import component

KEPT_ANALYSES = 3  # the browser keeps as many
BATCH = 2**20  # bytes: few messages, and none so large that it delays what comes after it

_mount = component("blob_store", "bus.js", "blob_store/component.js")


def deliver(analysis: str, blobs: Mapping[str, Callable[[], bytes]]) -> None:
    """Send what this visit's browser does not have yet, in the order given, the first alone.

    analysis: names what belongs together; the oldest analysis is dropped when a fourth comes.
    blobs: by name within the analysis, made only if sent; on the bus the key is "analysis/name".
    """
    sent = _sent(analysis)
    wanted = [(name, make) for name, make in blobs.items() if name not in sent]
    if not wanted:
        return
    with st.container(gap=None, key="blob_store"):
        for number, batch in enumerate(_batches((name, make()) for name, make in wanted)):
            _mount(key=f"blobs_{number}", data=_message(analysis, batch), height=1)
    sent.update(name for name, _ in wanted)


def forget(keys: Iterable[str]) -> None:
    """Note that the browser has not got these, for a run that was cut off before it sent them."""
    for key in keys:
        analysis, _, name = key.partition("/")
        st.session_state.get("sent_blobs", {}).get(analysis, set()).discard(name)


def _sent(analysis: str) -> set[str]:
    everything: dict[str, set[str]] = st.session_state.setdefault("sent_blobs", {})
    sent = everything.setdefault(analysis, set())
    while len(everything) > KEPT_ANALYSES:
        everything.pop(next(iter(everything)))
    return sent


def _batches(blobs: Iterable[tuple[str, bytes]]) -> Iterable[list[tuple[str, bytes]]]:
    batch: list[tuple[str, bytes]] = []
    is_first = True
    for blob in blobs:
        batch.append(blob)
        if is_first or sum(len(content) for _, content in batch) > BATCH:
            yield batch
            batch = []
        is_first = False
    if batch:
        yield batch


def _message(analysis: str, batch: list[tuple[str, bytes]]) -> bytes:
    index = [[f"{analysis}/{name}", len(content)] for name, content in batch]
    encoded = json.dumps(index).encode()
    header = len(encoded).to_bytes(4, "little") + encoded
    return b"".join([header, *(content for _, content in batch)])
