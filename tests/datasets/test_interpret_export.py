"""Traces are written as databases that the original VL-InterpreT opens, and read back alike."""

import pickle
import struct
from dataclasses import replace

import lmdb
import msgpack
import numpy as np
import pytest
from lz4 import frame

from tests.builders import (
    grid,
    random_example,
    random_provenance,
    random_stack,
    random_stream,
    random_tokens,
    random_trace,
    random_two_stream_trace,
)
from tests.datasets.interpret_files import database, prepared, record
from vl_core import projection
from vl_core.datasets import interpret
from vl_core.datasets.interpret import as_record, pickling, writing
from vl_core.errors import BudgetError, DatasetError, TraceError
from vl_core.trace import KeptNothing, Prediction, Stream, TokenTable, Trace, TracedExample

HALF = 2.0**-11  # what rounding to float16 moves a number by, relative


@pytest.fixture
def quick(monkeypatch):
    """Maps that are made at once; what they show is tested elsewhere."""

    def points(states, *, joint):
        assert not joint
        return np.zeros((*states.shape[:2], 2), np.float32)

    monkeypatch.setattr(projection, "tsne", points)


def _independently(folder):
    """All values of a database, with nothing of ours: lmdb, lz4, msgpack and pickle."""
    with (
        lmdb.open(str(folder), readonly=True, lock=False) as environment,
        environment.begin() as transaction,
    ):
        packed = {key.decode(): frame.decompress(value) for key, value in transaction.cursor()}
    values = {key: msgpack.unpackb(value, raw=False) for key, value in packed.items()}
    return {
        key: pickle.loads(value) if isinstance(value, bytes) else value  # noqa: S301 our own
        for key, value in values.items()
    }


def _shuffled(seed=0, *, padding=0, mask="full", kept="weights"):
    """A trace whose patches come first and in no order, then text; with padding."""
    example = random_example()
    table = random_tokens(padding=padding)
    rng = np.random.default_rng(seed)
    patches, others = np.flatnonzero(table.is_image), np.flatnonzero(~table.is_image)
    tokens = table.chosen(np.concatenate([rng.permutation(patches), others]))
    stack = random_stack(seed, queries=tokens, mask=mask, kept=kept, regions=example.regions)
    return Trace(
        example,
        {"encoder": random_stream("encoder", tokens, seed=seed)},
        {"encoder": stack},
        Prediction("answer", (("no", 0.75), ("yes", 0.2))),
        random_provenance(),
    )


def _parts(trace):
    """Tokens, weights and states of a trace of one stream."""
    (stack,), (stream,) = trace.stacks.values(), trace.streams.values()
    return stack.queries, np.asarray(stack.weights), stream.hidden_states


def _places(tokens):
    """Column and row of each patch of 3 x 2, by its box; None for a token without one."""
    sizes = tokens.boxes[:, 2:] - tokens.boxes[:, :2]
    return [
        None if np.isnan(box).any() else (round(box[0] / size[0]), round(box[1] / size[1]))
        for box, size in zip(tokens.boxes, sizes, strict=True)
    ]


def _keys(tokens):
    """What each token is known by, before and after: its place, or its text."""
    return [place or text for place, text in zip(_places(tokens), tokens.texts, strict=True)]


@pytest.mark.parametrize("kept", ["weights", "queries_keys"])
@pytest.mark.parametrize("padding", [0, 3])
def test_what_is_written_is_read_again(tmp_path, quick, padding, kept):
    """Each token with its own weights, states and box, whatever the order was."""
    given = _shuffled(padding=padding, kept=kept)
    interpret.export([given], tmp_path / "db")
    data = interpret.opened(tmp_path / "db")
    found = data.trace(0)

    tokens, weights, states = _parts(given)
    new_tokens, new_weights, new_states = _parts(found)
    old_keys = _keys(tokens)
    order = [old_keys.index(key) for key in _keys(new_tokens)]
    assert len(order) == len(tokens) - padding == 12
    assert "hidden states" not in data[0].facts
    assert np.allclose(new_weights, weights[:, :, order][..., order], rtol=2 * HALF, atol=1e-7)
    assert np.allclose(new_states, states[:, order], rtol=2 * HALF, atol=1e-6)
    assert np.allclose(new_tokens.boxes, tokens.boxes[order], equal_nan=True)
    assert [new_tokens.kinds[i] for i in range(12)] == [tokens.kinds[i] for i in order]
    assert found.example.text == given.example.text.rsplit(" ", 3)[0]


