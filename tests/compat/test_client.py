"""`init`, `configure` and the client: what programs tell them, and what they do with it."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from support.spans import Spans, attributes, context_of, ending

import agentops_otel as ao
import agentops_otel.compat as agentops
from agentops_otel.compat import settings
from agentops_otel.testing.isolation import settle


def test_starts_the_session_of_the_whole_process_which_nobody_holds(spans: Spans) -> None:
    agentops.init()
    gc.collect()
    settle()
    current = ao.current_session()
    assert current is not None
    assert current.name == "default"
    agentops.end_session("Success")
    assert ending(spans.root()) == ("success", "completed", "OK")


def test_gives_the_same_session_as_long_as_it_is_open(spans: Spans) -> None:
    first = agentops.init(trace_name="whole")
    assert agentops.init() is first
    agentops.end_session("Success")
    second = agentops.init()
    assert second is not None
    assert second is not first
    second.end_session()
    assert [root.name for root in spans.roots()] == ["session whole", "session whole"]


def test_starts_none_where_none_is_wanted(spans: Spans) -> None:
    assert agentops.init(auto_start_session=False) is None
    assert ao.open_sessions() == []


@pytest.mark.parametrize(("said", "starts"), [("False", False), ("true", True), ("1", True)])
def test_the_environment_says_whether_it_starts_one(
    spans: Spans, monkeypatch: pytest.MonkeyPatch, said: str, starts: bool
) -> None:
    monkeypatch.setenv("AGENTOPS_AUTO_START_SESSION", said)
    assert (agentops.init() is not None) is starts
    agentops.end_all_sessions()


def test_tags_are_those_of_every_session(spans: Spans) -> None:
    agentops.init(default_tags=["a"], tags=["b"], auto_start_session=False)
    agentops.end_trace(agentops.start_trace("t", tags=["c", "a"]))

    @agentops.trace
    def run() -> None:
        pass

    run()
    assert [attributes(root)["agentops.tags"] for root in spans.roots()] == [("b", "a", "c"), ("b", "a")]


def test_names_and_tags_of_the_environment_count(spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTOPS_TRACE_NAME", "from outside")
    monkeypatch.setenv("AGENTOPS_DEFAULT_TAGS", "x, y")
    agentops.init()
    agentops.end_session("Success")
    assert spans.root().name == "session from outside"
    assert attributes(spans.root())["agentops.tags"] == ("x", "y")


def test_a_client_with_arguments_is_initialized(spans: Spans) -> None:
    client = agentops.Client(api_key="k", parent_key="p", tags=["a"], auto_start_session=True)
    assert client is agentops.get_client() is agentops.Client()
    assert client.initialized
    assert client.config.api_key == "k"
    assert client.get_current_jwt() is None
    client.add_tags(["b"])
    client.record(agentops.ToolEvent(name="search"))
    client.end_session("Success", "it is done")
    assert attributes(spans.root())["agentops.tags"] == ("a", "b")
    assert attributes(spans.root())["agentops.legacy.end_state_reason"] == "it is done"
    assert spans.by_name("execute_tool search").parent == context_of(spans.root())


def test_a_client_is_initialized_with_what_it_was_told_before(spans: Spans) -> None:
    client = agentops.Client()
    client.configure(api_key="k", default_tags=["a"], auto_start_session=True)
    session = client.initialize()
    assert session is not None
    other = client.start_session(["b"], inherited_session_id="i")
    assert client.current_session_ids == [session.session_id, other.session_id]
    client.set_tags(["c"])
    client.end_session("Fail")
    client.end_session("Success")
    assert client.current_session_ids == []
    assert [attributes(root)["agentops.tags"] for root in spans.roots()] == [("c",), ("a",)]


def test_what_only_made_sense_for_the_hosted_product_is_said_once(
    spans: Spans, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "agentops_otel")
    for _ in range(2):
        agentops.init(
            api_key="k",
            endpoint="https://api.agentops.ai",
            app_url="https://app.agentops.ai",
            log_session_replay_url=True,
            fail_safe=True,
            auto_start_session=False,
        )
    agentops.configure(api_key="k", max_queue_size=1)
    said = [record.getMessage() for record in caplog.records if record.levelname == "INFO"]
    assert sorted(line.partition(" ")[0] for line in said) == [
        "api_key",
        "app_url",
        "endpoint",
        "fail_safe",
        "log_session_replay_url",
        "max_queue_size",
    ]
    assert all("has no effect" in line for line in said)
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_what_is_not_known_is_said_and_does_not_raise(spans: Spans, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "agentops_otel")
    agentops.init(auto_start_session=False, brand_new=1)
    assert "brand_new is not known" in caplog.text


@pytest.mark.parametrize(
    "bad", [{"tags": 7}, {"default_tags": [1]}, {"span_names": 3}, {"exporter_endpoint": 7}, {"trace_name": 7}]
)
def test_arguments_of_a_wrong_type_are_refused_by_name(spans: Spans, bad: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=next(iter(bad))):
        agentops.init(auto_start_session=False, **bad)
    with pytest.raises(ValueError, match="span_names"):
        agentops.configure(span_names="old")


def test_the_session_is_the_one_to_be_ended_from_anywhere(spans: Spans) -> None:
    session = agentops.init()
    assert session is not None
    session.end_session(end_state="Fail")
    agentops.end_all_sessions()
    assert ending(spans.root())[0] == "error"
    assert settings.current.api_key is None
