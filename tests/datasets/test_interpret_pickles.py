"""Pickles of plain data are read as Python reads them; anything else is refused and never run."""

import math
import pickle
import random
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.datasets.interpret_files import prepared, record
from vl_core.datasets.interpret import pickles
from vl_core.datasets.interpret.described import Array
from vl_core.datasets.interpret.pickles import loaded
from vl_core.errors import DatasetError

PROTO, STOP = b"\x80\x04", b"."


def _plain(value):
    """What was read, its arrays as numpy's own."""
    if isinstance(value, Array):
        return value.strings() if value.kind.is_string else value.values()
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_plain, value))
    return value.tobytes() if isinstance(value, memoryview) else value


def _read(content):
    return _plain(loaded(memoryview(content)))


numbers = st.integers(-(2**31), 2**63 - 1) | st.floats(allow_nan=False) | st.booleans() | st.none()
values = st.recursive(
    numbers | st.text(max_size=300) | st.binary(max_size=300),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner, max_size=5).map(tuple)
        | st.dictionaries(st.text(max_size=5), inner)
    ),
    max_leaves=30,
)


@given(values, st.sampled_from([3, 4, 5]))
def test_plain_data_is_read_as_python_reads_it(value, protocol):
    """Whatever is nested in what, in each protocol that keeps bytes as they are."""
    assert _read(pickle.dumps(value, protocol=protocol)) == value


ARRAYS = {
    "float16": np.linspace(-2, 2, 24, dtype=np.float16).reshape(2, 3, 4),
    "float32": np.linspace(-2, 2, 24, dtype=np.float32).reshape(4, 6),
    "float64, big-endian": np.linspace(-2, 2, 6).astype(">f8"),
    "int64": np.arange(-6, 6).reshape(3, 4),
    "uint8": np.arange(12, dtype=np.uint8).reshape(3, 4),
    "bool": np.array([True, False, True]),
    "column by column": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    "turned axes": np.arange(24.0).reshape(2, 3, 4).transpose(1, 0, 2),
    "every other": np.arange(24.0).reshape(4, 6)[:, ::2],
    "a single number": np.array(1.5),
    "read-only": np.frombuffer(bytes(range(16)), np.float64),
}


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_arrays_are_read_with_their_type_shape_and_order(array, protocol):
    """An array is pickled in one of three ways, by protocol and by the order of its elements."""
    found = _read(pickle.dumps(array, protocol=protocol))

    assert found.shape == array.shape
    assert found.dtype == array.dtype
    assert np.array_equal(found, array)


@pytest.mark.parametrize("module", [b"numpy._core.", b"numpy.core."])
def test_both_names_of_numpys_modules_are_known(module):
    """Pickles of numpy 1 and of numpy 2 differ in them."""
    content = pickle.dumps({"a": np.arange(3.0), "b": np.float32(2)}, protocol=3)
    found = _read(content.replace(b"numpy._core.", module))

    assert found["a"].tolist() == [0, 1, 2]
    assert found["b"] == 2


def test_numbers_and_strings_of_numpys_own_become_pythons():
    """A list that an array was put into holds such."""
    values = [np.str_("IMG_3"), np.str_(""), np.bool_(True), np.int64(-7), np.float16(0.5)]  # noqa: FBT003 a number
    found = _read(pickle.dumps(values))

    assert found == ["IMG_3", "", True, -7, 0.5]
    assert [type(one) for one in found] == [str, str, bool, int, float]


@pytest.mark.parametrize("dtype", ["<U7", ">U7"])
def test_an_array_of_strings_is_read(dtype):
    """As short as they are, and with letters of all kinds."""
    assert _read(pickle.dumps(np.array(["[CLS]", "é", "日本", ""], dtype))) == [
        "[CLS]",
        "é",
        "日本",
        "",
    ]


def test_an_array_that_is_named_twice_is_one():
    """A pickle names what comes again by its place."""
    array = np.arange(3.0)
    first, second = loaded(memoryview(pickle.dumps([array, array])))

    assert first is second