def test_text_comes_before_patches_and_patches_row_by_row(tmp_path, quick):
    """As the format wants it; patches are numbered so that their order is known."""
    interpret.export([_shuffled()], tmp_path / "db")
    made = _independently(tmp_path / "db")["0"]

    words = ["[CLS]", "is", "the", "red", "star", "[SEP]"]
    assert made["tokens"] == words + [f"IMG_{i}" for i in range(6)]
    assert made["txt_len"] == 6
    assert made["img_coords"] == [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1)]
    assert list(made["img_grid_size"]) == [3, 2]


def test_the_original_finds_all_that_it_needs(tmp_path):
    """Every field with its type and shape; the numbers; the maps and the points of all of them."""
    traces = [_shuffled(1), _shuffled(2)]
    interpret.export(iter(traces), tmp_path / "db")
    values = _independently(tmp_path / "db")

    assert {key: values[key] for key in ("n_examples", "n_layers", "n_heads")} == {
        "n_examples": 2,
        "n_layers": 3,
        "n_heads": 5,
    }
    for number, trace in enumerate(traces):
        made = values[str(number)]
        assert made["ex_id"] == number
        assert (made["attention"].dtype, made["attention"].shape) == (np.float32, (3, 5, 12, 12))
        assert (made["hidden_states"].dtype, made["hidden_states"].shape) == (
            np.float32,
            (4, 12, 6),
        )
        assert np.allclose(made["attention"].sum(axis=-1), 1)
        assert made["attention"].flags.writeable
        assert np.array_equal(made["image"], np.asarray(trace.example.picture))
        assert made["accuracy"] is False
        assert "custom_metrics" not in made
    _check_points(tmp_path / "db", values)


def _check_points(folder, values):
    """Of each state and modality a file of faiss with the points of all examples in turn."""
    files = {path.name for path in (folder / "faiss").iterdir()}
    assert files == {f"{kind}_indices_{state}" for kind in ("txt", "img") for state in range(4)}
    for state in range(4):
        for kind, part in (("txt", slice(0, 6)), ("img", slice(6, 12))):
            content = (folder / "faiss" / f"{kind}_indices_{state}").read_bytes()
            head = struct.unpack("<4siqqqBiQ", content[:45])
            points = np.frombuffer(content[45:], "<f4").reshape(-1, 2)
            wanted = np.concatenate([values[key]["tsne"][state][part] for key in ("0", "1")])
            assert head == (b"IxF2", 2, 12, 2**20, 2**20, 1, 1, 24)
            assert np.array_equal(points, wanted)
            assert np.ptp(points) > 0
            assert values["faiss"][state, kind] == [
                (example, token) for example in (0, 1) for token in range(12)[part]
            ]


def test_the_numpy_of_its_time_can_read_it(tmp_path, quick):
    """A numpy before 1.26 knows none of the names that today's numpy writes."""
    interpret.export([_shuffled()], tmp_path / "db")
    with (
        lmdb.open(str(tmp_path / "db"), readonly=True, lock=False) as environment,
        environment.begin() as transaction,
    ):
        content = msgpack.unpackb(frame.decompress(transaction.get(b"0")))

    assert b"numpy._core" not in content
    assert b"numpy.core.multiarray" in content
    assert content[1] <= 4


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, -(2**31), 2**31 - 1, True, False, None, "é" * 300, b"\0\xff"], (1, "b"): ()},
        {"": [[], {}, ((1,), [2])]},
    ],
)
def test_plain_data_is_written_as_python_reads_it(value):
    """Whatever is nested in what."""
    assert pickle.loads(pickling.dumped(value)) == value  # noqa: S301 our own


