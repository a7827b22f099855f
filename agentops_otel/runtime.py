"""The composition root: builds the parts, joins them, and holds the only process-wide state."""

from __future__ import annotations

import dataclasses
import functools
import logging
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from contextvars import Token
from time import monotonic
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.util.types import AttributeValue

from . import config
from . import environment_variables as env
from .across.celery_tasks import CeleryTasks
from .across.pools import Pools
from .across.processes import Processes
from .across.requests import Requests
from .across.subprocesses import Subprocesses
from .across.threads import Threads
from .across.way import Way
from .exits.at_exit import AtExit
from .exits.celery_child import CeleryChild
from .exits.excepthook import ExceptHook
from .exits.fork import Fork
from .exits.multiprocessing_child import MultiprocessingChild
from .exits.signals import Signals
from .providers import Providers
from .sessions import ids, scores
from .sessions import record as records
from .sessions.context import restore
from .sessions.handle import Session
from .sessions.joining import Joining
from .sessions.other_signals import OtherSignals
from .sessions.registry import Registry
from .sessions.source import Source
from .sessions.starting import Plan, start
from .sessions.state import PROVIDER_SHUTDOWN, Ending, EndReason, EndState
from .sessions.worker import Worker
from .shield import Shield

if TYPE_CHECKING:
    from .journal.afterlife import Afterlife
    from .sessions.processor import TrackingProcessor

_logger = logging.getLogger("agentops_otel")
_FLUSHING = Shield("flushing")
_FORKING = Shield("cleaning up in a forked child")
_KEEPING = Shield("setting the journal up")

_LOGS, _METRICS = "opentelemetry.sdk._logs", "opentelemetry.sdk.metrics"
KEEPING = frozenset({"journal", "journal_directory"})
"""The settings of the journal."""

_MOMENT = 0.5
"""Seconds that ending sessions may take at the least, if the user does not want to wait for exports at all."""


