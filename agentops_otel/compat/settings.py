"""What programs tell `init` and `configure`, and what is done with it here."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import Any

from .. import api, config, semconv, standard_provider
from ..runtime import is_sdk, runtime
from ..sessions import arguments
from ..sessions.starting import Plan
from . import llm_calls, span_names

_logger = logging.getLogger("agentops_otel")

_HOSTED = "nothing is sent to AgentOps"
_SDK = "OTEL_* variables and your own TracerProvider say how spans are exported"
WITHOUT_EFFECT: Mapping[str, str] = {
    **dict.fromkeys(("api_key", "endpoint", "app_url", "parent_key", "log_session_replay_url"), _HOSTED),
    **dict.fromkeys(("prefetch_jwt_token", "env_data_opt_out", "inherited_session_id"), _HOSTED),
    **dict.fromkeys(("max_wait_time", "max_queue_size", "export_flush_interval", "exporter", "processor"), _SDK),
    "auto_init": "nothing is set up before init() is called",
    "log_level": "set the level of the logger 'agentops_otel'",
    "fail_safe": "nothing here raises into your program",
}
"""Why arguments that are accepted change nothing."""

_TEXTS = ("trace_name", "exporter_endpoint")
_VENDOR = "agentops.ai"
_said: set[str] = set()


class Settings:
    """What was said so far; None: nothing. Programs read it as ``get_client().config``."""

    api_key: str | None = None
    default_tags: tuple[str, ...] = ()
    trace_name: str | None = None
    auto_start_session: bool | None = None
    instrument_llm_calls: bool | None = None
    skip_auto_end_session: bool | None = None
    exporter_endpoint: str | None = None

    def __getattr__(self, name: str) -> Any:
        if name in WITHOUT_EFFECT:
            return None
        raise AttributeError(name)


current = Settings()


def take(given: Mapping[str, Any]) -> None:
    """Takes over what is neither None nor empty. Says once of each argument that it has no effect, or is not known.

    Raises TypeError or ValueError that names the argument.
    """
    said = {name: value for name, value in given.items() if value not in (None, "")}
    span_names.choose(said.pop("span_names", None))
    tags = [tag for name in ("tags", "default_tags") for tag in tags_of(name, said.pop(name, ()))]
    if tags:
        current.default_tags = tuple(dict.fromkeys(tags))
    for name, value in said.items():
        if name in WITHOUT_EFFECT:
            say_once(f"{name} has no effect: {WITHOUT_EFFECT[name]}")
        elif name in _TEXTS:
            arguments.text(name, value)
        elif name not in Settings.__annotations__:
            say_once(f"{name} is not known, and has no effect")
            continue
        setattr(current, name, value)


def tags_of(name: str, value: Any) -> tuple[str, ...]:
    """Tags, of which there may be but one; TypeError or ValueError that names the argument."""
    return arguments.tags(name, [value] if isinstance(value, str) else value)


def say_once(text: str, level: int = logging.INFO) -> None:
    if text not in _said:
        _said.add(text)
        _logger.log(level, "%s", text)


def set_up() -> None:
    """Has sessions written with the TracerProvider of the program; builds a standard one where there is none.

    Loads the instrumentations of LLM clients, where they are wanted.
    """
    endpoint = current.exporter_endpoint or config.of_agentops("EXPORTER_ENDPOINT")
    if endpoint is not None and _VENDOR in endpoint.lower():
        say_once(f"exporter_endpoint has no effect: {_HOSTED}")
        endpoint = None
    with runtime.setting_up:
        if is_sdk(runtime.provider()):
            if endpoint is not None and endpoint not in _used:
                say_once("exporter_endpoint has no effect: the TracerProvider that is set has exporters of its own")
        else:
            if endpoint is not None and config.is_set("OTEL_CONFIG_FILE"):
                say_once("exporter_endpoint has no effect: OTEL_CONFIG_FILE says where to export")
            standard_provider.build(None, endpoint)
            _used.add(endpoint)
    api.configure()
    if wants_llm_calls():
        llm_calls.instrument()


_used: set[str | None] = set()
"""The endpoint of the TracerProvider that was built here."""


def completed(plan: Plan) -> Plan:
    """A session's plan with the tags that all sessions get."""
    tags = current.default_tags or _tags_of_environment()
    if not tags:
        return plan
    own: Any = plan.attributes.get(semconv.TAGS, ())
    return plan._replace(attributes={**plan.attributes, semconv.TAGS: tuple(dict.fromkeys((*tags, *own)))})


def trace_name() -> str | None:
    return current.trace_name or config.of_agentops("TRACE_NAME")


def has_session_of_its_own() -> bool:
    """Whether `init` starts a session for the whole process.

    It does where nothing else is said; but not in a notebook, which has no end.
    """
    said = _switch(current.auto_start_session, "AUTO_START_SESSION")
    return not _is_notebook() if said is None else said


def wants_llm_calls() -> bool:
    """Whether `init` loads the instrumentations of LLM clients."""
    return _switch(current.instrument_llm_calls, "INSTRUMENT_LLM_CALLS") is not False


def keeps_from_frameworks() -> bool:
    """Whether no framework may end a session."""
    return bool(_switch(current.skip_auto_end_session, "SKIP_AUTO_END_SESSION"))


def _switch(said: bool | None, name: str) -> bool | None:
    """What the program says, else the environment; None where neither does."""
    if said is not None:
        return bool(said)
    word = config.of_agentops(name)
    return None if word is None else word.lower() in ("true", "1", "t", "yes")


def _tags_of_environment() -> tuple[str, ...]:
    return tuple(word.strip() for word in (config.of_agentops("DEFAULT_TAGS") or "").split(",") if word.strip())


def _is_notebook() -> bool:
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)
    return type(get_ipython()).__name__ == "ZMQInteractiveShell"