@pytest.mark.parametrize("dtype", ["u1", "?", "i8", "f2", "f4", "f8"])
@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3, 4)])
def test_arrays_are_written_as_numpy_reads_them(dtype, shape):
    """Of each type and shape, also where their elements lie in another order."""
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype).T
    found = pickle.loads(pickling.dumped(array))  # noqa: S301 our own

    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    assert np.array_equal(found, array)


@pytest.mark.parametrize("value", [object(), {1, 2}, 1.5, np.array([object()]), np.array(["a"])])
def test_nothing_else_is_written(value):
    """What would have to be called to be read."""
    with pytest.raises(TypeError, match="no plain data"):
        pickling.dumped([value])


def test_what_a_database_brought_goes_back_into_it(tmp_path, quick):
    """Its statistics, and whether the model was right."""
    data = interpret.opened(database(tmp_path / "old", prepared(record()), record(1)))
    interpret.export((data.trace(i) for i in range(2)), tmp_path / "new")
    found = interpret.opened(tmp_path / "new")
    values = _independently(tmp_path / "new")

    assert [item.was_right for item in found] == [True, False]
    for number in (0, 1):
        wanted = record(number)["custom_metrics"]["Coreference"]
        assert np.array_equal(values[str(number)]["custom_metrics"]["Coreference"], wanted)
    assert [item.text for item in found] == [item.text for item in data]


@pytest.mark.parametrize(
    ("answer", "prediction", "accuracy"),
    [
        ("Yes", Prediction("answer", (("yes", 0.9),)), True),
        ("yes", Prediction("answer", (("no", 0.9), ("yes", 0.1))), False),
        (None, Prediction("answer", (("yes", 0.9),)), None),
        ("yes", Prediction("score", (("yes", 3.0),)), None),
        ("yes", Prediction.told("yes"), None),
        ("yes", Prediction("match", (("match", 0.8), ("no match", 0.2))), None),
    ],
)
def test_the_model_was_right_where_it_is_known(tmp_path, quick, answer, prediction, accuracy):
    """Where the right answer is known and the model gave one of a list."""
    given = _shuffled()
    trace = replace(given, prediction=prediction, example=replace(given.example, answer=answer))
    interpret.export([trace], tmp_path / "db")

    assert _independently(tmp_path / "db")["0"].get("accuracy") is accuracy


def test_what_continues_a_word_is_marked(tmp_path, quick):
    """As WordPiece does, which marks no sign between words."""
    texts = ["[CLS]", "un", "seen", "-", "cat", "?", "[SEP]"]
    spans = [(-1, -1), (0, 2), (2, 6), (6, 7), (7, 10), (11, 12), (-1, -1)]
    kinds = ["special", *["text"] * 5, "special"]
    tokens = TokenTable.of(texts, kinds, spans=np.array(spans))
    given = Trace(
        TracedExample("unseen-cat ?"),
        {"encoder": random_stream("encoder", tokens)},
        {"encoder": random_stack(queries=tokens)},
        Prediction.told(),
        random_provenance(),
    )
    interpret.export([given], tmp_path / "db")

    made = _independently(tmp_path / "db")["0"]["tokens"]
    assert made == ["[CLS]", "un", "##seen", "-", "cat", "?", "[SEP]"]


def _with_boxes(boxes, size=(60, 32)):
    """A trace of four words and these patches, in a picture of that size."""
    words = random_tokens(rows=0, columns=0)
    patches = TokenTable.of([f"p{i}" for i in range(len(boxes))], ["image"] * len(boxes), boxes)
    tokens = TokenTable.joined([words, patches])
    example = replace(random_example(), original_size=size)
    return Trace(
        example,
        {"encoder": random_stream("encoder", tokens)},
        {"encoder": random_stack(queries=tokens, regions=example.regions)},
        Prediction.told(),
        random_provenance(),
    )


def test_a_model_that_saw_a_part_of_the_picture_keeps_that_part(tmp_path, quick):
    """Cells are those of the picture that is written, so it is cut to where the patches lie."""
    boxes = grid(2, 3, (30, 16)) + np.array([12, 8, 12, 8])
    given = _with_boxes(boxes)
    interpret.export([given], tmp_path / "db")
    found = interpret.opened(tmp_path / "db").trace(0)

    assert np.array_equal(
        np.asarray(found.example.image), np.asarray(given.example.picture)[8:24, 12:42]
    )
    assert np.allclose(_parts(found)[0].boxes[6:], grid(2, 3, (30, 16)))


