"""What these tests have in common."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agentops_otel.compat import client, settings, states, traces


@pytest.fixture(autouse=True)
def _nothing_was_said(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test is a program of its own, that has not called `init` yet."""
    monkeypatch.setattr(settings, "current", settings.Settings())
    monkeypatch.setattr(settings, "_said", set())
    monkeypatch.setattr(client.Client, "_one", None)
    states._of.cache_clear()
    yield
    assert traces.active() == {}
    traces._held.clear()