class Runtime:
    """Everything of this package that lives in one process."""

    def __init__(self, settings: config.Config) -> None:
        self.settings = settings
        self.worker = Worker()
        self.registry = Registry(self.worker)
        self._others = OtherSignals(self.registry)
        self._afterlife: Afterlife | None = None
        self.setting_up = threading.RLock()
        """Held while something is set up that a process has once, by whichever thread is first."""
        self._is_setting_up = False
        self._is_child = False
        """Whether this process was forked from one that had this package, too."""
        self._is_armed = False
        self.registry.flush = self.flush
        self.registry.end_bounded = self._end_everything
        self.registry.tracer = self.tracer
        self.registry.adopting = self._adopting
        self.registry.runs = settings.adopted
        self.start_block = functools.partial(self.start, of_block=True)
        """Starts a session whose handle a block holds."""
        self._provider: trace.TracerProvider | None = None
        """The provider the user chose; None: the global one."""
        self._sources = Providers(self.registry, new_processor, self._provider_shuts_down)
        self._latest: tuple[trace.TracerProvider | None, Source | None] = (None, None)
        self._excepthook = ExceptHook()
        self._at_exit = AtExit(self._process_exits)
        self._multiprocessing = MultiprocessingChild(self._process_exits)
        self._celery_child = CeleryChild(self._process_exits)
        self._signals = Signals(self._signal_kills)
        self._across: tuple[Way, ...] = (
            Threads(self.registry),
            Processes(self.registry, self.join),
            Pools(self.registry, run_joined),
            Subprocesses(self.registry, self.join),
            Requests(self.registry),
            CeleryTasks(self.registry, self.join),
        )
        Fork(self._in_child_after_fork)

    def set(self, **settings: Any) -> None:
        """Changes the settings that are named."""
        self.settings = dataclasses.replace(self.settings, **settings)
        self.registry.runs = self.settings.adopted
        if not self.settings.signals:
            self._signals.disarm()
        if not self.settings.propagation:
            self._stay_here()
        if not KEEPING.isdisjoint(settings):
            self._let_go()
        self._is_armed = False

    # -- sessions --

    def start(self, plan: Plan, *, of_block: bool = False) -> tuple[Session, Token[Context] | None]:
        provider = self._provider or trace.get_tracer_provider()
        source = self._latest[1] if provider is self._latest[0] else self._source_of(provider)
        if source is not None and (not self._is_armed or _LOGS in sys.modules or _METRICS in sys.modules):
            self._arm()
        return start(self.registry, source, plan, of_block=of_block)

    def _adopting(self) -> Source | None:
        """Some instrumentation starts a session, maybe with another provider than the one whose source is returned."""
        if not self._is_armed or _LOGS in sys.modules or _METRICS in sys.modules:
            self._arm()
        return self._source_of(self.provider())

    def join(self, carrier: Mapping[str, str]) -> Joining:
        """What lets work here belong to a session of another process."""
        source = self._source_of(self.provider())
        if source is not None:
            source.attach()
            self._arm()
        return Joining(self.registry, carrier)

    def record_score(self, session_id: str, score: dict[str, AttributeValue]) -> None:
        """Records a score of a session by its id, which may be over, or have been in another process."""
        known = self.registry.known(session_id)
        record = self.registry.of_span(*known.span_context[:2])
        scores.write(known, None if record is None else record.span, self.tracer(), score)

    def current(self) -> Session | None:
        record = self.registry.current()
        if record is None or not (record.is_open or not record.is_owned):
            return None
        return self.registry.handle_of(record)

    def open_sessions(self) -> list[Session]:
        handles = (self.registry.handle_of(record) for record in self.registry.open_records())
        return [handle for handle in handles if handle is not None]

    def end_all(self, ending: Ending) -> int:
        current = trace.get_current_span()
        if isinstance(current, records.Record):
            restore(current)
        return self.registry.end_all(ending)

    def flush(self, timeout: float) -> bool:
        """Waits until what has ended so far is exported, at most ``timeout`` seconds; false if it was not."""
        deadline = monotonic() + timeout
        self.registry.attend()
        self.worker.settle(timeout)
        done: list[bool] = []
        in_time = self.worker.run_within(max(0.0, deadline - monotonic()), lambda: done.append(self._export(deadline)))
        return in_time and done == [True]

    def tracer(self) -> trace.Tracer | None:
        """Starts spans with the provider of the sessions; None where no SDK is set up."""
        provider = self._provider or trace.get_tracer_provider()
        source = self._latest[1] if provider is self._latest[0] else self._source_of(provider)
        return None if source is None else source.tracer

    # -- providers --

    def provider(self) -> trace.TracerProvider:
        """The provider that sessions are started with."""
        return self._provider or trace.get_tracer_provider()

    def use(self, provider: trace.TracerProvider) -> None:
        """Starts sessions with this provider from now on."""
        self.install(provider)
        self._provider = provider

    def install(self, provider: trace.TracerProvider) -> Source:
        """Puts the session span processor on a provider; once per provider, whoever calls it."""
        source = self._meet(provider)
        source.attach()
        self._at_exit.arm()  # before what others have registered since they have set the provider up
        self._arm()
        return source

    def release(self) -> None:
        """Gives every hook back; what is open stays open. The next session, or `install`, takes them again."""
        self._stay_here()
        self._let_go()
        self._signals.disarm()
        self._excepthook.uninstall()
        if not self.registry.open_count():  # those that are open still have to be ended
            self._at_exit.disarm()
        self._celery_child.disarm()
        self._sources.release()
        self._latest = (None, None)
        self._others.forget()
        self._is_armed = False

    def keep(self, providers: Collection[trace.TracerProvider]) -> None:
        """Forgets all other providers than these; where none is left, gives every hook back."""
        self._latest = (None, None)
        if not self._sources.keep(providers):
            self.release()

    def processor_added(self, processor: TrackingProcessor) -> None:
        """Somebody makes a session span processor, so there is a provider whose exit comes after ours."""
        self._sources.processor_added(processor)
        self._at_exit.arm()
        self._arm()

    def processor_gone(self, processor: TrackingProcessor) -> None:
        """A session span processor was shut down."""
        self._sources.processor_gone(processor)

    def _source_of(self, provider: trace.TracerProvider) -> Source | None:
        source = self._sources.get(provider)
        if source is None and is_sdk(provider):
            source = self._meet(provider)
        self._latest = (provider, source)
        return source

    def _meet(self, provider: trace.TracerProvider) -> Source:
        source = self._sources.get(provider)
        if source is None:
            source = self._sources.meet(provider)
            self._at_exit.arm()  # before the provider's own exit callback
        return source

    def _arm(self) -> None:
        if self._others.look():
            self._at_exit.arm()  # before their exit callbacks, too
        self._keep()
        if not self._is_armed:
            self._excepthook.install()
            self._multiprocessing.arm()
            self._celery_child.arm()
            # Signals wait for the first session that is started in the main thread.
            self._is_armed = not self.settings.signals or self._signals.arm()
            if self.settings.propagation:
                for way in self._across:
                    way.install()

    def _keep(self) -> None:
        """Has spans kept until they are delivered."""
        if self._afterlife is not None:
            return
        with self.setting_up, _KEEPING:
            # Again: another thread may have done it, or be this one, interrupted while it does.
            if self._afterlife is None and not self._is_setting_up:
                self._is_setting_up = True
                try:
                    # Imported here: whoever has no provider needs none of it.
                    from .journal.afterlife import Afterlife

                    self._afterlife = Afterlife(
                        self.registry,
                        self.settings,
                        lambda: [*self._sources, self.provider()],
                        is_child=self._is_child,
                    )
                finally:
                    self._is_setting_up = False

    def _let_go(self) -> None:
        afterlife, self._afterlife = self._afterlife, None
        if afterlife is not None:
            afterlife.release()

    def _stay_here(self) -> None:
        for way in self._across:
            way.uninstall()

    # -- ends --

    def _process_exits(self) -> None:
        # What the main thread had left to do when the signal came is done; the signal must not be forgotten.
        self._signals.die_of_pending(3 * self.settings.exit_timeout + _MOMENT)
        deadline = monotonic() + self.settings.exit_timeout
        ended = self._end_everything(self._excepthook.ending())
        flushed = self.worker.run_within(max(0.0, deadline - monotonic()), lambda: self._export(deadline))
        self._close(deadline)
        if not (ended and flushed):
            _logger.warning(
                "the program ends, but exporting its last spans took longer than %s s (%s)",
                self.settings.exit_timeout,
                env.OTEL_PYTHON_AGENTOPS_EXIT_TIMEOUT,
            )

    def _signal_kills(self, name: str) -> None:
        deadline = monotonic() + self.settings.exit_timeout
        self._end_everything(Ending(EndState.UNKNOWN, EndReason.SIGNAL, signal=name), settle=False)
        self.worker.run_within(max(0.0, deadline - monotonic()), lambda: self._export(deadline))
        self._close(deadline)

    def _close(self, deadline: float) -> None:
        self.registry.recent.settle(max(0.0, deadline - monotonic()))
        if self._afterlife is not None:
            self._afterlife.close(deadline)

    def _provider_shuts_down(self, source: Source) -> None:
        self._end_everything(PROVIDER_SHUTDOWN, source)

    def _end_everything(self, ending: Ending, source: object = None, *, settle: bool = True) -> bool:
        """Ends what is open, on another thread; false if that is stuck in somebody's span processor.

        Not stuck is what makes progress: 100,000 sessions may take their time.
        """

        def end() -> None:
            if settle:  # what was dropped before has its own reason
                self.registry.attend()
                self.worker.settle(self.settings.exit_timeout)
            self.registry.end_everything(ending, source)
            self.worker.settle(self.settings.exit_timeout)
            self.registry.wait_until_written(self.settings.exit_timeout)

        ended = self.registry.ended
        done = self.worker.run_elsewhere(end)
        while not done.wait(max(self.settings.exit_timeout, _MOMENT)):
            if self.registry.ended == ended:
                return False
            ended = self.registry.ended
        return True

    def _export(self, deadline: float) -> bool:
        """Has everything exported that has ended; also what could not be delivered before."""
        ended = self._force_flush(list(self._sources), deadline)
        kept = self._afterlife is None or self._afterlife.flush(deadline)
        # Logs and metrics last: they tell of the spans.
        return self._force_flush(self._others.providers(), deadline) and ended and kept

    def _force_flush(self, providers: Iterable[Any], deadline: float) -> bool:
        flushed = []
        for provider in providers:
            left = int((deadline - monotonic()) * 1000)
            done = False
            if left > 0:
                with _FLUSHING:
                    done = provider.force_flush(left) is not False
            flushed.append(done)
        return all(flushed)

    def _in_child_after_fork(self) -> None:
        with _FORKING:
            records.in_child_after_fork()
            ids.in_child_after_fork()
            self.worker.in_child_after_fork()
            self.registry.in_child_after_fork()
            self.setting_up = threading.RLock()
            self._is_setting_up = False
            self._is_child = True
            if self._afterlife is not None:
                self._afterlife.in_child_after_fork()
            self._others.in_child_after_fork()
            self._signals.in_child_after_fork()
            self._multiprocessing.in_child_after_fork()
            self._celery_child.arm()
            self._is_armed = False


def is_sdk(provider: object) -> bool:
    """Whether this is a provider that takes span processors, not the API's no-op or proxy."""
    return callable(getattr(provider, "add_span_processor", None))


def new_processor() -> TrackingProcessor:
    """Imported here: it needs the SDK, which is there if there is a provider to put it on."""
    from .processor import SessionSpanProcessor

    return SessionSpanProcessor()


def run_joined(carrier: Mapping[str, str], function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Calls a function in a session of another process; what a worker of a pool is told, pickled, by this name."""
    with runtime.join(carrier):
        return function(*args, **kwargs)


runtime = Runtime(config.Config.from_environment())
