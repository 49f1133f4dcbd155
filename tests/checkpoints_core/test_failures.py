"""What goes wrong between here and the hub, in plain words."""

import errno

import pytest
from huggingface_hub.utils import httpx

from vl_core.checkpoints.failures import UnreachableError, told_plainly
from vl_core.checkpoints.naming import HubName
from vl_core.errors import ModelError

NAME = HubName("someone/model")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EDQUOT, "disk is full"),
        (errno.EACCES, "cannot be written"),
        (errno.EROFS, "cannot be written"),
    ],
)
@pytest.mark.parametrize("is_wrapped", [False, True])
def test_what_the_disk_says_is_no_matter_of_network(number, words, is_wrapped):
    """However deep the library has buried it; what is cached is no way out."""
    with pytest.raises(ModelError, match=words) as told, told_plainly(NAME, downloading=True):
        fail(OSError(number, "from the system"), is_wrapped)
    assert not isinstance(told.value, UnreachableError)


def fail(error, is_wrapped):
    """Raise this, or something that it caused."""
    try:
        raise error
    except OSError as cause:
        if is_wrapped:
            raise ValueError("wrapped") from cause
        raise


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("[Errno -2] Name or service not known"),
        httpx.ConnectTimeout("timed out"),
        httpx.ReadError("reset"),
        ValueError("Expecting value: line 1"),
        OSError("no route"),
    ],
)
@pytest.mark.parametrize(("downloading", "words"), [(False, "reached"), (True, "interrupted")])
def test_no_network_is_told_from_an_interruption(error, downloading, words):
    """By what was being done; the model's name and the cause are in the words."""
    plainly = told_plainly(NAME, downloading=downloading)
    with pytest.raises(UnreachableError, match=words) as told, plainly:
        raise error
    assert "someone/model" in str(told.value)
    assert str(error)[:10] in str(told.value)


def test_faults_of_our_own_are_not_dressed_up():
    """A programming error stays one."""
    with pytest.raises(KeyError), told_plainly(NAME):
        raise KeyError("x")
