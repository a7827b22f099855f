"""Functions that are named are sessions, without a change of their code."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import logging
import os
import pickle
import sys
import textwrap
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from opentelemetry.instrumentation.utils import suppress_instrumentation
from support.programs import run
from support.spans import Spans, attributes, ending

import agentops_otel as ao
from agentops_otel import semconv
from agentops_otel.config import Config
from agentops_otel.instrumentation import functions
from agentops_otel.runtime import runtime

COMPLETED = ("success", "completed", "UNSET")

KINDS = '''
    import contextlib, functools

    def function(a, b=2):
        """Adds."""
        return a + b

    async def coroutine():
        return 1

    def generator():
        got = yield 1
        yield got

    async def asynchronous():
        yield 1
        yield 2

    class Bot:
        def answer(self):
            return self.of_class(), self.of_nothing()

        @classmethod
        def of_class(cls):
            return cls.__name__

        @staticmethod
        def of_nothing():
            return 0

        @property
        def value(self):
            return 5

        class Tool:
            def run(self):
                return "ran"

    class Better(Bot):
        pass

    if True:
        try:
            def conditional():
                return "yes"
        finally:
            pass

    @functools.lru_cache
    def cached(n):
        return n

    assigned = functools.partial(function, 1)
    later = lambda: "later"
    bound = Better().of_class
'''


class Modules:
    """Modules of the user, made for one test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: list[str] = []

    def write(self, name: str, source: str) -> None:
        self.made.append(name)
        path = self.folder / Path(*name.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        importlib.invalidate_caches()

    def load(self, name: str, source: str) -> Any:
        self.write(name, source)
        return importlib.import_module(name)


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Modules]:
    monkeypatch.syspath_prepend(str(tmp_path))
    made = Modules(tmp_path)
    yield made
    for name in made.made:
        sys.modules.pop(name, None)


@pytest.fixture
def name_sessions(spans: Spans) -> Iterator[Callable[[str], None]]:
    """Names the functions that are sessions in this test."""

    def install(names: str) -> None:
        runtime.set(sessions=tuple(part.strip() for part in names.split(",")))
        functions.install()

    yield install
    functions.uninstall()
    runtime.set(sessions=())


@pytest.fixture(params=["before", "after"])
def kinds(request: pytest.FixtureRequest, modules: Modules, name_sessions: Callable[[str], None]) -> Any:
    """A module with a function of each kind, which are named before it is imported, or after."""
    names = "function coroutine generator asynchronous Bot.answer Bot.of_class Bot.of_nothing Bot.Tool.run conditional"
    named = ",".join(f"kinds:{name}" for name in [*names.split(), "assigned", "later", "bound", "Better.answer"])
    if request.param == "before":
        name_sessions(named)
        return modules.load("kinds", KINDS)
    module = modules.load("kinds", KINDS)
    name_sessions(named)
    return module


def sessions(spans: Spans) -> list[str]:
    return [span.name.removeprefix("session ") for span in spans.roots()]


async def _all(asynchronous: Any) -> list[Any]:
    return [item async for item in asynchronous]


@pytest.mark.parametrize(
    ("call", "result", "names"),
    [
        (lambda module: module.function(1), 3, ["function"]),
        (lambda module: asyncio.run(module.coroutine()), 1, ["coroutine"]),
        (lambda module: list(module.generator()), [1, None], ["generator"]),
        (lambda module: asyncio.run(_all(module.asynchronous())), [1, 2], ["asynchronous"]),
        (lambda module: module.Bot().answer(), ("Bot", 0), ["Bot.of_class", "Bot.of_nothing", "Bot.answer"]),
        (lambda module: module.Better.of_class(), "Better", ["Bot.of_class"]),
        (lambda module: module.Bot.Tool().run(), "ran", ["Bot.Tool.run"]),
        (lambda module: module.conditional(), "yes", ["conditional"]),
        (lambda module: module.assigned(), 3, ["function", "assigned"]),
        (lambda module: module.later(), "later", ["later"]),
    ],
)
def test_each_call_of_any_kind_of_function_is_a_session(
    kinds: Any, spans: Spans, call: Callable[[Any], object], result: object, names: list[str]
) -> None:
    outside = ["function", "assigned"]
    assert call(kinds) == result
    if names == outside and "function" not in sessions(spans):
        names = ["assigned"]  # the partial object has taken hold of the function before it was named
    assert sessions(spans) == names
    assert {ending(root) for root in spans.roots()} == {COMPLETED}


