"""A model's own tensors in .npz files: read to the last number, or refused in one sentence."""

import doctest
import zipfile

import numpy as np
import pytest

from tests.builders import random_weights
from vl_core import head_stats
from vl_core.datasets import npz, tensors
from vl_core.datasets.items import Dataset, HoldsTraces
from vl_core.errors import DatasetError

LAYERS, HEADS, WIDTH = 2, 5, 7
WORDS = ["[CLS]", "is", "the", "star", "red", "[SEP]"]
ROWS, COLUMNS = 2, 4
COUNT = len(WORDS) + ROWS * COLUMNS
HEIGHT, BREADTH = 30, 44


def arrays(seed=0, **changed):
    """Everything that a file may hold; None takes an array away."""
    rng = np.random.default_rng(seed)
    given = {
        "attention": np.stack(
            [random_weights(rng, HEADS, np.ones((COUNT, COUNT), bool)) for _ in range(LAYERS)]
        ).astype(np.float32),
        "hidden_states": rng.normal(size=(LAYERS + 1, COUNT, WIDTH)).astype(np.float16),
        "tokens": np.array(WORDS + ["patch"] * (ROWS * COLUMNS)),
        "n_text": np.array(len(WORDS)),
        "image": rng.integers(0, 256, (HEIGHT, BREADTH, 3), np.uint8),
        "grid": np.array([ROWS, COLUMNS]),
        "text": np.array("Is the star red?"),
        "answer": np.array("yes"),
        "prediction": np.array("Yes"),
        "probability": np.array(0.75),
    }
    return {name: value for name, value in (given | changed).items() if value is not None}


def saved(path, save=np.savez_compressed, **changed):
    """One such file."""
    path.parent.mkdir(exist_ok=True)
    save(path, **arrays(**changed))
    return path


def test_a_file_is_a_trace_without_its_model(tmp_path):
    """Tokens with their places, weights, states, picture, answer and what the model said."""
    given = arrays()
    data = tensors.opened(saved(tmp_path / "a.npz"))
    trace = data.trace(0)

    assert isinstance(data, Dataset)
    assert isinstance(data, HoldsTraces)
    assert (data.name, data.kind, len(data)) == ("a.npz", "own tensors", 1)
    stack, stream = trace.stacks["encoder"], trace.streams["encoder"]
    assert np.asarray(stack.weights) == pytest.approx(given["attention"], abs=1e-3)
    assert stream.hidden_states == pytest.approx(given["hidden_states"], abs=1e-3)
    assert stream.tokens.texts == tuple(given["tokens"])
    assert stream.tokens.kinds == ("special", *["text"] * 4, "special", *["image"] * 8)
    assert trace.example.text == "Is the star red?"
    assert trace.example.original_size == (BREADTH, HEIGHT)
    assert np.array_equal(np.asarray(trace.example.image), given["image"])
    assert trace.example.answer == "yes"
    assert trace.prediction.kind == "answer"
    assert trace.prediction.top == (("Yes", 0.75),)
    assert trace.provenance.model_id == "own tensors"
    assert trace.provenance.dtype == "float32"
    places = [trace.example.text[a:b] for a, b in stream.tokens.spans[1:5]]
    assert places == ["Is", "the", "star", "red"]


def test_statistics_are_those_of_the_file(tmp_path):
    """Here the mass of text looking at the picture, as it is written down."""
    weights = arrays()["attention"].astype(float)
    trace = tensors.opened(saved(tmp_path / "a.npz")).trace(0)
    wanted = weights[:, :, 1:5, len(WORDS) :].sum(axis=-1).mean(axis=-1)
    found = head_stats.TEXT_TO_IMAGE_MASS.of(trace.stacks["encoder"])
    assert found == pytest.approx(wanted, abs=1e-6)


def test_the_item_says_what_was_asked_and_whether_it_was_right(tmp_path):
    """Without reading the large arrays, so that one of them may even be missing."""
    folder = tmp_path / "set"
    saved(folder / "1.npz", attention=None)
    saved(folder / "2.npz", prediction=np.array("no"))
    saved(folder / "3.npz", prediction=None)
    saved(folder / "4.npz", answer=None)
    items = list(tensors.opened(folder))

    assert [item.name for item in items] == ["1", "2", "3", "4"]
    assert [item.was_right for item in items] == [True, False, None, None]
    assert [item.answer for item in items] == ["yes", "yes", "yes", None]
    assert [item.said for item in items] == ["Yes", "no", None, "Yes"]
    assert items[0].text == "Is the star red?"
    assert items[0].example.size == (BREADTH, HEIGHT)
    assert items[0].example.answer == "yes"


