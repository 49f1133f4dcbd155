"""Traces on disk: the same to the bit, whole or not at all, and one sentence for anything else."""

import json
import tracemalloc
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from tests.builders import (
    content_of,
    png,
    random_stack,
    random_tokens,
    random_trace,
    random_two_stream_trace,
)
from tests.decoders import decoder_trace
from vl_core.errors import TraceError
from vl_core.example import Region
from vl_core.trace import (
    DistanceBias,
    KeptNothing,
    Mask,
    Stream,
    Trace,
    TracedExample,
    files,
)

TRACES = {
    "one stream": random_trace,
    "padding": lambda: random_trace(padding=2, mask="causal"),
    "windows": lambda: random_trace(windows=3, kept="queries_keys"),
    "two streams, cross-attention": random_two_stream_trace,
    "stored statistics": lambda: with_statistics(random_trace()),
    "a bias, single precision": lambda: with_bias(random_trace(kept="queries_keys", layers=4)),
    "some layers": lambda: with_some_layers(random_trace(kept="queries_keys")),
    "text alone": lambda: text_alone(),  # noqa: PLW0108 it is defined below
    "a generated text": decoder_trace,
}


def with_statistics(trace):
    """The trace with a statistic that has missing values, under a key as ours are."""
    values = np.random.default_rng(0).normal(size=(3, 5))
    values[1, 2] = np.nan
    stack = replace(trace.stacks["encoder"], head_stats={"entropy/without_specials": values})
    return replace(trace, stacks={"encoder": stack})


def with_bias(trace):
    """The trace with a bias that its layers share but for the third; the last has none."""
    stack, count = trace.stacks["encoder"], len(trace.streams["encoder"].tokens)
    one, other = (
        DistanceBias.of(
            np.random.default_rng(seed).normal(size=(5, 2 * count - 1)).astype("f4"), count
        )
        for seed in (0, 1)
    )
    layers = []
    for (block,), bias in zip(stack.blocks, (one, one, other, None), strict=True):
        single = {name: getattr(block.kept, name).astype("f4") for name in ("queries", "keys")}
        layers.append((replace(block, kept=replace(block.kept, bias=bias, **single)),))
    return replace(trace, stacks={"encoder": replace(stack, blocks=tuple(layers))})


def with_some_layers(trace):
    """The trace without the attention of its second layer."""
    stack = trace.stacks["encoder"]
    first, (block,), last = stack.blocks
    nothing = replace(block, kept=KeptNothing(block.kept.shape, block.kept.mask))
    return replace(trace, stacks={"encoder": replace(stack, blocks=(first, (nothing,), last))})


def text_alone():
    """A trace without a picture, whose hidden states were not kept."""
    tokens = random_tokens(rows=0, columns=0)
    return replace(
        random_trace(),
        example=TracedExample("is the red star"),
        streams={"encoder": Stream.of("encoder", tokens, np.zeros((0, len(tokens), 3)))},
        stacks={"encoder": random_stack(queries=tokens)},
    )


def assert_same(found, wanted):
    """All of two traces is equal to the bit, types of arrays included."""
    if isinstance(wanted, np.ndarray):
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found, wanted)
    elif hasattr(wanted, "tobytes"):
        assert (found.mode, found.size) == (wanted.mode, wanted.size)
        assert found.tobytes() == wanted.tobytes()
    elif hasattr(wanted, "__dataclass_fields__"):
        assert type(found) is type(wanted)
        for name in wanted.__dataclass_fields__:
            assert_same(getattr(found, name), getattr(wanted, name))
    elif isinstance(wanted, Mapping):
        assert list(found) == list(wanted)
        for key, value in wanted.items():
            assert_same(found[key], value)
    elif isinstance(wanted, tuple):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            assert_same(one, other)
    else:
        assert found == wanted


@cache
def content():
    """The bytes of one good file."""
    return content_of(random_two_stream_trace())


def with_metadata(path, changes):
    """Change the file's metadata, its checksum kept."""
    arrays = load_file(path)
    with files.safe_open(path, framework="np") as file:
        metadata = file.metadata()
    save_file(arrays, path, metadata | changes)


@pytest.mark.parametrize("kind", TRACES)
def test_a_trace_comes_back_to_the_bit(kind, tmp_path):
    """Example, picture, streams, stacks, statistics, prediction and provenance."""
    trace = TRACES[kind]()
    trace.save(tmp_path / "example.safetensors")

    found = Trace.load(tmp_path / "example.safetensors")

    assert_same(found, trace)
    for stack in found.stacks.values():
        assert stack.queries is found.streams[stack.query_stream].tokens
        assert stack.keys is found.streams[stack.key_stream].tokens


