"""Sends immutable bytes to the browser, each once per visit; components read them from the bus.

A message that changes with every click would carry megabytes each time. So what never changes
(attention codes, pictures) goes once, and the components that show it get small messages.
"""

import json
from collections.abc import Callable, Container, Iterable, Mapping

import streamlit as st

from pages.shared.components.assets import component

KEPT_ANALYSES = 3  # the browser keeps as many
KEPT_BYTES = 96 * 2**20  # of one analysis; beyond that what was sent first goes
BATCH = 2**20  # bytes: few messages, and none so large that it delays what comes after it

_mount = component("blob_store", "bus.js", "blob_store/component.js")


def deliver(analysis: str, blobs: Mapping[str, Callable[[], bytes]]) -> None:
    """Send what this visit's browser does not have yet, in the order given, the first alone.

    analysis: names what belongs together; the oldest analysis is dropped when a fourth comes.
    blobs: by name within the analysis, made only if sent; on the bus the key is "analysis/name".
    What the browser keeps besides is dropped there when it becomes too much.
    """
    sent = _sent(analysis)
    wanted = [(name, make) for name, make in blobs.items() if name not in sent]
    if not wanted:
        return
    stale = _stale(sent, blobs)
    with st.container(gap=None, key="blob_store"):
        for number, batch in enumerate(_batches((name, make()) for name, make in wanted)):
            message = _message(analysis, batch, () if number else stale)
            _mount(key=f"blobs_{number}", data=message, height=1)
            sent.update((name, len(content)) for name, content in batch)


def _stale(sent: dict[str, int], needed: Container[str]) -> list[str]:
    """What is given up, oldest first, until the rest is small enough; it is no longer `sent`."""
    stale = []
    for name in list(sent):
        if sum(sent.values()) <= KEPT_BYTES:
            break
        if name not in needed:
            stale.append(name)
            del sent[name]
    return stale


def forget(keys: Iterable[str]) -> None:
    """Note that the browser has not got these, for a run that was cut off before it sent them."""
    for key in keys:
        analysis, _, name = key.partition("/")
        st.session_state.get("sent_blobs", {}).get(analysis, {}).pop(name, None)


def _sent(analysis: str) -> dict[str, int]:
    """What this visit's browser has of an analysis: bytes by name, oldest first."""
    everything: dict[str, dict[str, int]] = st.session_state.setdefault("sent_blobs", {})
    sent = everything.setdefault(analysis, {})
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


def _message(analysis: str, batch: list[tuple[str, bytes]], stale: Iterable[str]) -> bytes:
    index = [[f"{analysis}/{name}", len(content)] for name, content in batch]
    drop = [f"{analysis}/{name}" for name in stale]
    encoded = json.dumps({"index": index, "drop": drop}).encode()
    header = len(encoded).to_bytes(4, "little") + encoded
    return b"".join([header, *(content for _, content in batch)])
