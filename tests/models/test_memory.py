"""Free memory goes back to the system."""

import platform
from pathlib import Path

import numpy as np
import pytest

from spacy_valence_ec.models.memory import trim_memory


def resident() -> int:
    """Pages of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1])


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of the GNU C library")
def test_holes_between_arrays_are_given_back() -> None:
    # Each is small enough to be a part of the heap; the last one keeps the heap from shrinking.
    arrays = [np.ones(12_000) for _ in range(2_000)]
    last = np.ones(12_000)
    full = resident()
    del arrays
    trim_memory()
    assert resident() < full - 25_000
    assert last.sum() == 12_000