def test_a_method_that_is_inherited_is_a_session_where_it_was_named(
    modules: Modules, name_sessions: Callable[[str], None], spans: Spans
) -> None:
    name_sessions("heirs:Better.answer")
    module = modules.load("heirs", KINDS)
    assert module.Bot().answer() == ("Bot", 0)
    assert sessions(spans) == []
    assert module.Better().answer() == ("Better", 0)
    assert sessions(spans) == ["Better.answer"]
    functions.uninstall()
    assert "answer" not in vars(module.Better)


def test_what_decorators_have_made_of_a_function_calls_the_session(
    modules: Modules, name_sessions: Callable[[str], None], spans: Spans
) -> None:
    name_sessions("registered:handler, registered:cached, registered:Bot.value, registered:wrapped")
    module = modules.load(
        "registered",
        """
        import functools
        handlers = []

        @handlers.append
        def handler():
            return 1

        @functools.lru_cache
        def cached(n):
            return n

        class Bot:
            @property
            def value(self):
                return 5

        def without_wraps(function):
            return lambda: function() + 1

        @without_wraps
        def wrapped():
            return 1

        at_import = wrapped()
        """,
    )
    assert (module.handlers[0](), module.handler) == (1, None)
    assert (module.cached(3), module.cached(3), module.cached.cache_info().hits) == (3, 3, 1)
    assert (module.Bot().value, module.wrapped(), module.at_import) == (5, 2, 2)
    assert sessions(spans) == ["wrapped", "handler", "cached", "Bot.value", "wrapped"]


def test_a_named_function_stays_what_it_was(kinds: Any) -> None:
    assert (kinds.function.__name__, kinds.function.__qualname__, kinds.function.__module__) == (
        "function",
        "function",
        "kinds",
    )
    assert kinds.function.__doc__ == "Adds."
    assert str(inspect.signature(kinds.function)) == "(a, b=2)"
    assert inspect.iscoroutinefunction(kinds.coroutine)
    assert inspect.isgeneratorfunction(kinds.generator)
    assert inspect.isasyncgenfunction(kinds.asynchronous)
    assert pickle.loads(pickle.dumps(kinds.function)) is kinds.function
    assert inspect.getsource(kinds.function).startswith("def function")
    assert inspect.unwrap(kinds.function).__code__.co_firstlineno == 4


def test_a_session_says_where_its_function_stands(kinds: Any, spans: Spans) -> None:
    kinds.Bot.of_nothing()
    said = attributes(spans.root())
    assert said[semconv.CODE_FUNCTION_NAME] == "kinds.Bot.of_nothing"
    assert said[semconv.CODE_FILE_PATH] == kinds.__file__
    assert inspect.getsource(kinds).splitlines()[said[semconv.CODE_LINE_NUMBER] - 1].strip() == "@staticmethod"


def test_a_function_that_raises_fails_its_session(
    modules: Modules, name_sessions: Callable[[str], None], spans: Spans
) -> None:
    name_sessions("raising:fails")
    module = modules.load("raising", "def fails():\n    raise ValueError('boom')\n")
    with pytest.raises(ValueError, match="boom"):
        module.fails()
    assert ending(spans.root()) == ("error", "exception", "ERROR")


def test_a_named_function_in_a_session_is_one_of_its_own(kinds: Any, spans: Spans) -> None:
    with ao.session("outer") as outer:
        kinds.function(1)
    [inner] = [root for root in spans.roots() if root.name == "session function"]
    assert [link.context.trace_id for link in inner.links] == [int(outer.trace_id, 16)]


def test_a_named_function_is_none_while_instrumentation_is_suppressed(kinds: Any, spans: Spans) -> None:
    with suppress_instrumentation():
        assert kinds.function(1) == 3
    assert spans.all() == []


def test_uninstalled_gives_the_originals_back_and_installed_again_it_works(kinds: Any, spans: Spans) -> None:
    held, assigned = kinds.function, kinds.assigned
    functions.uninstall()
    assert not hasattr(kinds.function, "__wrapped__")
    for function in (kinds.function, kinds.Bot.answer, kinds.Bot.of_nothing, kinds.Bot.of_class.__func__):
        assert function.__code__.co_filename == kinds.__file__
    assert held(1) == kinds.function(1) == kinds.assigned() == assigned() == 3
    assert list(kinds.generator()) == [1, None]
    assert spans.all() == []
    functions.install()
    functions.install()
    assert kinds.function is held
    assert kinds.function(1) == 3
    assert kinds.Bot.of_nothing() == 0
    assert sessions(spans) == ["function", "Bot.of_nothing"]


def test_what_somebody_has_put_over_ours_stays(kinds: Any) -> None:
    kinds.function = over = lambda *args: kinds.later()
    functions.uninstall()
    assert kinds.function is over