class _Calls:
    """Pickled, it is a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class _Mine:
    """An object of a class that is no plain data."""

    def __init__(self):
        self.field = 1


def _name(module, name):
    return b"c" + f"{module}\n{name}\n".encode()


def _text(text):
    return b"\x8c" + bytes([len(text)]) + text.encode()


def _shell(canary):
    return f"touch {canary}"


def _attacks(canary):
    """By name: a pickle that would make the file, if it were run, or that is no plain data."""
    opened = f"open({str(canary)!r}, 'w')"
    shell = _shell(canary)
    spelled = _text("os") + b"\x94" + _text("system") + b"\x94"
    array_of_calls = np.empty(1, object)
    array_of_calls[0] = _Calls(eval, opened)
    return {
        "a call of the system": pickle.dumps(_Calls(__import__("os").system, shell)),
        "a call inside a record": pickle.dumps({"tokens": [_Calls(eval, opened)]}),
        "a call as a key": pickle.dumps({_Calls(eval, opened): 1}),
        "a call in protocol 0": pickle.dumps(_Calls(eval, opened), protocol=0),
        "a call of exec": pickle.dumps(_Calls(exec, opened)),
        "getattr after getattr": pickle.dumps(
            _Calls(getattr, _Calls(getattr, _Calls(__import__, "os"), "path"), "os")
        ),
        "an array of objects": pickle.dumps(array_of_calls),
        "an object among numbers": pickle.dumps(np.array([1, _Calls(eval, opened)], object)),
        "an array of several kinds": pickle.dumps(np.zeros(2, "i4,f8")),
        "dates": pickle.dumps(np.array(["2020-01-01"], "M8[D]")),
        "bytes as text": pickle.dumps(b"abc", protocol=2),
        "names on the stack": PROTO + spelled + b"\x93" + _text(shell) + b"\x85R" + STOP,
        "names out of the memory": PROTO
        + (spelled + b"00" + b"h\x00h\x01\x93" + _text(shell) + b"\x85R")
        + STOP,
        "a name in another's place": PROTO
        + (_name("numpy", "dtype") + b"q\x07" + spelled + b"\x93q\x07" + _text(shell))
        + (b"\x85h\x07" + b"R" + STOP),
        "a name with dots": PROTO + _name("numpy", "ndarray.__init__") + STOP,
        "a module with dots": PROTO + _name("numpy.core", "multiarray._reconstruct") + STOP,
        "a name that is no string": PROTO + _text("numpy") + b"K\x01\x93" + STOP,
        "numpy's own reader": PROTO + _name("numpy", "load") + _text("x") + b"\x85R" + STOP,
        "an instance": PROTO + b"(" + _text(shell) + b"ios\nsystem\n" + STOP,
        "an object of a class": PROTO + b"(" + _name("os", "system") + _text(shell) + b"o" + STOP,
        "an object of ours": pickle.dumps(_Mine()),
        "a class of numpy's, made": PROTO + _name("numpy", "ndarray") + b"K\x01\x85\x81" + STOP,
        "a class of numpy's, called": PROTO
        + (_name("numpy", "ndarray") + b"J\xff\xff\xff\x7f\x85R")
        + STOP,
        "an extension": PROTO + b"\x82\x01" + STOP,
        "a persistent name": PROTO + b"Pelsewhere\n" + STOP,
        "a persistent thing": PROTO + _text("elsewhere") + b"Q" + STOP,
        "a buffer from elsewhere": b"\x80\x05\x97" + STOP,
        "a state for a list": PROTO + b"]}b" + STOP,
        "a state for a name": PROTO + _name("numpy", "ndarray") + b"}b" + STOP,
        "a call of a list": PROTO + b"])R" + STOP,
        "a call with a list": PROTO + _name("numpy", "dtype") + b"]R" + STOP,
        "a set": pickle.dumps({1, 2}),
        "an array of another kind": PROTO
        + (_name("numpy.core.multiarray", "_reconstruct") + _name("numpy", "dtype"))
        + (b"K\x00\x85C\x01b\x87R" + STOP),
        "a number of nine bytes": pickle.dumps(2**70),
        "a number of a thousand digits": pickle.dumps(10**1000),
        "a complex number": pickle.dumps(1j),
        "items for a tuple": PROTO + b")N" + b"a" + STOP,
        "keys for a list": PROTO + b"]" + _text("a") + b"N" + b"s" + STOP,
    }


@pytest.mark.parametrize("name", list(_attacks("")))
def test_what_is_no_plain_data_is_refused_and_never_run(tmp_path, name):
    """With one sentence or two, in one line."""
    canary = tmp_path / "canary"
    content = _attacks(canary)[name]

    with pytest.raises(DatasetError, match=r"not opened|cannot be followed") as refused:
        loaded(memoryview(content))
    assert not canary.exists()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "name",
    [
        "a call of the system",
        "a call inside a record",
        "an array of objects",
        "names on the stack",
        "names out of the memory",
        "a call in protocol 0",
    ],
)
def test_such_pickles_do_run_elsewhere(tmp_path, name):
    """What is refused above is a real attack: Python's own reader follows it."""
    canary = tmp_path / "canary"
    pickle.loads(_attacks(canary)[name])  # noqa: S301 it is our own, and shows what ours must not do

    assert canary.exists()


