"""Memory grows linearly in tokens, whoever listens: nothing of query x key is formed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.capture import peaks

MOST = 2.3  # times as much for twice the tokens; of anything of query x key it would be four

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="Linux alone counts a peak anew"
)


@pytest.fixture(scope="module")
def measured():
    """Each peak in MB, of a process of its own."""
    command = [sys.executable, "-m", "tests.capture.peaks"]
    # Else the C library may keep what was freed, now more, now less of it.
    settings = os.environ | {"MALLOC_MMAP_THRESHOLD_": str(2**18)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=settings)
    return json.loads(done.stdout)


@pytest.mark.parametrize("way", peaks.WAYS_MEASURED)
@pytest.mark.parametrize("mask", peaks.MASKS)
def test_twice_the_tokens_take_twice_the_memory(measured, way, mask):
    """Of a model of two layers, with capture idle and with all that a trace takes."""
    few, many = (measured[f"{way} {mask} {n_tokens}"] for n_tokens in peaks.SIZES)

    assert 0 < many < MOST * few