def test_files_come_in_the_order_of_their_numbers(tmp_path):
    """2 before 10, and other files are left alone."""
    names = ["10.npz", "2.npz", "a10b.npz", "a2b.npz", "a.npz"]
    for name in names:
        saved(tmp_path / "set" / name)
    (tmp_path / "set" / "notes.txt").write_text("x")
    data = tensors.opened(tmp_path / "set")

    assert [item.name for item in data] == ["2", "10", "a2b", "a10b", "a"]
    assert data.metadata == {"files": 5}
    assert data[-1].name == "a"
    for number in (5, -6):
        with pytest.raises(IndexError):
            data.trace(number)


def test_much_may_be_left_out(tmp_path):
    """Then the words are the text, and of the answer nothing is claimed."""
    optional = ("hidden_states", "image", "grid", "text", "answer", "prediction", "probability")
    path = saved(tmp_path / "a.npz", **dict.fromkeys(optional))
    trace = tensors.opened(path).trace(0)

    assert trace.example.text == "is the star red"
    assert trace.example.image is None
    assert trace.prediction.kind == "told"
    assert trace.prediction.top == ()
    assert trace.streams["encoder"].hidden_states.shape[0] == 0
    assert np.isnan(trace.streams["encoder"].tokens.boxes).all()


def test_an_answer_without_its_probability_is_only_told(tmp_path):
    """No number is made up."""
    path = saved(tmp_path / "a.npz", probability=None)
    assert tensors.opened(path).trace(0).prediction.kind == "told"


def test_a_grid_tiles_the_picture_row_by_row(tmp_path):
    """Patches may stand anywhere among the tokens."""
    is_image = np.zeros(COUNT, bool)
    is_image[[0, 1, 3, 5, 7, 9, 11, 13]] = True
    path = saved(tmp_path / "a.npz", n_text=None, is_image=is_image, text=np.array("a star"))
    table = tensors.opened(path).trace(0).streams["encoder"].tokens

    assert (table.is_image == is_image).all()
    assert np.isnan(table.boxes[~is_image]).all()
    wanted = [
        (BREADTH * c / 4, HEIGHT * r / 2, BREADTH * (c + 1) / 4, HEIGHT * (r + 1) / 2)
        for r in range(ROWS)
        for c in range(COLUMNS)
    ]
    assert table.boxes[is_image] == pytest.approx(np.array(wanted))


def test_boxes_may_be_given_one_by_one(tmp_path):
    """In pixels of the picture; those of other tokens do not count."""
    boxes = np.full((COUNT, 4), 5.0)
    boxes[len(WORDS) :] = [(i, i + 1, i + 4, i + 9) for i in range(8)]
    boxes[-1] = np.nan
    path = saved(tmp_path / "a.npz", grid=None, boxes=boxes.astype(np.float32))
    table = tensors.opened(path).trace(0).streams["encoder"].tokens
    assert table.boxes[len(WORDS) : -1] == pytest.approx(boxes[len(WORDS) : -1])
    assert np.isnan(table.boxes[: len(WORDS)]).all()
    assert np.isnan(table.boxes[-1]).all()


def test_special_tokens_may_be_said(tmp_path):
    """Where their names do not tell."""
    is_special = np.arange(COUNT) < 3
    path = saved(tmp_path / "a.npz", is_special=is_special)
    table = tensors.opened(path).trace(0).streams["encoder"].tokens
    assert (table.is_special == is_special).all()


