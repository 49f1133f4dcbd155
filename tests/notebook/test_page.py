"""The page of the linked view: it loads nothing, holds everything, and nothing breaks out of it."""

import base64
import json
import re
import subprocess
import sys
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from tests.builders import random_stack, random_tokens, random_trace
from tests.decoders import decoder_trace
from vl_core import notebook, wire
from vl_core.errors import TraceError
from vl_core.example import Region
from vl_core.linked_view import delivery, files
from vl_core.notebook import page, part
from vl_core.trace import KeptNothing, Trace

ROOT = Path(__file__).parents[2]
DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)
EVIL = "</script><script>alert(1)</script><!-- $title \"' &amp; \u2028"


def told(view: notebook.LinkedView) -> tuple[dict, dict[str, bytes]]:
    """The message and the bytes of a page."""
    data = json.loads(DATA.search(view.page)[1])
    blobs = {key: base64.b64decode(content) for key, content in data["blobs"].items()}
    return data["message"], blobs


def without_layer(trace: Trace, layer: int) -> Trace:
    """The trace as if a layer of its encoder had not been kept."""
    stack = trace.stacks["encoder"]
    (block,) = stack.blocks[layer]
    heads, queries, keys = block.kept.shape
    nothing = replace(block, kept=KeptNothing((heads, queries, keys), block.kept.mask))
    blocks = list(stack.blocks)
    blocks[layer] = (nothing,)
    return replace(trace, stacks={"encoder": replace(stack, blocks=tuple(blocks))})


def test_it_loads_nothing():
    """No address of the network is in it, and its policy forbids what is not in the page."""
    found = notebook.linked_view(random_trace()).page

    assert not re.findall(
        r"(?:https?:)?//[\w.-]+\.\w+", re.sub(r"^\s*//.*$", "", found, flags=re.MULTILINE)
    )
    assert not re.findall(r"<(?:link|iframe|object|embed)\b|<script[^>]*\bsrc|@import|url\(", found)
    assert "default-src 'none'" in found


def test_boxes_are_there_from_the_start_where_texts_call_them_by_number():
    """Each place once; a scene's objects, which words name, are shown on request."""
    trace = random_trace()
    numbered = (
        Region("[1]", (2.0, 3.0, 31.0, 17.5), (0, 2), number=0),
        Region("[1]", (2.0, 3.0, 31.0, 17.5), (7, 10), number=0),
        Region("[2]", (40.0, 5.0, 55.0, 30.0), number=1),
    )
    stacks = {name: replace(stack, regions=numbered) for name, stack in trace.stacks.items()}
    example = replace(trace.example, regions=numbered)

    plain, _ = told(notebook.linked_view(trace))
    found, _ = told(notebook.linked_view(replace(trace, example=example, stacks=stacks)))

    assert [one["label"] for one in plain["regions"]] == ["star"]
    assert not plain["showsRegions"]
    assert found["showsRegions"]
    assert [(one["label"], one["box"]) for one in found["regions"]] == [
        ("[1]", [2.0, 3.0, 31.0, 17.5]),
        ("[2]", [40.0, 5.0, 55.0, 30.0]),
    ]
    assert len({one["color"] for one in found["regions"]}) == 2