def asked_and_not():
    """A trace of two regions, of which only the second is asked about."""
    regions = (
        Region("star", (2.0, 3.0, 31.0, 17.5), (11, 15), is_asked=False),
        Region(
            "left",
            (0.0, 0.0, 30.0, 32.0),
            number=3,
            outlines=(((1.0, 2.0), (9.5, 2.0), (4.0, 8.0)),),
        ),
    )
    trace = random_trace()
    stack = replace(trace.stacks["encoder"], regions=regions)
    example = replace(trace.example, regions=regions)
    return replace(trace, example=example, stacks={"encoder": stack})


def test_regions_remember_whether_they_are_asked_about(tmp_path):
    """In the example and in the stacks."""
    asked_and_not().save(tmp_path / "a")

    found = Trace.load(tmp_path / "a")

    assert [region.is_asked for region in found.example.regions] == [False, True]
    assert found.stacks["encoder"].regions == found.example.regions


def test_a_table_of_allowed_keys_is_stored_once(tmp_path):
    """Layers with equal tables share one, in memory and in the file; a different one is kept."""
    trace = random_trace(kept="queries_keys", layers=4)
    count = len(trace.streams["encoder"].tokens)
    tables = [np.tri(count, k=k, dtype=bool) for k in (0, 0, 1, 0)]
    stack = trace.stacks["encoder"]
    layers = tuple(
        (replace(block, kept=replace(block.kept, mask=Mask("explicit", allowed=table))),)
        for (block,), table in zip(stack.blocks, tables, strict=True)
    )
    shared = replace(trace, stacks={"encoder": replace(stack, blocks=layers)})
    shared.save(tmp_path / "a")

    found = Trace.load(tmp_path / "a")

    assert_same(found, shared)
    assert sum(name.endswith("allowed") for name in load_file(tmp_path / "a")) == 2
    for made in (shared, found):
        one, other, different, last = (b.kept.mask for (b,) in made.stacks["encoder"].blocks)
        assert one is other is last
        assert different is not one


def test_a_bias_is_stored_once(tmp_path):
    """Layers that share it share it in the file, and again when it is read."""
    with_bias(random_trace(kept="queries_keys", layers=4)).save(tmp_path / "a")

    found = Trace.load(tmp_path / "a")

    one, same, other, none = (b.kept.bias for (b,) in found.stacks["encoder"].blocks)
    assert one is same
    assert other not in {one, None}
    assert none is None
    assert sum(name.endswith(".values") for name in load_file(tmp_path / "a")) == 2


def test_saving_takes_no_second_copy(tmp_path):
    """A trace may take half of the memory there is: 40 MB of states are written where they lie."""
    tokens = random_tokens()
    states = np.zeros((4, len(tokens), 400_000), np.float16)
    trace = replace(
        random_trace(),
        streams={"encoder": Stream("encoder", tokens, states, np.ones(4, np.float32))},
        stacks={},
    )
    tracemalloc.start()
    try:
        trace.save(tmp_path / "a")
        assert tracemalloc.get_traced_memory()[1] < 4e6
    finally:
        tracemalloc.stop()
    assert (tmp_path / "a").stat().st_size > 38e6


def test_the_weights_come_back_to_the_bit(tmp_path):
    """What is computed from kept queries and keys is the same before and after."""
    trace = random_two_stream_trace()
    trace.save(tmp_path / "a")
    found = Trace.load(tmp_path / "a")
    for name, stack in trace.stacks.items():
        np.testing.assert_array_equal(
            np.asarray(found.stacks[name].weights), np.asarray(stack.weights)
        )


def test_a_path_may_be_a_string(tmp_path):
    """As in the documentation."""
    random_trace().save(str(tmp_path / "a.safetensors"))

    assert Trace.load(str(tmp_path / "a.safetensors")).prediction.top[0] == ("yes", 0.75)


def test_hostile_words_come_back_as_they_are(tmp_path):
    """Quotes, tags, emoji, right-to-left and zero characters are text like any other."""
    words = ('"}', "<script>", "🦜", "שלום", "\x00", "\ud83d")
    trace = random_trace()
    stream = trace.streams["encoder"]
    tokens = replace(stream.tokens, texts=words + stream.tokens.texts[len(words) :])
    trace = replace(trace, streams={"encoder": replace(stream, tokens=tokens)}, stacks={})
    trace.save(tmp_path / "a")

    assert Trace.load(tmp_path / "a").streams["encoder"].tokens.texts[:6] == words


