"""Fixtures that many tests use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support import collectors
from support.collectors import Collector
from support.otlp import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A fresh OTLP receiver."""
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def rotel(receiver: Receiver) -> Iterator[Collector]:
    """The Rotel collector, in front of `receiver`."""
    with collectors.rotel(receiver) as collector:
        yield collector


@pytest.fixture
def otelcol(receiver: Receiver) -> Iterator[Collector]:
    """The official Collector, in front of `receiver`."""
    binary = collectors.otelcol_binary()
    if binary is None:
        pytest.skip("needs the official Collector: nox -s collector")
    with collectors.otelcol(binary, receiver) as collector:
        yield collector


@pytest.fixture(params=["rotel", pytest.param("otelcol", marks=pytest.mark.collector)])
def collector(request: pytest.FixtureRequest) -> Collector:
    """Each of the collectors, in front of `receiver`."""
    fixture: Collector = request.getfixturevalue(request.param)
    return fixture