def test_places_are_those_of_the_picture_as_it_is_kept(tmp_path, quick):
    """A large original is kept smaller; its boxes are told in pixels of the original."""
    given = _with_boxes(grid(2, 3, (600, 320)), size=(600, 320))
    interpret.export([given], tmp_path / "db")
    found = interpret.opened(tmp_path / "db").trace(0)

    assert found.example.original_size == (60, 32)
    assert np.allclose(_parts(found)[0].boxes[6:], grid(2, 3, (60, 32)))


BOXES = {
    "without a place": (
        np.vstack([grid(2, 3, (60, 32)), np.full((2, 4), np.nan)]),
        "2 of 8 patches have",
    ),
    "one without": (
        np.vstack([grid(2, 3, (60, 32)), np.full((1, 4), np.nan)]),
        "1 of 7 patches has",
    ),
    "twice the same": (np.vstack([grid(2, 3, (60, 32))] * 2), "12 patches do not tile"),
    "a gap": (grid(2, 3, (60, 32))[[0, 1, 2, 3, 5]], "5 patches do not tile"),
    "of two sizes": (
        np.vstack([grid(2, 3, (60, 32)), [[0.0, 0.0, 60.0, 32.0]]]),
        "7 patches do not tile",
    ),
    "a narrow last column": (
        grid(2, 3, (60, 32)) - np.array([0, 0, 1, 0]) * [[0], [0], [9], [0], [0], [9]],
        "6 patches do not tile",
    ),
    "one twice and one missing": (
        grid(2, 3, (60, 32))[[0, 1, 2, 3, 4, 4]],
        "6 patches do not tile",
    ),
    "out of line": (grid(2, 3, (60, 32)) + np.eye(6)[:, :1] * [3, 0, 3, 0], "6 patches do not"),
}


@pytest.mark.parametrize(("boxes", "said"), BOXES.values(), ids=BOXES)
def test_patches_that_are_no_grid_are_told_of(tmp_path, quick, boxes, said):
    """The format knows columns and rows alone; nothing is written."""
    with pytest.raises(DatasetError, match=said):
        interpret.export([_with_boxes(boxes)], tmp_path / "db")
    assert list(tmp_path.iterdir()) == []


def test_a_trace_without_a_picture_is_written(tmp_path, quick):
    """Its record has no patches and an empty picture, as the original's own would."""
    tokens = random_tokens(rows=0, columns=0)
    given = Trace(
        TracedExample("is the red star"),
        {"encoder": random_stream("encoder", tokens)},
        {"encoder": random_stack(queries=tokens)},
        Prediction.told(),
        random_provenance(),
    )
    interpret.export([given], tmp_path / "db")
    found = interpret.opened(tmp_path / "db")

    assert found.trace(0).example.image is None
    assert np.allclose(_parts(found.trace(0))[1], _parts(given)[1], rtol=2 * HALF)
    assert _independently(tmp_path / "db")["0"]["img_coords"] == []


def test_of_several_kinds_of_attention_one_is_chosen(tmp_path, quick):
    """By its name; without one, the names are told."""
    trace = random_two_stream_trace()
    with pytest.raises(DatasetError, match=r"2 kinds .* language, vision. Choose"):
        interpret.export([trace], tmp_path / "db")
    with pytest.raises(DatasetError, match="language<-vision is no attention of a stream on its"):
        interpret.export([trace], tmp_path / "db", stack="language<-vision")
    interpret.export([trace], tmp_path / "db", stack="vision")
    made = _independently(tmp_path / "db")

    assert (made["n_layers"], made["n_heads"]) == (4, 3)
    assert made["0"]["tokens"] == ["[CLS]", "[SEP]", *(f"IMG_{i}" for i in range(15))]
    assert np.allclose(made["0"]["attention"], np.asarray(trace.stacks["vision"].weights))