def test_a_file_holds_no_pickle():
    """It is safetensors from first to last byte: a length, JSON, raw arrays."""
    size = int.from_bytes(content()[:8], "little")
    header = json.loads(content()[8 : 8 + size])
    ends = [part["data_offsets"][1] for name, part in header.items() if name != "__metadata__"]

    assert header["__metadata__"]["format"] == "vl-interpret-trace"
    assert max(ends) == len(content()) - 8 - size
    assert {part["dtype"] for name, part in header.items() if name != "__metadata__"} <= {
        "F16",
        "F32",
        "F64",
        "I64",
        "BOOL",
        "U8",
    }


def test_a_failing_write_leaves_the_old_file(tmp_path, monkeypatch):
    """A full disk in the middle: the old trace stays, and nothing else lies about."""
    path = tmp_path / "a"
    random_trace(seed=1).save(path)
    before = path.read_bytes()

    def half(_arrays, partial, _metadata):
        partial.write_bytes(before[: len(before) // 2])
        raise SafetensorError("No space left on device")

    monkeypatch.setattr(files, "save_file", half)
    with pytest.raises(OSError, match="a cannot be written: No space left"):
        random_trace(seed=2).save(path)

    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_trace_takes_the_place_of_the_old(tmp_path):
    """Saving twice leaves the second."""
    random_trace(seed=1).save(tmp_path / "a")
    random_trace(seed=2).save(tmp_path / "a")

    assert_same(Trace.load(tmp_path / "a"), random_trace(seed=2))
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_flipped_byte_is_found(data, tmp_path):
    """Wherever it lies, the answer is one TraceError, never a wrong number and no other error."""
    damaged = bytearray(content())
    place = data.draw(st.integers(0, len(damaged) - 1) | st.integers(0, 9000))
    damaged[place] ^= data.draw(st.integers(1, 255))
    path = tmp_path / "a"
    path.write_bytes(damaged)
    try:
        found = Trace.load(path)
    except TraceError as error:
        assert_one_sentence(error)
    else:  # a byte without meaning, such as the blanks that fill up the header
        assert_same(found, random_two_stream_trace())


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_cut_is_found(data, tmp_path):
    """A file cut short anywhere, empty included, gives one TraceError."""
    path = tmp_path / "a"
    path.write_bytes(content()[: data.draw(st.integers(0, len(content()) - 1))])
    with pytest.raises(TraceError) as caught:
        Trace.load(path)
    assert_one_sentence(caught.value)


def assert_one_sentence(error):
    """It names the file, ends in a stop and has one line."""
    message = str(error)
    assert message.startswith("a ")
    assert message.endswith(".")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no trace that can be read"),
        (b"PK\x03\x04 a zip file", "is no trace that can be read"),
        (b"\x80\x05K*.", "is no trace that can be read"),
        (b"\xff" * 100, "is no trace that can be read"),
    ],
)
def test_another_kind_of_file_is_refused(content, message, tmp_path):
    """Empty files, archives, pickles, noise."""
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(TraceError, match=message):
        Trace.load(tmp_path / "a")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    """Both are one sentence, too."""
    with pytest.raises(TraceError, match="b is no trace that can be read"):
        Trace.load(tmp_path / "b")
    with pytest.raises(TraceError, match="is no trace that can be read"):
        Trace.load(tmp_path)


def test_another_safetensors_file_is_refused(tmp_path):
    """Somebody's weights are no trace."""
    save_file({"weight": np.zeros(3)}, tmp_path / "a")
    with pytest.raises(TraceError, match="a safetensors file, but not a trace of this tool"):
        Trace.load(tmp_path / "a")


def test_an_answer_that_was_cut_off_stays_so(tmp_path):
    """Written and read with all else of a prediction."""
    trace = decoder_trace()
    cut_off = replace(trace, prediction=replace(trace.prediction, is_cut_off=True))
    cut_off.save(tmp_path / "a")

    assert Trace.load(tmp_path / "a").prediction == cut_off.prediction


def test_a_file_from_before_answers_were_cut_off_opens(tmp_path, monkeypatch):
    """It says nothing of that."""
    trace = decoder_trace()
    description = json.loads(metadata_of(trace, tmp_path)["trace"])
    del description["prediction"]["is_cut_off"]
    monkeypatch.setattr(files, "_checksum", lambda *_: "good")
    with_metadata(tmp_path / "a", {"trace": json.dumps(description), "checksum": "good"})

    assert Trace.load(tmp_path / "a").prediction == trace.prediction


