"""What stands around each value: an lz4 frame and msgpack, of which neither is trusted."""

import struct
import tracemalloc

import msgpack
import pytest
from lz4 import frame

from vl_core.datasets.interpret import envelope
from vl_core.errors import DatasetError

CONTENT = bytes(range(256)) * 300


@pytest.mark.parametrize("size", [0, 1, 255, 256, 65_535, 65_536])
@pytest.mark.parametrize("tells_size", [True, False])
def test_bytes_are_found(size, tells_size):
    """The length stands there in one, two or four bytes; a frame may tell its own or not."""
    packed = msgpack.packb(CONTENT[:size], use_bin_type=True)

    assert envelope.bytes_in(frame.compress(packed, store_size=tells_size)) == CONTENT[:size]


@pytest.mark.parametrize("number", [0, 1, 127, 128, 255, 256, 70_000, 2**40])
def test_numbers_are_found(number):
    """Of any size that msgpack has a form for."""
    assert envelope.number_in(frame.compress(msgpack.packb(number))) == number


@pytest.mark.parametrize("value", [CONTENT, b"", 7])
def test_what_is_wrapped_is_what_others_unwrap(value):
    """The libraries themselves find it again."""
    assert msgpack.unpackb(frame.decompress(envelope.wrapped(value))) == value


def _frame(packed):
    return frame.compress(packed)


def _flipped():
    content = bytearray(frame.compress(msgpack.packb(CONTENT), content_checksum=True))
    content[40] ^= 0xFF
    return bytes(content)


def _of_another_size(size):
    """A frame that says so many bytes are in it, with the checksum of its head put right."""
    content = bytearray(frame.compress(msgpack.packb(CONTENT)))
    struct.pack_into("<Q", content, 6, size)
    for checksum in range(256):
        content[14] = checksum
        try:
            if frame.get_frame_info(bytes(content))["content_size"] == size:
                return bytes(content)
        except RuntimeError:
            continue
    raise AssertionError("no checksum fits")


BYTES = {
    "nothing": b"",
    "no frame": b"not lz4 at all",
    "damage": _flipped(),
    "half": frame.compress(msgpack.packb(CONTENT))[:-400],
    "no mark at its end": frame.compress(msgpack.packb(CONTENT))[:-4],
    "more after it": frame.compress(msgpack.packb(CONTENT)) + b"more",
    "two": frame.compress(msgpack.packb(CONTENT)) * 2,
    "a size above": _of_another_size(len(CONTENT) + 50),
    "a size below": _of_another_size(20),
    "a size that no machine has": _of_another_size(2**60),
    "an empty frame": _frame(b""),
    "text": _frame(msgpack.packb("abc")),
    "a number": _frame(msgpack.packb(3)),
    "an extension": _frame(msgpack.packb(msgpack.ExtType(1, b"abc"))),
    "a list": _frame(msgpack.packb([b"abc"])),
    "a nest": _frame(b"\x91" * 100_000),
    "a longer length": _frame(b"\xc6\xff\xff\xff\xffabc"),
    "a shorter length": _frame(b"\xc4\x02abc"),
    "half a length": _frame(b"\xc6\x00"),
}


@pytest.mark.parametrize("value", BYTES.values(), ids=BYTES)
def test_anything_but_bytes_is_refused(value):
    """In one sentence, whether it is damaged, cut short, longer or something else."""
    with pytest.raises(DatasetError) as refused:
        envelope.bytes_in(value)
    assert "\n" not in str(refused.value)


NUMBERS = {
    "bytes": msgpack.packb(b"abc"),
    "text": msgpack.packb("3"),
    "yes": msgpack.packb(True),  # noqa: FBT003 the value that is meant
    "nothing": msgpack.packb(None),
    "a fraction": msgpack.packb(3.0),
    "below zero": msgpack.packb(-3),
    "a list": msgpack.packb([3]),
    "a dict": msgpack.packb({"a": 3}),
    "an extension": msgpack.packb(msgpack.ExtType(1, b"abc")),
    "a time": msgpack.packb(msgpack.Timestamp(3)),
    "a nest": b"\x91" * 60,
    "two": msgpack.packb(3) * 2,
    "half": b"\xcd\x01",
    "an unknown code": b"\xc1",
    "too much": msgpack.packb("a" * 100),
}


@pytest.mark.parametrize("packed", NUMBERS.values(), ids=NUMBERS)
def test_anything_but_a_number_is_refused(packed):
    """Also what msgpack would build an object of."""
    with pytest.raises(DatasetError) as refused:
        envelope.number_in(_frame(packed))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("tells_size", [True, False])
def test_a_bomb_is_not_unpacked(monkeypatch, tells_size):
    """A few bytes that become many: no more than the limit is unpacked, whatever the frame says."""
    limit = 100_000
    huge = frame.compress(msgpack.packb(bytes(50_000_000)), store_size=tells_size)
    monkeypatch.setattr(envelope, "MOST_BYTES", limit)
    fits = frame.compress(msgpack.packb(bytes(limit - 5)), store_size=tells_size)
    bomb = frame.compress(msgpack.packb(bytes(limit - 4)), store_size=tells_size)

    assert len(bomb) < limit / 100
    assert len(envelope.bytes_in(fits)) == limit - 5
    with pytest.raises(DatasetError, match="more than 100,000 bytes"):
        envelope.bytes_in(bomb)
    tracemalloc.start()
    with pytest.raises(DatasetError, match="more than 100,000 bytes"):
        envelope.bytes_in(huge)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * limit
