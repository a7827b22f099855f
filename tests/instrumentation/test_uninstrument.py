"""`uninstrument` gives everything back, and what follows it is as if this package had never been there."""

from __future__ import annotations

from collections import Counter

import pytest
from support.deaths import END_REASON, END_STATE, SESSION_ID, Deaths

from agentops_otel.instrumentation import AgentOpsInstrumentor

TURNS = ("first", "second")


@pytest.mark.parametrize("is_left", [False, True], ids=["ended", "left_open"])
def test_gives_everything_back_and_can_be_undone(deaths: Deaths, is_left: bool) -> None:
    death = deaths.run("uninstrumented", *(["left"] if is_left else []), setup="own")
    assert death.quiet == (0, ""), death
    processors = "['BatchSpanProcessor', 'SessionSpanProcessor']"
    assert death.stdout.splitlines() == ["True", "[]", "True", "[]", processors]
    names = Counter(span.name for span in death.receiver.spans)
    assert set(names.values()) == {1}, death
    for turn in TURNS:
        is_open = is_left and turn == "second"
        root, step = death.span(f"session {turn}"), death.span(f"{turn} step")
        assert root.attributes[END_STATE] == ("unknown" if is_open else "success")
        assert root.attributes[END_REASON] == ("process_exit" if is_open else "completed")
        assert step.attributes[SESSION_ID] == root.attributes[SESSION_ID]
        assert step.attributes.get(END_REASON) == ("process_exit" if is_open else None)
        seen = death.span(f"invoke_agent {turn} seen")
        assert (seen.attributes[END_STATE], seen.attributes[END_REASON]) == ("success", "completed")
        quiet, elsewhere = death.span(f"{turn} quiet step"), death.span(f"{turn} elsewhere")
        assert quiet.parent_id == root.span_id
        assert (dict(quiet.attributes), dict(elsewhere.attributes)) == ({}, {})
        untouched = {"gen_ai.operation.name": "invoke_agent"}
        assert death.span(f"invoke_agent {turn} suppressed").attributes == untouched
        if not is_open:
            assert death.span(f"invoke_agent {turn} unseen").attributes == untouched


def test_instrumentor_is_one_object_with_one_state() -> None:
    assert AgentOpsInstrumentor() is AgentOpsInstrumentor()
    assert AgentOpsInstrumentor()._providers is AgentOpsInstrumentor()._providers
    assert not AgentOpsInstrumentor().is_instrumented_by_opentelemetry