def _array(shape=(2,), code="f8", state=None, content=bytes(16)):
    """The pickle of an array with anything in its places."""
    kind = (
        _name("numpy", "dtype")
        + pickle.dumps((code, False, True), protocol=3)[2:-1]
        + b"R"
        + pickle.dumps(state or (3, "<", None, None, None, -1, -1, 0), protocol=3)[2:-1]
        + b"b"
    )
    return (
        PROTO
        + _name("numpy.core.multiarray", "_reconstruct")
        + _name("numpy", "ndarray")
        + pickle.dumps((0,), protocol=3)[2:-1]
        + pickle.dumps(b"b", protocol=3)[2:-1]
        + b"\x87R"
        + b"(K\x01"
        + pickle.dumps(shape, protocol=3)[2:-1]
        + kind
        + b"\x89"
        + pickle.dumps(content, protocol=3)[2:-1]
        + b"tb"
        + STOP
    )


@pytest.mark.parametrize(
    "content",
    [
        _array((2**30, 2**30)),
        _array((3,)),
        _array((1,)),
        _array((2**62, 0), content=b""),
        _array((-2, -1)),
        _array((True, 2)),
        _array((1,) * 9, content=bytes(8)),
        _array("no shape"),
        _array(code="O"),
        _array(code="O8"),
        _array(code="V8"),
        _array(code="c16"),
        _array(code="f8,f8"),
        _array(code="U99999"),
        _array(code=8),
        _array(code=((((8,),),),)),
        _array(state=(3, "<", None, ("a",), {}, -1, -1, 0)),
        _array(state=(3, "?", None, None, None, -1, -1, 0)),
        _array(state=(3,)),
        _array(content=[1.0, 2.0]),
    ],
)
def test_arrays_that_are_not_what_they_say_are_refused(content):
    """Sizes that the bytes do not fill, kinds that are no numbers, states that nobody writes."""
    assert _read(_array()).tolist() == [0, 0]
    with pytest.raises(DatasetError, match="not opened"):
        loaded(memoryview(content))


LIES = {
    "bytes that are not there": PROTO + b"\x8e" + struct.pack("<Q", 2**40) + STOP,
    "changeable bytes that are not there": b"\x80\x05\x96" + struct.pack("<Q", 2**40) + STOP,
    "text that is not there": PROTO + b"\x8d" + struct.pack("<Q", 2**63) + STOP,
    "a number that is not there": PROTO + b"\x8b" + struct.pack("<i", 2**30) + STOP,
    "a place in memory far away": PROTO + b"N" + b"r" + struct.pack("<I", 2**32 - 1) + b"0" * 9,
    "a frame that is not there": PROTO + b"\x95" + struct.pack("<Q", 2**60) + b"N",
    "no end": PROTO + b"N",
    "an empty stack": PROTO + b"\x87" + STOP,
    "nothing in memory": PROTO + b"h\x05" + STOP,
    "no mark": PROTO + b"Nt" + STOP,
    "a key without a value": PROTO + b"}(" + _text("a") + b"u" + STOP,
    "text that is none": PROTO + b"\x8c\x02\xff\xfe" + STOP,
    "a name without an end": PROTO + b"c" + b"a" * 100_000,
    "nothing": b"",
    "no pickle": b"PK\x03\x04 something else",
}


