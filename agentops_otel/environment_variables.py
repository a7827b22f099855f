"""The environment variables this package reads, beside the standard ``OTEL_*`` ones.

Each can also be given to ``opentelemetry-instrument`` as an option, for example ``--agentops_signals false``.
"""

OTEL_PYTHON_AGENTOPS_SIGNALS = "OTEL_PYTHON_AGENTOPS_SIGNALS"
"""
.. envvar:: OTEL_PYTHON_AGENTOPS_SIGNALS

``true`` (default) or ``false``: whether sessions are ended and flushed when the process gets a SIGTERM or SIGHUP
that nothing else handles. The process dies by the same signal either way.
"""

OTEL_PYTHON_AGENTOPS_EXIT_TIMEOUT = "OTEL_PYTHON_AGENTOPS_EXIT_TIMEOUT"
"""
.. envvar:: OTEL_PYTHON_AGENTOPS_EXIT_TIMEOUT

Seconds, default 5: how long the end of the process may wait for what has not been exported yet.
"""

OTEL_PYTHON_AGENTOPS_PROPAGATION = "OTEL_PYTHON_AGENTOPS_PROPAGATION"
"""
.. envvar:: OTEL_PYTHON_AGENTOPS_PROPAGATION

``true`` (default) or ``false``: whether a session goes along by itself into threads, executors, ``multiprocessing``,
subprocesses, Celery tasks and requests.
"""

OTEL_PYTHON_AGENTOPS_JOURNAL = "OTEL_PYTHON_AGENTOPS_JOURNAL"
"""
.. envvar:: OTEL_PYTHON_AGENTOPS_JOURNAL

``off``, ``on`` (default) or a directory: whether, and where, spans of sessions are kept on disk until they are
delivered, so that those of a process that is killed, or whose collector is away, arrive later. Default: the user's
state directory.
"""

OTEL_PYTHON_AGENTOPS_ADOPT = "OTEL_PYTHON_AGENTOPS_ADOPT"
"""
.. envvar:: OTEL_PYTHON_AGENTOPS_ADOPT

``on`` (default), ``off``, or operations separated by commas: whether the outermost span that an instrumentation opens
for a run of an agent, in no session, becomes a session itself. It is one if its ``gen_ai.operation.name`` is
``invoke_agent``, ``invoke_workflow`` or one of those that are named here.
"""

OTEL_PYTHON_AGENTOPS_COMPAT = "OTEL_PYTHON_AGENTOPS_COMPAT"
"""
.. envvar:: OTEL_PYTHON_AGENTOPS_COMPAT

``1`` or ``true``: serve ``import agentops`` to a program that was written for the AgentOps SDK and cannot be changed,
as ``agentops_otel.compat.install()`` does. Default: ``false``.
"""

OTEL_PYTHON_AGENTOPS_SPAN_NAMES = "OTEL_PYTHON_AGENTOPS_SPAN_NAMES"
"""
.. envvar:: OTEL_PYTHON_AGENTOPS_SPAN_NAMES

``standard`` (default) or ``agentops``: whether the spans of such a program, and of one that uses
``agentops_otel.compat``, are named by the GenAI conventions or as the AgentOps SDK named them.
"""

OTEL_PYTHON_AGENTOPS_SESSIONS = "OTEL_PYTHON_AGENTOPS_SESSIONS"
"""
.. envvar:: OTEL_PYTHON_AGENTOPS_SESSIONS

Functions each of whose calls is a session, separated by commas, for example
``my_app.jobs:run, my_app.bot:Bot.answer``: functions, coroutines, generators, methods. As if ``@session`` stood
directly above their ``def``, so also where another decorator makes them a web handler or a task. The file that is run
as the program has to be run as a module for that: ``python -m my_app``, not ``python my_app.py``.
"""

OTEL_PYTHON_AGENTOPS_OPENAI_EXPORT = "OTEL_PYTHON_AGENTOPS_OPENAI_EXPORT"
"""
.. envvar:: OTEL_PYTHON_AGENTOPS_OPENAI_EXPORT

``true`` or ``false`` (default): whether the OpenAI Agents SDK sends its traces to OpenAI as well, as it does by itself.
"""

OTEL_PYTHON_AGENTOPS_STORE = "OTEL_PYTHON_AGENTOPS_STORE"
"""
.. envvar:: OTEL_PYTHON_AGENTOPS_STORE

Directory in which ``agentops-otel run`` keeps sessions when no OTLP endpoint is set. Default: the user's state
directory.
"""

OTEL_PYTHON_AGENTOPS_RUN_ID = "OTEL_PYTHON_AGENTOPS_RUN_ID"
"""
.. envvar:: OTEL_PYTHON_AGENTOPS_RUN_ID

Set by ``agentops-otel run`` for the program it starts: tells its files in the store, and its journals, from others.
"""