def test_strings_may_be_bytes(tmp_path):
    """In UTF-8."""
    tokens = np.array([one.encode() for one in ["Hündchen", *arrays()["tokens"][1:]]])
    path = saved(tmp_path / "a.npz", tokens=tokens, text=np.array("Hündchen?".encode()))
    trace = tensors.opened(path).trace(0)
    assert trace.streams["encoder"].tokens.texts[0] == "Hündchen"
    assert trace.example.text == "Hündchen?"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"attention": None}, r"it holds no array called attention: layer x head x query x key"),
        (
            {"attention": arrays()["attention"][0]},
            r"attention is 5 x 14 x 14; layers x heads x queries x keys is",
        ),
        ({"attention": np.ones((2, 5, 14, 14), int)}, r"attention is of int64; floats are wanted"),
        (
            {"attention": arrays()["attention"] * 2},
            r"attention of layer 0 .* sums to 2\.0000, wanted",
        ),
        (
            {"attention": arrays()["attention"][:, :, :9, :9]},
            r"2 x 5 x 9 x 9; layer x head x 14 x 14",
        ),
        (
            {"hidden_states": arrays()["hidden_states"][:2]},
            r"hidden states have the shape 2 x 14 x 7",
        ),
        ({"tokens": None}, r"it holds no list called tokens"),
        ({"tokens": np.array("a star")}, r"it holds no list called tokens"),
        ({"tokens": np.arange(COUNT)}, r"tokens holds np.int64.0.; a string is wanted"),
        ({"tokens": np.array(["\ud800"] * COUNT)}, r"tokens holds .*which is no text in Unicode"),
        ({"tokens": np.array([b"\xff"] * COUNT)}, r"tokens holds .*which is no text in Unicode"),
        ({"n_text": None}, r"it does not say which of its tokens are patches .* Give is_image"),
        ({"n_text": np.array(15)}, r"n_text is 15 for 14 tokens\. Give"),
        (
            {"n_text": np.array(6.0)},
            r"n_text is of float64; whole numbers or unsigned whole numbers",
        ),
        ({"is_image": np.ones(13, bool)}, r"is_image is a list of 13; a list of 14 is wanted"),
        ({"is_image": np.ones(14)}, r"is_image is of float64; booleans are wanted"),
        ({"is_special": np.ones(3, bool)}, r"is_special is a list of 3; a list of 14 is wanted"),
        ({"grid": np.array([4, 4])}, r"grid is 4 rows x 4 columns for 8 patches; their product"),
        ({"grid": np.array([-2, -4])}, r"grid is -2 rows x -4 columns for 8 patches"),
        ({"grid": np.array([8])}, r"grid is a list of 1; a list of 2 is wanted"),
        ({"image": None}, r"it says where the patches lie, but holds no picture called image"),
        (
            {"image": np.ones((30, 44, 3))},
            r"image is of float64; unsigned whole numbers are wanted",
        ),
        ({"image": np.ones((30, 44, 3), np.uint16)}, r"image is of uint16; uint8 is wanted"),
        (
            {"image": np.ones((3, 30, 44), np.uint8)},
            r"image is 3 x 30 x 44; height x width x 3 is wanted",
        ),
        ({"image": np.ones((30, 4, 3), np.uint8)}, r"The picture is 4 x 30 pixels"),
        (
            {"grid": None, "boxes": np.ones((14, 3))},
            r"boxes is 14 x 3; 14 x 4 is wanted",
        ),
        ({"grid": None, "boxes": np.full((14, 4), 9.0)}, r"boxes has a patch without an area"),
        (
            {"grid": None, "boxes": np.tile([0, 0, np.inf, 5], (14, 1))},
            r"boxes has a patch without an end",
        ),
        (
            {"grid": None, "boxes": np.tile([0.0, 0, 45, 20], (14, 1))},
            r"a patch lies outside the picture of 44 x 30 pixels",
        ),
        ({"text": np.array(["a", "b"])}, r"text is a list of 2; a single string is wanted"),
        ({"text": np.array(" ")}, r"The question is empty"),
        ({"text": None, "n_text": np.array(0), "grid": None}, r"none of its tokens is a word"),
        ({"probability": np.array(1.5)}, r"a prediction of 1\.5, wanted 0 to 1"),
        (
            {"probability": np.array([0.5])},
            r"probability is a list of 1; a single number is wanted",
        ),
    ],
)
def test_what_is_wrong_is_told_with_the_files_name(tmp_path, changed, message):
    """What came, what was wanted, and no traceback."""
    data = tensors.opened(saved(tmp_path / "set" / "7.npz", **changed).parent)
    with pytest.raises(DatasetError, match=rf"^7\.npz: .*{message}") as refused:
        data.trace(0)
    assert str(tmp_path) not in str(refused.value)


@pytest.mark.parametrize("name", ["tokens", "attention", "text"])
def test_python_objects_are_never_read(tmp_path, name):
    """They could run what is in them; the file says so itself before anything is read."""
    path = tmp_path / "a.npz"
    np.savez(path, allow_pickle=True, **arrays(**{name: np.array([Trap()] * 3, object)}))
    Trap.sprung = False
    with pytest.raises(DatasetError, match=rf"a\.npz: {name} holds Python objects, which are not"):
        tensors.opened(path).trace(0)
    assert not Trap.sprung


