"""What a run of a page sends to the browser, read as the browser reads it."""

import json
from typing import Any

from streamlit.testing.v1 import AppTest


def messages(test: AppTest, component: str) -> list[Any]:
    """The messages to a component of ours in this run."""
    found = [element.proto for element in test.get("bidi_component")]
    return [proto for proto in found if proto.component_name == component]


def view(test: AppTest) -> dict[str, Any]:
    """The small message to the linked view."""
    return json.loads(messages(test, "vl_linked_view")[0].json)


def blobs(test: AppTest) -> dict[str, bytes]:
    """Bytes that go to the browser's store in this run, by key, in the order in which they go."""
    found = {}
    for message in messages(test, "vl_blob_store"):
        content = bytes(message.bytes)
        offset = 4 + int.from_bytes(content[:4], "little")
        for key, length in json.loads(content[4:offset])["index"]:
            found[key] = content[offset : offset + length]
            offset += length
        assert offset == len(content)
    return found


def dropped(test: AppTest) -> list[str]:
    """Keys that the browser is told to forget in this run."""
    found = []
    for message in messages(test, "vl_blob_store"):
        content = bytes(message.bytes)
        found += json.loads(content[4 : 4 + int.from_bytes(content[:4], "little")])["drop"]
    return found