def test_attention_between_streams_alone_is_told_of(tmp_path, quick):
    """The format holds attention of one stream on itself."""
    trace = random_two_stream_trace()
    cross = {"language<-vision": trace.stacks["language<-vision"]}
    with pytest.raises(DatasetError, match="no attention of a stream on itself, which is all"):
        interpret.export([replace(trace, stacks=cross)], tmp_path / "db")


def test_what_was_not_kept_is_told_of(tmp_path, quick):
    """Hidden states of which there was no room for, and weights."""
    trace = random_trace()
    stream, stack = trace.streams["encoder"], trace.stacks["encoder"]
    bare = Stream.of("encoder", stream.tokens, np.zeros((0, 12, 0)))
    with pytest.raises(DatasetError, match="has 0 hidden states for 3 layers"):
        interpret.export([replace(trace, streams={"encoder": bare})], tmp_path / "db")
    blocks = tuple(
        tuple(replace(block, kept=KeptNothing(block.kept.shape)) for block in layer)
        for layer in stack.blocks
    )
    nothing = {"encoder": replace(stack, blocks=blocks)}
    with pytest.raises(DatasetError, match="weights of encoder were not kept"):
        interpret.export([replace(trace, stacks=nothing)], tmp_path / "db")


def test_attention_on_padding_is_told_of(tmp_path, quick):
    """Left out, rows would no longer sum to one."""
    table = random_tokens(padding=2)
    stack = random_stack(
        queries=replace(table, is_padding=np.zeros(14, bool)), regions=random_example().regions
    )
    stack = replace(stack, queries=table, keys=table)
    trace = Trace(
        random_example(),
        {"encoder": random_stream("encoder", table)},
        {"encoder": stack},
        Prediction.told(),
        random_provenance(),
    )
    with pytest.raises(DatasetError, match=r"would keep 0.* of 1: the rest lies on padding"):
        interpret.export([trace], tmp_path / "db")


def test_a_record_above_the_budget_is_told_of(tmp_path, quick, monkeypatch):
    """Before any of it is formed, and before its maps are made."""
    size = 4 * (3 * 5 * 12**2 + 4 * 12 * 6)
    monkeypatch.setattr(as_record, "BUDGET", size)
    interpret.export([random_trace()], tmp_path / "fits")
    monkeypatch.setattr(as_record, "BUDGET", size - 1)
    monkeypatch.delattr(projection, "tsne")
    with pytest.raises(BudgetError, match="Trace 0: A record of 12 tokens takes"):
        interpret.export([random_trace()], tmp_path / "db")


def test_traces_of_different_models_are_told_of(tmp_path, quick):
    """A database has one number of layers and heads."""
    with pytest.raises(
        DatasetError, match="Trace 1: it has 3 layers of 2 heads, the first one 3 of 5"
    ):
        interpret.export([random_trace(), random_trace(heads=2)], tmp_path / "db")
    with pytest.raises(DatasetError, match="no trace to write"):
        interpret.export([], tmp_path / "db")
    assert list(tmp_path.iterdir()) == []


def test_a_database_is_there_whole_or_not_at_all(tmp_path, quick):
    """Also where a trace cannot be read in between; and nothing is written over."""

    def traces():
        yield random_trace()
        raise TraceError("damaged")

    with pytest.raises(TraceError, match="damaged"):
        interpret.export(traces(), tmp_path / "below" / "db")
    assert list((tmp_path / "below").iterdir()) == []
    interpret.export([random_trace()], tmp_path / "below" / "db")
    assert [path.name for path in (tmp_path / "below").iterdir()] == ["db"]
    with pytest.raises(DatasetError, match="db is there already"):
        interpret.export([random_trace()], tmp_path / "below" / "db")


def test_large_records_fit_one_after_the_other(tmp_path, quick, monkeypatch):
    """The file grows as they come."""
    monkeypatch.setattr(writing, "FIRST_ROOM", 2**16)
    traces = [random_trace(seed, layers=3, heads=5) for seed in range(12)]
    interpret.export(traces, tmp_path / "db")
    data = interpret.opened(tmp_path / "db")

    assert [item.name for item in data] == [str(number) for number in range(12)]
    for number in (0, 11):
        assert np.allclose(_parts(data.trace(number))[1], _parts(traces[number])[1], rtol=2e-3)
