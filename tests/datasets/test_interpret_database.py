"""Databases of the original VL-InterpreT are opened as they are, and put right."""

import pickle
import sys
from concurrent.futures import ThreadPoolExecutor

import msgpack
import numpy as np
import pytest

from tests.datasets.interpret_files import (
    COLUMNS,
    HEADS,
    LAYERS,
    PICTURE,
    PLAIN,
    ROWS,
    TEXT,
    WIDTH,
    database,
    pickled,
    prepared,
    record,
    wrapped,
    write,
)
from vl_core import datasets
from vl_core.datasets import interpret
from vl_core.datasets.interpret import record as records
from vl_core.errors import DatasetError
from vl_core.trace import Trace

N_TEXT, N_PATCHES = len(TEXT), COLUMNS * ROWS
HALF = 2.0**-11  # what rounding to float16 moves a number by, relative


def _opened(folder, *given, **plain):
    return interpret.opened(database(folder, *given, **plain))


def _only_stack(trace):
    (stack,) = trace.stacks.values()
    return stack


def _by_name(trace):
    """For each token of a trace by its name: box, hidden states and weights on each other name."""
    (stream,) = trace.streams.values()
    weights = np.asarray(_only_stack(trace).weights)
    names = stream.tokens.texts
    return {
        name: (
            stream.tokens.boxes[i],
            stream.hidden_states[:, i],
            {other: weights[:, :, i, j] for j, other in enumerate(names)},
        )
        for i, name in enumerate(names)
    }


def _check_tokens(trace, given):
    """Each token has what was given for its name, in whatever order it came."""
    found = _by_name(trace)
    width, height = PICTURE[0] / COLUMNS, PICTURE[1] / ROWS
    names = [name.removeprefix("##") for name in given["tokens"]]
    for i, name in enumerate(names):
        box, states, weights = found[name]
        assert np.allclose(states, given["hidden_states"][:, i], rtol=2 * HALF, atol=1e-4)
        for j, other in enumerate(names):
            assert np.allclose(weights[other], given["attention"][:, :, i, j], rtol=2e-3, atol=1e-6)
        if i >= N_TEXT:
            x, y = given["img_coords"][i - N_TEXT]
            assert np.allclose(box, [x * width, y * height, (x + 1) * width, (y + 1) * height])


def test_patches_keep_their_states_places_and_attention(tmp_path):
    """The original left the hidden states in another order than all else; that is undone."""
    given = record()
    data = _opened(tmp_path / "db", prepared(given))

    _check_tokens(data.trace(0), given)
    assert "put back" in data[0].facts["hidden states"]


def test_a_record_that_was_not_prepared_is_in_one_order(tmp_path):
    """Then nothing has to be put back."""
    given = record()
    data = _opened(tmp_path / "db", given)

    _check_tokens(data.trace(0), given)
    assert "hidden states" not in data[0].facts


def test_a_record_that_was_prepared_twice_is_read_alike(tmp_path):
    """The second time nothing moves, as the names still tell."""
    given = record()

    _check_tokens(_opened(tmp_path / "db", prepared(prepared(given))).trace(0), given)


