"""Memory that ran out, told from every other failure."""

import errno
import re

from vl_core.errors import causes

# In the words of torch, on the CPU and on its devices, and of the system.
_WORDS = re.compile("out of memory|not enough memory|(can't|cannot) allocate memory", re.IGNORECASE)


def is_shortage(error: BaseException) -> bool:
    """Whether memory ran out: this is what the error says, or what it was raised over."""
    return any(_says_so(one) for one in causes(error))


def _says_so(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno == errno.ENOMEM
    return bool(_WORDS.search(str(error)))