def test_a_module_that_is_loaded_again_is_decorated_again(
    modules: Modules, name_sessions: Callable[[str], None], spans: Spans
) -> None:
    name_sessions("again:function")
    module = modules.load("again", "def function(): return 1\n")
    importlib.reload(module)
    assert module.function() == 1
    assert sessions(spans) == ["function"]


def test_a_module_without_source_has_its_functions_replaced(
    modules: Modules, name_sessions: Callable[[str], None], spans: Spans
) -> None:
    import py_compile

    modules.write("compiled", "def function(): return 1\n")
    source = modules.folder / "compiled.py"
    py_compile.compile(str(source), cfile=str(modules.folder / "compiled.pyc"))
    source.unlink()
    with zipfile.ZipFile(modules.folder / "packed.zip", "w") as packed:
        packed.writestr("packed.py", "def function(): return 2\n")
    modules.made.append("packed")
    sys.path.insert(0, str(modules.folder / "packed.zip"))
    importlib.invalidate_caches()
    name_sessions("compiled:function, packed:function, math:sqrt")
    try:
        assert importlib.import_module("compiled").function() == 1
        assert importlib.import_module("packed").function() == 2
        assert importlib.import_module("math").sqrt(4) == 2
    finally:
        sys.path.remove(str(modules.folder / "packed.zip"))
    assert sessions(spans) == ["function", "function", "sqrt"]


def test_other_hooks_of_imports_do_their_work_too(
    modules: Modules, name_sessions: Callable[[str], None], spans: Spans
) -> None:
    import wrapt

    seen: list[ModuleType] = []
    wrapt.register_post_import_hook(seen.append, "hooked_before")
    name_sessions("hooked_before:function, hooked_after:function")
    wrapt.register_post_import_hook(seen.append, "hooked_after")
    for name in ("hooked_before", "hooked_after"):
        module = modules.load(name, "def function(): return 1\nhandlers = [function]\n")
        assert module.handlers[0]() == 1
        assert module in seen
        assert type(module.__loader__).__module__ == "_frozen_importlib_external"
    assert sessions(spans) == ["function", "function"]


def test_the_environment_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_PYTHON_AGENTOPS_SESSIONS", " a.b:c , a:B.c,\n,a.b:c,")
    assert Config.from_environment().sessions == ("a.b:c", "a:B.c")
    monkeypatch.setenv("OTEL_PYTHON_AGENTOPS_SESSIONS", "")
    assert Config.from_environment().sessions == ()