def test_patches_that_came_row_by_row_stay(tmp_path):
    """The paper's own model gave them so."""
    given = record()
    given["img_coords"] = [(i % COLUMNS, i // COLUMNS) for i in range(N_PATCHES)]
    data = _opened(tmp_path / "db", prepared(given))

    _check_tokens(data.trace(0), given)
    assert "hidden states" not in data[0].facts


def test_numbers_of_patches_may_begin_anywhere(tmp_path):
    """From 1, say; what counts is their order."""
    given = record()
    given["tokens"][N_TEXT:] = [f"patch{i + 11}" for i in range(N_PATCHES)]

    _check_tokens(_opened(tmp_path / "db", prepared(given)).trace(0), given)


@pytest.mark.parametrize("names", [["[IMG]"] * N_PATCHES, [f"IMG_{i // 2}" for i in range(8)]])
def test_names_that_tell_no_order_are_told_of(tmp_path, names):
    """The states stay as they came, and the item says that row by row is assumed."""
    given = prepared(record() | {"tokens": [*TEXT, *names]})
    data = _opened(tmp_path / "db", given)

    assert "row by row is assumed" in data[0].facts["hidden states"]
    (stream,) = data.trace(0).streams.values()
    assert np.allclose(stream.hidden_states, given["hidden_states"], rtol=1e-3, atol=1e-4)


def test_the_first_cell_is_the_top_left_one(tmp_path):
    """A picture with one bright cell: the patch of that place has it in its box."""
    given = record()
    image = np.zeros((PICTURE[1], PICTURE[0], 3), int)
    image[: PICTURE[1] // ROWS, -PICTURE[0] // COLUMNS :] = 255
    trace = _opened(tmp_path / "db", prepared(given | {"image": image})).trace(0)
    name = given["tokens"][N_TEXT + given["img_coords"].index((COLUMNS - 1, 0))]
    left, top, right, bottom = map(int, _by_name(trace)[name][0])
    pixels = np.asarray(trace.example.image)

    assert (pixels[top:bottom, left:right] == 255).all()
    assert pixels.sum() == 255 * 3 * (bottom - top) * (right - left)


def test_tokens_are_text_special_and_patches(tmp_path):
    """txt_len counts text with [CLS] and [SEP], which are special by their names."""
    trace = _opened(tmp_path / "db", prepared(record())).trace(0)
    tokens = _only_stack(trace).queries

    assert tokens.is_special.tolist() == [True, *[False] * 5, True, *[False] * N_PATCHES]
    assert tokens.is_image.tolist() == [False] * N_TEXT + [True] * N_PATCHES
    assert trace.example.text == "is it raining ?"
    words = [trace.example.text[start:end] for start, end in tokens.spans[1:6]]
    assert words == ["is", "it", "rain", "ing", "?"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (("[CLS]", "who", "?", "[SEP]", "the", "cat", "[SEP]"), ("who ?", "the cat")),
        (("[CLS]", "[SEP]", "a", "b", "[SEP]", "[SEP]", "c"), ("a b", "c")),
        (("[CLS]", "a", "[SEP]", "b", "[SEP]", "c", "[SEP]"), ("a", "b", "c")),
    ],
)
def test_text_is_parted_where_separators_stand_between_words(tmp_path, text, parts):
    """A question and a candidate, say."""
    example = _opened(tmp_path / "db", prepared(record(text=text)))[0].example

    assert example.parts == parts


@pytest.mark.parametrize(
    ("accuracy", "was_right"),
    [(True, True), (False, False), (None, None), (np.bool_(True), True), (np.int64(0), False)],  # noqa: FBT003 the values that are meant
)
def test_it_is_told_whether_the_model_was_right(tmp_path, accuracy, was_right):
    """True, False or nothing, also as numpy's own."""
    given = record() | {"accuracy": accuracy}

    assert _opened(tmp_path / "db", given)[0].was_right is was_right


def test_nothing_is_told_where_nothing_was(tmp_path):
    """The fields accuracy and custom_metrics may be missing; what the model answered always is."""
    given = record()
    del given["accuracy"], given["custom_metrics"]
    data = _opened(tmp_path / "db", given)

    assert data[0].was_right is None
    assert data[0].answer is None
    assert data[0].asked[0].right is None
    assert data.trace(0).prediction.top == ()
    assert not [key for key in _only_stack(data.trace(0)).head_stats if "custom" in key]


def test_statistics_of_its_own_are_kept(tmp_path):
    """They are named in the item, and stand in the trace beside those computed here."""
    given = record()
    given["custom_metrics"]["Second one"] = np.zeros((LAYERS, HEADS), np.float32)
    data = _opened(tmp_path / "db", prepared(given))
    stored = _only_stack(data.trace(0)).head_stats

    assert data[0].facts["statistics of its own"] == "Coreference, Second one"
    assert np.allclose(stored["custom: Coreference"], given["custom_metrics"]["Coreference"])
    assert "text_to_image_mass" in stored


def test_a_trace_can_be_saved(tmp_path):
    """With the statistics that came along, whatever they are called."""
    given = prepared(record())
    given["custom_metrics"] = {"Größe/α: 1": np.full((LAYERS, HEADS), np.nan)}
    trace = _opened(tmp_path / "db", given).trace(0)
    trace.save(tmp_path / "one.safetensors")
    found = Trace.load(tmp_path / "one.safetensors")

    assert np.isnan(_only_stack(found).head_stats["custom: Größe/α: 1"]).all()
    assert found.provenance == trace.provenance


def test_statistics_are_those_of_the_right_tokens(tmp_path):
    """The mass of text on patches, without the tokens named [CLS] and [SEP], by a plain loop."""
    given = record()
    stored = _only_stack(_opened(tmp_path / "db", prepared(given)).trace(0)).head_stats
    words, patches = range(1, N_TEXT - 1), range(N_TEXT, N_TEXT + N_PATCHES)
    for layer in range(LAYERS):
        for head in range(HEADS):
            rows = given["attention"][layer, head]
            mass = [sum(rows[q, k] for k in patches) for q in words]
            kept = [sum(rows[q, k] for k in (*words, *patches)) for q in words]
            assert np.isclose(stored["text_to_image_mass"][layer, head], np.mean(mass))
            found = stored["text_to_image_mass/without_specials"][layer, head]
            assert np.isclose(found, np.mean(np.divide(mass, kept)))


def _with_type(given, dtype):
    return given | {
        "attention": given["attention"].astype(dtype),
        "hidden_states": given["hidden_states"].astype(dtype),
    }


FORMS = {
    "float16": lambda given: _with_type(given, np.float16),
    "float32": lambda given: _with_type(given, np.float32),
    "float64": lambda given: _with_type(given, np.float64),
    "big-endian": lambda given: _with_type(given, ">f4"),
    "a list of states": lambda given: given | {"hidden_states": list(given["hidden_states"])},
    "places as an array": lambda given: given | {"img_coords": np.array(given["img_coords"])},
    "places as lists": lambda given: given | {"img_coords": [[*at] for at in given["img_coords"]]},
    "tokens as an array": lambda given: given | {"tokens": np.array(given["tokens"])},
    "a number of numpy's": lambda given: given | {"txt_len": np.int64(N_TEXT)},
    "column by column": lambda given: given | {"attention": np.asfortranarray(given["attention"])},
    "turned axes": lambda given: (
        given | {"attention": given["attention"].swapaxes(0, 1).copy().swapaxes(0, 1)}
    ),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_form_of_a_record_is_read(tmp_path, form):
    """Users give arrays of several types, lists, and arrays in any order of axes."""
    given = record()

    _check_tokens(_opened(tmp_path / "db", form(given)).trace(0), given)


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_every_protocol_is_read(tmp_path, protocol):
    """Those of Python 3; older ones keep bytes as calls."""
    given = record()
    folder = write(tmp_path / "db", {"0": pickled(prepared(given), protocol)})

    _check_tokens(interpret.opened(folder).trace(0), given)


IMAGES = {
    "whole numbers": lambda pixels: pixels,
    "bytes": lambda pixels: pixels.astype(np.uint8),
    "fractions of white": lambda pixels: pixels / 255,
    "fractions of one": lambda pixels: pixels.astype(np.float32),
    "beyond the limits": lambda pixels: np.where(
        pixels == 0, -7, np.where(pixels == 255, 400, pixels)
    ),
}


@pytest.mark.parametrize("form", IMAGES.values(), ids=IMAGES)
def test_the_picture_is_the_one_that_was_given(tmp_path, form):
    """As numbers of any kind, cut off at black and white as where such pictures are drawn."""
    pixels = record()["image"]
    pixels[0, :2] = [[0, 0, 0], [255, 255, 255]]
    example = _opened(tmp_path / "db", record() | {"image": form(pixels)})[0].example

    assert np.array_equal(np.asarray(example.image), pixels)


def test_a_record_without_a_picture_has_no_places(tmp_path):
    """The original warns and goes on."""
    given = record() | {"image": np.array([]), "img_coords": []}
    data = _opened(tmp_path / "db", given)

    assert data[0].example.image is None
    assert np.isnan(_only_stack(data.trace(0)).queries.boxes).all()


def test_attention_that_is_none_is_shown_as_shares_and_told_of(tmp_path):
    """The original's own example holds random numbers: rows do not sum to one."""
    rng = np.random.default_rng(1)
    given = record()
    given["attention"] = rng.random(given["attention"].shape)
    data = _opened(tmp_path / "db", given)
    sums = given["attention"].sum(axis=-1)
    said = f"rows sum to {sums.min():.4g} to {sums.max():.4g}"

    assert said in data[0].facts["attention"]
    assert said in data.trace(0).provenance.preprocessing["attention"]
    _check_tokens(data.trace(0), given | {"attention": given["attention"] / sums[..., None]})


def test_rounding_is_not_told_of(tmp_path):
    """float16 moves a sum by up to a thousandth."""
    assert "attention" not in _opened(tmp_path / "db", _with_type(record(), np.float16))[0].facts


def test_states_of_some_tokens_only_are_left_out_and_told_of(tmp_path):
    """The original's demonstration left stop words out of them; a record does not tell which."""
    given = record()
    given["hidden_states"] = given["hidden_states"][:, 2:]
    data = _opened(tmp_path / "db", given)
    (stream,) = data.trace(0).streams.values()

    assert "not told of which" in data[0].facts["hidden states"]
    assert len(stream.hidden_states) == 0


def test_the_whole_says_what_was_put_right(tmp_path):
    """In sentences, for reading."""
    data = _opened(tmp_path / "db", record(), record(1))
    said = " ".join(data.metadata["corrected"])

    assert (data.metadata["layers"], data.metadata["heads"]) == (LAYERS, HEADS)
    for subject in ("top left", "Hidden states belong to their tokens", "[CLS] and [SEP]"):
        assert subject in said
    assert "n_examples" not in said
    assert all(one.endswith(".") for one in data.metadata["corrected"])


def test_a_count_that_is_wrong_is_told_of(tmp_path):
    """The original doubles it each time it prepares a database."""
    data = _opened(tmp_path / "db", record(), record(1), n_examples=4)

    assert len(data) == 2
    assert "There are 2 records, though n_examples says 4" in data.metadata["corrected"][-1]


def test_records_come_in_the_order_of_their_numbers(tmp_path):
    """LMDB sorts 10 before 9; other keys are no records."""
    numbers = ["9", "10", "0"]
    values = {key: pickled(record(int(key))) for key in numbers}
    values |= {"faiss": pickled({(0, "txt"): [("0", 1)]}), "note": wrapped("x")}
    data = interpret.opened(write(tmp_path / "db", values))

    assert [item.name for item in data] == ["0", "9", "10"]
    assert data[-1].name == "10"
    assert [item.was_right for item in data] == [True, False, True]
    with pytest.raises(IndexError):
        data[3]


def test_it_is_found_among_all_kinds(tmp_path):
    """By its folder, or by its file."""
    folder = database(tmp_path / "demo", record())
    for path in (folder, folder / "data.mdb"):
        data = datasets.open(path)

        assert interpret.is_at(path)
        assert (data.kind, data.name) == ("VL-InterpreT database", "demo")
        assert isinstance(data, datasets.Dataset)
        assert isinstance(data, datasets.HoldsTraces)


def test_other_files_are_none(tmp_path):
    """Neither an empty folder, nor a table, nor something that is not there."""
    table = tmp_path / "data.jsonl"
    table.write_text('{"image": "a.jpg"}')

    assert not interpret.is_at(tmp_path)
    assert not interpret.is_at(table)
    assert not interpret.is_at(tmp_path / "nothing")
    assert not interpret.is_at(tmp_path / ("n" * 5000))


def test_a_damaged_record_harms_no_other(tmp_path):
    """It is told of by its number when it is asked for."""
    values = {str(i): pickled(record(i)) for i in range(3)}
    values["1"] = values["1"][:-100]
    data = interpret.opened(write(tmp_path / "db", values))

    assert len(data) == 3
    assert data[2].name == "2"
    for ask in (data.__getitem__, data.trace):
        with pytest.raises(DatasetError, match=r"^Record 1 of db: it is damaged") as refused:
            ask(1)
        assert str(tmp_path) not in str(refused.value)


def test_a_harmful_record_is_refused_and_never_run(tmp_path):
    """Whatever is asked of it."""
    canary = tmp_path / "canary"

    class Harm:
        def __reduce__(self):
            return open, (str(canary), "w")

    data = _opened(tmp_path / "db", record() | {"image": Harm()})
    for ask in (data.__getitem__, data.trace):
        with pytest.raises(DatasetError, match=r"holds _?io\.open, which would be run"):
            ask(0)
    assert not canary.exists()


@pytest.mark.parametrize("missing", ["n_examples", "n_layers", "n_heads"])
def test_a_missing_number_is_told_of(tmp_path, missing):
    """The original cannot open such a database either: it was never prepared."""
    plain = {key: value for key, value in PLAIN.items() if key != missing}
    folder = write(tmp_path / "db", {"0": pickled(record())}, plain)

    with pytest.raises(DatasetError, match=f"^db has no {missing}"):
        interpret.opened(folder)


@pytest.mark.parametrize("value", [-1, "12", [1], {"a": 1}, msgpack.ExtType(4, b"x"), 1.5])
def test_a_number_that_is_none_is_told_of(tmp_path, value):
    """Whatever msgpack can hold."""
    folder = database(tmp_path / "db", record(), n_layers=value)

    with pytest.raises(DatasetError, match=r"^n_layers of db: it is no whole number"):
        interpret.opened(folder)


def test_a_database_without_records_is_told_of(tmp_path):
    """So that nobody looks for them."""
    with pytest.raises(DatasetError, match="db has no records"):
        _opened(tmp_path / "db")


def test_a_file_that_is_cut_short_is_told_of(tmp_path):
    """Without the path in which it lies."""
    folder = database(tmp_path / "db", record())
    with (folder / "data.mdb").open("r+b") as file:
        file.truncate(5000)

    with pytest.raises(DatasetError, match=r"^data\.mdb is damaged") as refused:
        interpret.opened(folder)
    assert str(tmp_path) not in str(refused.value)


def _without(name):
    return lambda given: {key: value for key, value in given.items() if key != name}


def _with(**fields):
    return lambda given: given | fields


def _changed(name, change):
    return lambda given: given | {name: change(given[name].copy())}


def _put(value, *place):
    def change(array):
        array[place] = value
        return array

    return change


WRONG = {
    **{
        f"no {name}": (_without(name), f"it has no {name}")
        for name in ("tokens", "txt_len", "img_coords", "image", "attention", "hidden_states")
    },
    "no dict": (lambda _: [1, 2], "no dict with tokens"),
    "tokens that are numbers": (_with(tokens=[1, 2]), "no list of strings"),
    "no token": (_with(tokens=[]), "tokens is empty"),
    "no text": (
        _changed("tokens", lambda t: ["[CLS]"] * 7 + t[7:]),
        "none of its text tokens is a word",
    ),
    "more text than tokens": (_with(txt_len=99), "txt_len is 99 for 15 tokens"),
    "a length of text that is none": (_with(txt_len=True), "txt_len is True"),
    "too few places": (_with(img_coords=[(0, 0)]), "1 place for 8 patches"),
    "places below zero": (_with(img_coords=[(0, -1)] * 8), "column and row"),
    "places far away": (_with(img_coords=[(0, 10**6)] * 8), "column and row"),
    "places between": (_with(img_coords=[(0, 0.5)] * 8), "column and row"),
    "places of three": (_with(img_coords=[(0, 0, 0)] * 8), "column and row"),
    "a picture in gray": (_with(image=np.zeros((34, 96))), "height x width x 3"),
    "a picture of yes and no": (_with(image=np.zeros((34, 96, 3), bool)), "height x width x 3"),
    "no picture": (_with(image="a.jpg"), "height x width x 3"),
    "a giant picture": (_with(image=np.zeros((5001, 5000, 3), np.uint8)), "25 million"),
    "a tiny picture": (_with(image=np.zeros((3, 8, 3), np.uint8)), "at least 16"),
    "more layers": (_changed("attention", lambda a: a[[0, 1, 2, 2]]), "4 x 5 x 15 x 15; 3 x 5"),
    "fewer heads": (_changed("attention", lambda a: a[:, :4]), "3 x 4 x 15 x 15; 3 x 5"),
    "fewer keys": (_changed("attention", lambda a: a[..., 1:]), "15 x 14; 3 x 5 x 15 x 15"),
    "attention in whole numbers": (_changed("attention", lambda a: a.astype(int)), "int64"),
    "attention below zero": (_changed("attention", _put(-0.1, 1, 2, 3, 4)), "below 0"),
    "attention without end": (_changed("attention", _put(np.inf, 1, 2, 3, 4)), "no finite"),
    "attention that is none": (_changed("attention", _put(np.nan, 1, 2, 3, 4)), "no finite"),
    "keys before queries": (_changed("attention", lambda a: a.swapaxes(2, 3)), "axes are swapped"),
    "a row of nothing": (_changed("attention", _put(0, 1, 2, 3)), "sums to 0.0000"),
    "fewer states": (_changed("hidden_states", lambda s: s[1:]), "3 states for 3 layers"),
    "states of one token": (_changed("hidden_states", lambda s: s[:, 0]), "state x token x width"),
    "states of several widths": (
        _with(hidden_states=[np.zeros((15, 2 + i)) for i in range(4)]),
        "state x token x width",
    ),
    "no states": (_with(hidden_states=[]), "state x token x width"),
    "states that are none": (_changed("hidden_states", _put(np.nan, 1, 2)), "not finite"),
    "right and wrong": (_with(accuracy=0.5), "accuracy is 0.5"),
    "right in words": (_with(accuracy="yes"), "accuracy is 'yes'"),
    "statistics in a list": (_with(custom_metrics=[1]), "no dict of arrays"),
    "a statistic of one head": (_with(custom_metrics={"a": np.zeros((3, 4))}), "3 x 4; 3 x 5"),
    "a statistic in words": (_with(custom_metrics={"a": "high"}), "a, is no array"),
    "a statistic without end": (
        _with(custom_metrics={"a": np.full((3, 5), np.inf)}),
        "infinite values",
    ),
}


@pytest.mark.parametrize(("change", "said"), WRONG.values(), ids=WRONG)
def test_a_wrong_record_is_told_of(tmp_path, change, said):
    """With its number, what came and what was wanted, at the latest when its trace is asked for."""
    data = _opened(tmp_path / "db", change(record()))

    with pytest.raises(DatasetError, match=r"^Record 0 of db: ") as refused:
        _ = data[0].example, data.trace(0)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_with(txt_len="HERE"), "txt_len is a tuple"),
        (_with(accuracy="HERE"), "accuracy is a tuple"),
        (_with(img_coords=["HERE"] * 8), "img_coords holds a tuple"),
        (_with(tokens=["HERE"]), "no list of strings"),
        (_with(tsne="HERE", tokens=[]), "tokens is empty"),
    ],
)
def test_what_is_nested_deep_is_not_printed(tmp_path, change, said):
    """Python would go down level by level, until it gives up or ends."""
    deep = b")" + b"\x85" * 100_000
    content = pickle.dumps(change(record())).replace(b"\x8c\x04HERE", deep)
    data = interpret.opened(write(tmp_path / "db", {"0": wrapped(content)}))

    with pytest.raises(DatasetError, match=said):
        data.trace(0)


