"""The callback handlers for LangChain: here they report nothing, and see to it that LangChain itself does.

LangChain is imported with this module, which is imported when somebody asks for one of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from langchain_core.callbacks.base import (  # type: ignore[import-not-found, unused-ignore]
    AsyncCallbackHandler,
    BaseCallbackHandler,
)

from . import llm_calls, settings
from .client import get_client
from .traces import session_here


class LangchainCallbackHandler(BaseCallbackHandler):  # type: ignore[misc, unused-ignore]
    """To be given to models, chains and agents, which changes nothing.

    Making one loads the official instrumentation of LangChain, and starts the session of the whole process where
    none is open. That is ended as any other: by `end_session`, or the end of the process.

    Args:
        api_key: accepted, and without effect, as whatever else the hosted product took.
        tags: of all sessions, or of the one that is open; so are ``default_tags``.
        auto_session: whether to start a session.
    """

    def __init__(
        self, api_key: str | None = None, tags: Iterable[str] | None = None, auto_session: bool = True, **kwargs: Any
    ) -> None:
        _begin(api_key, tags, auto_session, **kwargs)


class AsyncLangchainCallbackHandler(AsyncCallbackHandler):  # type: ignore[misc, unused-ignore]
    """As `LangchainCallbackHandler`, with the type that asynchronous programs expect."""

    def __init__(
        self, api_key: str | None = None, tags: Iterable[str] | None = None, auto_session: bool = True, **kwargs: Any
    ) -> None:
        _begin(api_key, tags, auto_session, **kwargs)


def _begin(
    api_key: str | None,
    tags: Iterable[str] | None,
    auto_session: bool,
    default_tags: Iterable[str] | None = None,
    **kwargs: Any,
) -> None:
    llm_calls.load("langchain")  # also where `init` was told to load none: a handler was what one took instead
    session = session_here()
    if session is not None:
        session.add_tags(*settings.tags_of("tags", tags or ()), *settings.tags_of("default_tags", default_tags or ()))
    elif auto_session or not get_client().initialized:
        get_client().init(
            api_key=api_key, tags=tags, default_tags=default_tags, auto_start_session=auto_session, **kwargs
        )
