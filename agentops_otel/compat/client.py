"""The client: `init`, `configure`, and the session of the whole process."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..runtime import runtime
from . import settings
from .events import record
from .legacy import Session, add_tags, end_session, set_tags, start_session
from .recording import record_action, record_function
from .traces import active, plan_of, start


class Client:
    """The one client of this process: `Client` always returns the same object. Thread-safe.

    With arguments it is initialized at once, as in releases before 0.4.
    """

    _one: Client | None = None

    def __new__(cls, *args: Any, **kwargs: Any) -> Client:
        with runtime.setting_up:
            if cls._one is None:
                cls._one = super().__new__(cls)
                cls._one.initialized = False
                cls._one._session = None
        return cls._one

    initialized: bool
    _session: Session | None
    """That of the whole process."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args or kwargs:
            self.init(**({"api_key": args[0]} if args else {}), **kwargs)

    @property
    def config(self) -> settings.Settings:
        """What was said to `init` and `configure`."""
        return settings.current

    def init(self, **kwargs: Any) -> Session | None:
        """As the function `init`."""
        settings.take(kwargs)
        settings.set_up()
        self.initialized = True
        if not settings.has_session_of_its_own():
            return None
        with runtime.setting_up:
            if self._session is None or not self._session.trace_context.session.is_open:
                plan = plan_of(settings.trace_name() or "default", None)
                self._session = Session(start(plan, is_init_trace=True))
            return self._session

    def initialize(self) -> Session | None:
        """As `init`, with what was said to `configure`."""
        return self.init()

    def configure(self, **kwargs: Any) -> None:
        """As the function `configure`."""
        settings.take(kwargs)

    @property
    def current_session_ids(self) -> list[str]:
        """The ids of the open sessions, oldest first."""
        return [context.session.id for context in active().values()]

    def get_current_jwt(self) -> str | None:
        """None: there is nobody to prove oneself to."""
        return None

    def record(self, event: Any) -> Any:
        return record(event)

    def start_session(self, tags: Any = None, **kwargs: Any) -> Session:
        return start_session(tags, **kwargs)

    def end_session(self, end_state: Any = "Success", *args: Any, **kwargs: Any) -> None:
        end_session(None, *args, end_state=end_state, **kwargs)

    add_tags = staticmethod(add_tags)
    set_tags = staticmethod(set_tags)
    record_action = staticmethod(record_action)
    record_function = staticmethod(record_function)


def get_client() -> Client:
    """The client of this process."""
    return Client()


def init(
    api_key: str | None = None,
    endpoint: str | None = None,
    app_url: str | None = None,
    max_wait_time: int | None = None,
    max_queue_size: int | None = None,
    tags: Iterable[str] | None = None,
    default_tags: Iterable[str] | None = None,
    trace_name: str | None = None,
    instrument_llm_calls: bool | None = None,
    auto_start_session: bool | None = None,
    auto_init: bool | None = None,
    skip_auto_end_session: bool | None = None,
    env_data_opt_out: bool | None = None,
    log_level: str | int | None = None,
    fail_safe: bool | None = None,
    log_session_replay_url: bool | None = None,
    exporter_endpoint: str | None = None,
    **kwargs: Any,
) -> Session | None:
    """Sets sessions up as `agentops_otel.configure` does, and starts one for the whole process.

    May be called again: the session stays the same as long as it is open. The TracerProvider that is set is used;
    where there is none, one is built from the ``OTEL_*`` variables. Nothing is sent to AgentOps. What is not described
    here is accepted, and has no effect, which is said once on the log, at INFO.

    Args:
        default_tags: ``agentops.tags`` of every session; so are ``tags``.
        trace_name: the name of the session of the whole process (default "default").
        instrument_llm_calls: load the instrumentations of LLM clients that are installed (default True).
        auto_start_session: whether there is such a session (default True, but in a notebook False).
        skip_auto_end_session: let no framework end it.
        exporter_endpoint: where a TracerProvider that is built here sends OTLP, with or without ``/v1/traces``.
        span_names: ``"agentops"`` names spans as the AgentOps SDK did (default ``"standard"``, or
            ``OTEL_PYTHON_AGENTOPS_SPAN_NAMES``).

    Returns the session, if there is one; it goes on without anybody holding it.
    Raises TypeError or ValueError that names the argument.
    """
    given = {name: value for name, value in locals().items() if name != "kwargs"}
    return get_client().init(**given, **kwargs)


def configure(**kwargs: Any) -> None:
    """Changes what `init` was told, or will be. Arguments and errors are those of `init`."""
    get_client().configure(**kwargs)
