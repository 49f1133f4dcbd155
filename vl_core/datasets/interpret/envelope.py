"""What stands around each value of a database: an lz4 frame, and in it one msgpack value."""

from typing import Any

from vl_core.errors import DatasetError

MOST_BYTES = 512 * 2**20  # of a record, unpacked; one of the paper's model takes 23 MiB
_MOST_PLAIN_BYTES = 64
_MOST_RATIO = 255  # lz4 cannot do better

# How many bytes after the first say how long a msgpack value of bytes is.
_LENGTHS = {0xC4: 1, 0xC5: 2, 0xC6: 4}


def bytes_in(value: bytes) -> memoryview:
    """The bytes that were wrapped; raises DatasetError for anything else.

    They are a part of what was unpacked, so that no second copy of a record is made.
    """
    content = memoryview(_unpacked(value, MOST_BYTES))
    length = _LENGTHS.get(content[0]) if content else None
    if length is None:
        raise DatasetError("it is no record: no bytes as msgpack writes them.")
    start = 1 + length
    if int.from_bytes(content[1:start], "big") != len(content) - start:
        raise DatasetError("it is damaged: it is longer or shorter than it says.")
    return content[start:]


def number_in(value: bytes) -> int:
    """The number that was wrapped, 0 or more; raises DatasetError for anything else."""
    import msgpack  # noqa: PLC0415 other data sets do without it

    content = _unpacked(value, _MOST_PLAIN_BYTES)
    try:
        found: Any = msgpack.unpackb(content, max_ext_len=0, max_map_len=0, max_array_len=0)
    except Exception as error:
        # msgpack has errors of its own for each way in which bytes can be wrong.
        raise DatasetError("it is no whole number as msgpack writes it.") from error
    if not isinstance(found, int) or isinstance(found, bool) or found < 0:
        raise DatasetError("it is no whole number from 0 on.")
    return found


def wrapped(value: bytes | int) -> bytes:
    """The value as a database keeps it."""
    import msgpack  # noqa: PLC0415 as above
    from lz4 import frame  # noqa: PLC0415 as above

    return bytes(frame.compress(msgpack.packb(value, use_bin_type=True)))


def _unpacked(value: bytes, most: int) -> bytes:
    """What the frame holds, of which never more than `most` bytes are unpacked."""
    from lz4 import frame  # noqa: PLC0415 as above

    unpacking = frame.LZ4FrameDecompressor()
    content: bytes = b""
    try:
        claimed: int = frame.get_frame_info(value)["content_size"]
        room = claimed or min(most, _MOST_RATIO * len(value))
        if room <= most:
            content = unpacking.decompress(value, max_length=room + 1)
    except Exception as error:
        # The library raises RuntimeError for damage, and others for what it cannot allocate.
        raise DatasetError("it is damaged: no whole lz4 frame.") from error
    if max(room, len(content)) > most:
        raise DatasetError(f"it is more than {most:,} bytes unpacked, the most that is read.")
    if not unpacking.eof or unpacking.unused_data:
        raise DatasetError("it is damaged: no whole lz4 frame.")
    return content