def test_streamlit_is_not_needed():
    """Neither it nor torch is imported for a trace from a file."""
    code = (
        "import sys; from vl_core import Trace, notebook; "
        "from vl_core.datasets.gallery import WORKED_EXAMPLE; "
        "notebook.linked_view(Trace.load(WORKED_EXAMPLE)); "
        "print([name for name in ('streamlit', 'torch', 'transformers') if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert found.stdout.strip() == "[]"


def test_it_holds_all_layers_heads_and_the_picture():
    """As the app sends them, under the keys that the message names."""
    trace = random_trace()
    stack = trace.stacks["encoder"]

    message, blobs = told(notebook.linked_view(trace, layer=2))

    everyone = stack.queries.is_text | stack.queries.is_image
    for layer in range(3):
        for head in range(5):
            wanted = wire.head(stack.blocks[layer], head, everyone, everyone)
            assert blobs[f"{message['stackKey']}/{layer}/h{head}"] == wanted
    assert json.loads(blobs[message["tokensKey"]])["queries"]["texts"] == list(stack.queries.texts)
    assert blobs[message["pictureKey"]].startswith(b"\xff\xd8\xff")
    assert message["isWhole"]
    assert message["layerNumbers"] == [1, 2, 3]
    assert message["selection"]["layer"] == 2
    assert message["selection"]["tokens"] == [4]  # "star", which names a region


def test_nothing_that_a_user_wrote_ends_its_element():
    """Neither a word, nor the question, nor the names of model and stack; they come out whole."""
    tokens = random_tokens()
    tokens = replace(tokens, texts=(EVIL, *tokens.texts[1:]))
    trace = random_trace()
    trace = replace(
        trace,
        example=replace(trace.example, text=EVIL, regions=()),
        streams={"encoder": replace(trace.streams["encoder"], tokens=tokens)},
        stacks={EVIL: random_stack(queries=tokens, name=EVIL)},
        provenance=replace(trace.provenance, model_id=EVIL),
    )

    view = notebook.linked_view(trace)

    assert "alert(1)</script>" not in view.page
    assert view.page.count("</script>") == 2
    assert "<!--" not in view.page
    message, blobs = told(view)
    assert message["stackKey"] == f"trace/{EVIL}"
    assert json.loads(blobs[f"trace/{EVIL}/tokens"])["queries"]["wholes"]["0"] == EVIL
    assert unescape(re.search("<title>(.*?)</title>", view.page, re.DOTALL)[1]) == f"{EVIL}: {EVIL}"


def test_the_frame_holds_the_page_and_nothing_else():
    """Its one attribute with the page is ended by nothing in the page."""
    view = notebook.linked_view(random_trace())

    found = re.fullmatch(
        r'<iframe title="[^"]*" style="[^"]*" srcdoc="([^"]*)"></iframe>', view._repr_html_()
    )

    assert unescape(found[1]) == view.page


def test_what_is_too_much_is_left_out_and_told(monkeypatch):
    """One layer, with all its heads, under the number that it has; the sentence has its size."""
    trace = decoder_trace()
    stack = trace.stacks["language"]
    monkeypatch.setattr(delivery, "WHOLE_BYTES", 100)

    view = notebook.linked_view(trace, "language", layer=1)

    message, blobs = told(view)
    assert message["layerNumbers"] == [stack.layers[1] + 1]
    assert not message["isWhole"]
    assert message["holdsLayer"]
    assert message["reach"] is None
    everyone = stack.queries.is_text | stack.queries.is_image
    for head in range(6):
        wanted = wire.head(stack.blocks[1], head, everyone, everyone)
        assert blobs[f"trace/language/0/h{head}"] == wanted
    assert not [key for key in blobs if key.startswith("trace/language/1")]
    size = wire.sizes(stack.blocks[1]).bytes / 2**20
    assert (
        f"Only layer {stack.layers[1] + 1} (layer=1) is on this page, with {size:.1f} MB"
        in view.page
    )


def test_layers_that_were_not_kept_are_told():
    """The others keep their numbers."""
    view = notebook.linked_view(without_layer(random_trace(), 1))

    assert told(view)[0]["layerNumbers"] == [1, 3]
    assert "The trace kept the attention of 2 of 3 layers." in view.page
    with pytest.raises(TraceError, match=r"No attention of layer 1 of stack encoder.* 0, 2"):
        notebook.linked_view(without_layer(random_trace(), 1), layer=1)


def test_what_the_trace_has_not_is_refused():
    """A stack of another name, a layer beyond the last, a trace of statistics alone."""
    trace = random_trace()
    with pytest.raises(TraceError, match="No stack 'decoder' in this trace; it has encoder"):
        notebook.linked_view(trace, "decoder")
    for layer in (3, -1):
        with pytest.raises(TraceError, match=f"No attention of layer {layer} .* 0, 1, 2"):
            notebook.linked_view(trace, layer=layer)
    for layer in range(3):
        trace = without_layer(trace, layer)
    with pytest.raises(TraceError, match="a larger budget"):
        notebook.linked_view(trace)


def test_it_begins_with_the_head_that_tells_most():
    """Of the chosen layer, or of all."""
    trace = random_trace()
    stack = trace.stacks["encoder"]
    grounding = np.zeros((3, 5))
    grounding[[0, 1, 2], [3, 4, 1]] = [0.5, 0.25, 0.75]
    stack = replace(stack, head_stats={"grounding": grounding})
    trace = replace(trace, stacks={"encoder": stack})

    for layer, wanted in [(None, (2, 1)), (0, (0, 3)), (1, (1, 4))]:
        choice = part.part_of(trace, None, layer).choice
        assert (choice.layer, choice.head) == wanted


def test_every_variable_of_the_styles_is_set():
    """As Streamlit would set it."""
    used = set(re.findall(r"--st-[\w-]+", files.css() + files.script()))
    style = (page.FOLDER / "page.css").read_text(encoding="utf-8")

    assert used <= set(re.findall(r"(--st-[\w-]+):", style))
    assert "prefers-color-scheme: dark" in style
