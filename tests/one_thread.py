"""One thread of torch: tiny models gain nothing by more, and suffer where other programs run."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch


@contextmanager
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session", autouse=True)
def all_on_one_thread() -> Iterator[None]:
    """For every test of a folder whose conftest.py imports it."""
    with one_thread():
        yield
