"""A want of memory is told from every other failure."""

import errno
import mmap

import pytest
import torch

from vl_core.shortage import is_shortage


def raised(make):
    """What this raises."""
    try:
        make()
    except Exception as error:  # noqa: BLE001 whatever it is
        return error
    return None


def wrapped(*, openly):
    """An error that a library raises over a want of memory."""
    try:
        bytearray(2**62)
    except MemoryError as error:
        if openly:
            raise OSError("weights cannot be read") from error
        raise OSError("weights cannot be read")  # noqa: B904 as some libraries do


@pytest.mark.parametrize(
    "make",
    [
        lambda: bytearray(2**62),
        lambda: torch.empty(2**50),
        lambda: mmap.mmap(-1, 2**60),
        lambda: wrapped(openly=True),
        lambda: wrapped(openly=False),
    ],
)
def test_what_really_happens_is_a_shortage(make):
    """In Python, in torch, in the system, and behind what a library makes of it."""
    assert is_shortage(raised(make))


@pytest.mark.parametrize(
    "message",
    [
        "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 15 GiB",
        "MPS backend out of memory (MPS allocated: 8.00 GB)",
        "[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes.",
        "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes",
        "Error while deserializing header: Cannot allocate memory (os error 12)",
    ],
)
def test_the_words_of_torch_and_of_other_libraries_are_known(message):
    """They raise a RuntimeError, or one of their own."""
    assert is_shortage(RuntimeError(message))
    assert is_shortage(torch.OutOfMemoryError(message))


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied (3x4 and 5x6)"),
        OSError(errno.ENOSPC, "No space left on device"),
        OSError("no file named model.safetensors"),
        AttributeError("memory"),
    ],
)
def test_other_failures_are_none(error):
    """They need another sentence."""
    assert not is_shortage(error)