def test_a_state_that_is_named_many_times_takes_no_room(tmp_path, monkeypatch):
    """A pickle names an array again for a few bytes."""
    monkeypatch.setattr(records, "MOST_BYTES", 4 * 15 * WIDTH * 8 - 1)
    given = record() | {"hidden_states": [np.zeros((15, WIDTH))] * 4}

    with pytest.raises(DatasetError, match="hidden_states takes more than"):
        _opened(tmp_path / "db", given).trace(0)


def test_several_threads_may_read_at_once(tmp_path):
    """Each finds what is there."""
    data = _opened(tmp_path / "db", *(record(i) for i in range(4)))
    wanted = [data.trace(i).stacks["encoder"].weights[1, 2] for i in range(4)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(data.trace, [0, 1, 2, 3] * 3))

    for trace, want in zip(found, wanted * 3, strict=True):
        assert np.array_equal(_only_stack(trace).weights[1, 2], want)


def test_nothing_of_numpys_is_called_by_a_pickle(tmp_path, monkeypatch):
    """Python's own reader of pickles is never asked."""
    folder = database(tmp_path / "db", prepared(record()))

    def forbidden(*_arguments):
        raise AssertionError("a pickle was run")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, forbidden)
    monkeypatch.setattr(sys.modules["numpy._core.multiarray"], "_reconstruct", forbidden)

    assert interpret.opened(folder).trace(0).example.text == "is it raining ?"