def test_another_version_is_refused(tmp_path):
    """The message gives the file's version and ours."""
    random_trace().save(tmp_path / "a")
    with_metadata(tmp_path / "a", {"version": "99"})
    wanted = f"has format version 99, this program reads {files.VERSION}"
    with pytest.raises(TraceError, match=wanted):
        Trace.load(tmp_path / "a")


HOSTILE = {
    "nothing": lambda description: description.clear(),
    "no streams": lambda description: description.update(streams=None),
    "a list for a name": lambda description: description["streams"][0].update(name=[]),
    "no block": lambda description: description["stacks"][0].update(blocks=[[]]),
    "a strange mask": lambda d: d["stacks"][0]["masks"][0].update(kind="odd"),
    "a stream that is not there": lambda d: d["stacks"][0].update(key_stream="x"),
    "a statistic that is not there": lambda d: d["stacks"][0].update(head_stats=["x"]),
    "no answer": lambda description: description["prediction"].update(top=[]),
    "a text that is none": lambda d: d["prediction"].update(kind="text", text=["a"]),
    "an answer cut off by number": lambda d: d["prediction"].update(
        kind="text", text="a", is_cut_off=1
    ),
    "a region asked about in words": lambda d: d["example"]["regions"][0].update(is_asked="yes"),
    "a region asked about by number": lambda d: d["example"]["regions"][0].update(is_asked=1),
    "a size of one": lambda description: description["example"].update(original_size=[5]),
    "an unknown field": lambda description: description["provenance"].update(color="red"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_made_up_file_is_refused(kind, tmp_path, monkeypatch):
    """A file with a right checksum whose contents make no sense."""
    description = json.loads(metadata_of(random_trace(), tmp_path)["trace"])
    HOSTILE[kind](description)
    monkeypatch.setattr(files, "_checksum", lambda *_: "good")
    with_metadata(tmp_path / "a", {"trace": json.dumps(description), "checksum": "good"})
    with pytest.raises(TraceError):
        Trace.load(tmp_path / "a")


@pytest.mark.parametrize("text", ["", "[" * 100_000, "1e999", '"'])
def test_metadata_that_is_no_description_is_refused(text, tmp_path, monkeypatch):
    """No JSON, JSON nested too deep, JSON of something else."""
    metadata_of(random_trace(), tmp_path)
    monkeypatch.setattr(files, "_checksum", lambda *_: "good")
    with_metadata(tmp_path / "a", {"trace": text, "checksum": "good"})
    with pytest.raises(TraceError, match="a is damaged"):
        Trace.load(tmp_path / "a")


@pytest.mark.parametrize("name", ["stream.encoder.states", "stack.encoder.1.0.weights"])
@pytest.mark.parametrize("array", [None, np.zeros(3), np.zeros((2, 2), np.uint8)])
def test_wrong_arrays_are_refused(name, array, tmp_path, monkeypatch):
    """An array that is missing or of another shape, in a file with a right checksum."""
    monkeypatch.setattr(files, "_checksum", lambda *_: "good")
    metadata = metadata_of(random_trace(), tmp_path)
    arrays = load_file(tmp_path / "a") | {name: array}
    kept = {key: value for key, value in arrays.items() if value is not None}
    save_file(kept, tmp_path / "a", metadata)
    with pytest.raises(TraceError):
        Trace.load(tmp_path / "a")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"noise", "a is damaged .UnidentifiedImageError"),
        (png(60_000, 60_000, bytes(100)), "a is damaged .DecompressionBombError"),
        (
            png(10_000, 6_000, bytes(100)),
            "a picture of 10000 x 6000 pixels",
        ),
    ],
    ids=["noise", "huge", "large"],
)
def test_a_picture_that_is_none_or_far_too_large_is_refused(
    content, message, tmp_path, monkeypatch
):
    """Noise in place of a picture, and small files that would fill the memory."""
    monkeypatch.setattr(files, "_checksum", lambda *_: "good")
    metadata = metadata_of(random_trace(), tmp_path)
    arrays = load_file(tmp_path / "a") | {"example.image": np.frombuffer(content, np.uint8)}
    save_file(arrays, tmp_path / "a", metadata)
    with pytest.raises(TraceError, match=message):
        Trace.load(tmp_path / "a")


def metadata_of(trace, folder):
    """The metadata of the trace's file, which is left as folder/a."""
    trace.save(folder / "a")
    with files.safe_open(folder / "a", framework="np") as file:
        return file.metadata()