class Trap:
    """Tells if it was unpickled."""

    sprung = False

    def __reduce__(self):
        return spring, ()


def spring():
    """What it would do."""
    Trap.sprung = True


def test_an_array_too_large_is_refused_before_it_is_read(tmp_path, monkeypatch):
    """By what the file says of it, however little it takes when packed."""
    path = saved(tmp_path / "a.npz")
    monkeypatch.setattr(npz, "MOST_BYTES", arrays()["attention"].nbytes)
    assert tensors.opened(path).trace(0)

    monkeypatch.setattr(npz, "MOST_BYTES", arrays()["attention"].nbytes - 1)
    with pytest.raises(
        DatasetError, match=r"attention takes 0 MiB; at most 0 are read\. Save it as"
    ):
        tensors.opened(path).trace(0)


def test_a_header_that_promises_terabytes_is_refused(tmp_path):
    """Nothing is set aside for it."""
    path = saved(tmp_path / "a.npz", tokens=None)
    header = np.lib.format.magic(1, 0)
    text = b"{'descr': '<U8', 'fortran_order': False, 'shape': (1000000000000,), }"
    text += b" " * (118 - len(text) - 1) + b"\n"
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("tokens.npy", header + len(text).to_bytes(2, "little") + text)
    with pytest.raises(DatasetError, match=r"a\.npz: tokens takes 30517578 MiB"):
        tensors.opened(path)[0]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_unpack_a_block_whole_are_refused(tmp_path, method):
    """There are none in what numpy writes."""
    plain = saved(tmp_path / "a.npz", np.savez)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(tmp_path / "b.npz", "w", method) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    with pytest.raises(DatasetError, match=r"b\.npz: tokens is packed in a way that is not read"):
        tensors.opened(tmp_path / "b.npz")[0]


def test_columns_with_names_are_refused(tmp_path):
    """Whichever way numpy keeps them."""
    for dtype in ([("a", "f4")], [("é", "f4")]):
        path = saved(tmp_path / "a.npz", attention=np.zeros((2, 5, 14, 14), dtype))
        with pytest.raises(DatasetError, match=r"a\.npz: attention (is of|has columns with names)"):
            tensors.opened(path).trace(0)


@pytest.mark.parametrize("keep", [0, 5, 300, -40])
def test_a_damaged_file_is_told_by_name_and_breaks_no_other(tmp_path, keep):
    """When it is asked for."""
    good = saved(tmp_path / "set" / "1.npz")
    (tmp_path / "set" / "2.npz").write_bytes(good.read_bytes()[:keep])
    data = tensors.opened(tmp_path / "set")
    assert data[0].text
    for read in (lambda: data[1], lambda: data.trace(1)):
        with pytest.raises(DatasetError, match=r"^2\.npz: it is damaged, or no \.npz file"):
            read()


def test_a_broken_array_is_refused(tmp_path):
    """Found by its checksum, or as it makes no sense."""
    path = saved(tmp_path / "a.npz", np.savez)
    content = bytearray(path.read_bytes())
    place = content.index(b"tokens.npy") + 200
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"^a\.npz: it is damaged"):
        tensors.opened(path)[0]
    path.unlink()
    with pytest.raises(DatasetError, match=r"^a\.npz: it cannot be read: No such file"):
        tensors.Tensors("a", (path,))[0]


def test_other_files_are_none(tmp_path):
    """A folder without one, a picture, nothing."""
    (tmp_path / "a.png").write_bytes(b"x")
    assert not tensors.is_at(tmp_path)
    assert not tensors.is_at(tmp_path / "a.png")
    assert not tensors.is_at(tmp_path / "missing")


def test_the_example_in_the_description_writes_such_a_file(tmp_path, monkeypatch):
    """As it stands there."""
    monkeypatch.chdir(tmp_path)
    code = "".join(one.source for one in doctest.DocTestParser().get_examples(tensors.__doc__))
    assert "savez" in code
    exec(code, {})  # noqa: S102 our own words
    data = tensors.opened(tmp_path)
    trace = data.trace(0)
    assert trace.example.text == data[0].text == "a dog"
    assert trace.stacks["encoder"].n_layers == 4
    assert trace.streams["encoder"].tokens.boxes[3].tolist() == [0, 0, 16, 16]