@pytest.mark.parametrize("content", LIES.values(), ids=LIES)
def test_no_room_is_taken_for_what_is_not_there(content):
    """A few bytes claim a terabyte; less than one megabyte is taken."""
    tracemalloc.start()
    with pytest.raises(DatasetError):
        loaded(memoryview(content))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 2**20


DEPTH = 100_000
NESTED = {
    "lists in lists": b"]" * 9_000 + b"a" * 8_999,
    "tuples in tuples": b")" + b"\x85" * DEPTH,
    "dicts in dicts": (b"}" + _text("a")) * 9_000 + b"N" + b"s" * 9_000,
    "marks": b"(" * 9_000 + b"N" + b"t" * 9_000,
}


@pytest.mark.parametrize("content", NESTED.values(), ids=NESTED)
def test_nothing_is_nested_too_deep(content):
    """It is read, and thrown away, without a call for each level."""
    loaded(memoryview(PROTO + content + STOP))


def test_a_deep_tuple_as_a_key_is_refused():
    """Python would hash it level by level, until the process ends."""
    content = PROTO + b"})" + b"\x85" * DEPTH + b"Ns" + STOP

    with pytest.raises(DatasetError, match="keys are no strings"):
        loaded(memoryview(content))


def test_a_list_may_hold_itself():
    """That takes no more room than it has members."""
    found = loaded(memoryview(PROTO + b"]\x94h\x00a" + STOP))

    assert found[0] is found


@pytest.mark.parametrize(
    ("limit", "content", "said"),
    [
        ("MOST_STEPS", PROTO + b"](" + b"N" * 60 + b"e" + STOP, "more than 50 instructions"),
        ("MOST_TEXT_BYTES", pickle.dumps(["a" * 51]), "of text"),
        ("MOST_TEXT_BYTES", pickle.dumps([f"abc{i}" for i in range(13)]), "of text"),
        ("MOST_TEXT_BYTES", pickle.dumps([np.str_("a" * 51)]), "of text"),
    ],
)
def test_long_pickles_end(monkeypatch, limit, content, said):
    """Neither their instructions nor their text may go on for ever."""
    monkeypatch.setattr(pickles, limit, 50)

    with pytest.raises(DatasetError, match=said):
        loaded(memoryview(content))


def test_what_is_damaged_is_told_of():
    """A record with bytes changed anywhere is read or refused; nothing else ever happens."""
    rng = random.Random(3)
    whole = pickle.dumps(prepared(record()))
    texts = len(pickle.dumps({"attention": 0}))
    refused = []
    for _ in range(500):
        content = bytearray(whole)
        for _ in range(rng.choice([1, 3, 30])):
            head = rng.choice([0, len(content) - 9_000])
            place = min(len(content) - 1, head + int(rng.random() ** 4 * (9_000 + texts)))
            content[place] = rng.randrange(256)
        if rng.random() < 0.1:
            del content[rng.randrange(len(content)) :]
        try:
            loaded(memoryview(content))
        except DatasetError as error:
            refused.append(str(error))

    assert len(refused) > 100
    assert not any("\n" in one for one in refused)


def test_a_large_array_is_not_copied():
    """Its elements stay where they were unpacked."""
    content = pickle.dumps({"attention": np.zeros(2**21, np.float32)})
    tracemalloc.start()
    found = loaded(memoryview(content))["attention"].values()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert math.prod(found.shape) == 2**21
    assert peak < 2**20