class TestWrongNames:
    @pytest.fixture
    def warnings(self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
        caplog.set_level(logging.WARNING, "agentops_otel")
        monkeypatch.setattr(functions.functions, "_said", set())
        return lambda: [record.getMessage() for record in caplog.records]

    @pytest.mark.parametrize("name", ["module", "module:", ":name", "a.b:c:d", "a-b:c", "a:b()", "a..b:c", "a:1"])
    def test_that_are_no_names_are_said_at_the_start(
        self, name: str, name_sessions: Callable[[str], None], warnings: Callable[[], list[str]]
    ) -> None:
        name_sessions(name)
        [warning] = warnings()
        assert warning.startswith(f"OTEL_PYTHON_AGENTOPS_SESSIONS: {name} is not the name of a function")

    def test_of_modules_that_are_not_imported_are_no_mistake(
        self, name_sessions: Callable[[str], None], warnings: Callable[[], list[str]]
    ) -> None:
        name_sessions("never.imported:function")
        assert warnings() == []

    def test_that_a_module_does_not_have_are_said_once_when_it_is_imported(
        self, modules: Modules, name_sessions: Callable[[str], None], warnings: Callable[[], list[str]], spans: Spans
    ) -> None:
        name_sessions("wrong:nothing, wrong:Bot.nothing, wrong:Bot, wrong:model, wrong:right")
        assert warnings() == []
        source = "class Bot:\n    def __call__(self): return 1\nmodel = Bot()\ndef right(): return 1\n"
        module = modules.load("wrong", source)
        importlib.reload(module)
        assert sorted(warnings()) == [
            "OTEL_PYTHON_AGENTOPS_SESSIONS: wrong:Bot is not a function but a class",
            "OTEL_PYTHON_AGENTOPS_SESSIONS: wrong:Bot.nothing the module wrong has no Bot.nothing",
            "OTEL_PYTHON_AGENTOPS_SESSIONS: wrong:model is not a function but an object of the class Bot",
            "OTEL_PYTHON_AGENTOPS_SESSIONS: wrong:nothing the module wrong has no nothing",
        ]
        assert (module.model(), module.right()) == (1, 1)
        assert sessions(spans) == ["right"]

    def test_of_what_cannot_be_replaced_are_said(
        self, name_sessions: Callable[[str], None], warnings: Callable[[], list[str]]
    ) -> None:
        name_sessions("builtins:str.upper")
        [warning] = warnings()
        assert "builtins:str.upper" in warning
        assert "a".upper() == "A"

    def test_in_a_module_with_mistakes_change_no_exception(
        self, modules: Modules, name_sessions: Callable[[str], None]
    ) -> None:
        name_sessions("mistaken:function, failing:function")
        with pytest.raises(SyntaxError) as caught:
            modules.load("mistaken", "def function(:\n")
        assert caught.value.filename == str(modules.folder / "mistaken.py")
        with pytest.raises(ZeroDivisionError):
            modules.load("failing", "def function(): pass\n1 / 0\n")


PROGRAM = """
from opentelemetry import trace

def agent():
    print(getattr(trace.get_current_span(), "name", None))

if __name__ == "__main__":
    agent()
"""
PLAIN = {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}


class TestProgram:
    @pytest.fixture
    def start(self, tmp_path: Path) -> Callable[..., tuple[str, str]]:
        (tmp_path / "my_app.py").write_text(PROGRAM)

        def start(names: str, *words: str) -> tuple[str, str]:
            command: list[str | Path] = [
                Path(sys.executable).with_name("opentelemetry-instrument"),
                sys.executable,
                *words,
            ]
            env = PLAIN | {"OTEL_PYTHON_AGENTOPS_SESSIONS": names, "PYTHONSAFEPATH": ""}
            if (where := os.environ.get("AGENTOPS_TEST_PYTHONPATH")) is not None:
                env["PYTHONPATH"] = where
            outcome = run(command, env, cwd=tmp_path)
            assert outcome.returncode == 0, outcome
            return outcome.stdout.strip(), outcome.stderr

        return start

    def test_functions_of_a_module_that_is_run_are_sessions(self, start: Callable[..., tuple[str, str]]) -> None:
        assert start("my_app:agent", "-m", "my_app") == ("session agent", "")

    def test_functions_of_a_file_that_is_run_are_not_and_a_warning_says_what_to_do(
        self, start: Callable[..., tuple[str, str]]
    ) -> None:
        for name in ("my_app:agent", "__main__:agent"):
            printed, warning = start(name, "my_app.py")
            assert printed == "None"
            assert f"OTEL_PYTHON_AGENTOPS_SESSIONS: {name} is in the file that is run as the program" in warning
            assert "python -m my_app, and name it my_app:agent" in warning


@pytest.mark.filterwarnings("ignore:Using `httpx`")  # some releases of its test client want another one
def test_handlers_of_fastapi_are_sessions(modules: Modules, name_sessions: Callable[[str], None], spans: Spans) -> None:
    pytest.importorskip("fastapi")
    pytest.importorskip("httpx")
    testclient = importlib.import_module("fastapi.testclient")
    name_sessions("web:coroutine, web:function, web:depends")
    module = modules.load(
        "web",
        """
        from __future__ import annotations
        from typing import Annotated
        from fastapi import Depends, FastAPI
        from pydantic import BaseModel

        app = FastAPI()

        class Question(BaseModel):
            text: str

        def depends() -> int:
            return 1

        @app.post("/coroutine")
        async def coroutine(question: Question, number: Annotated[int, Depends(depends)]) -> str:
            return question.text * number

        @app.post("/function")
        def function(question: Question) -> str:
            return question.text
        """,
    )
    with testclient.TestClient(module.app) as client:
        for path in ("coroutine", "function"):
            assert client.post(f"/{path}", json={"text": "a"}).json() == "a"
            assert client.post(f"/{path}", json={}).status_code == 422
    assert sessions(spans) == ["depends", "coroutine", "depends", "function"]


def test_tasks_of_celery_are_sessions(modules: Modules, name_sessions: Callable[[str], None], spans: Spans) -> None:
    pytest.importorskip("celery")
    name_sessions("jobs:plain, jobs:bound")
    module = modules.load(
        "jobs",
        """
        from celery import Celery

        app = Celery("jobs")
        app.conf.task_always_eager = True

        @app.task
        def plain(a, b=2):
            return a + b

        @app.task(bind=True)
        def bound(self, a):
            return self.name, a
        """,
    )
    assert module.plain.delay(1).get() == 3
    assert module.plain(1, b=3) == 4
    assert module.bound.delay(1).get() == ("jobs.bound", 1)
    assert sessions(spans) == ["plain", "plain", "bound"]
