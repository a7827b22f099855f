"""ACROSS: how a session goes along into threads, pools, processes and services.

==================================================  ==============
where work goes                                     module
==================================================  ==============
threads, timers, ``ThreadPoolExecutor``             `threads`
``multiprocessing.Process``                         `processes`
``multiprocessing.Pool``, ``ProcessPoolExecutor``   `pools`
programs that are started                           `subprocesses`
requests of instrumented clients                    `requests`
Celery tasks                                        `celery_tasks`
==================================================  ==============

Each is a `way.Way`: ``install()``, which may be called again, wraps functions, in modules that may be imported later
(`imports`), and ``uninstall()`` gives the originals back. Where no session is current a call goes through untouched.

Tasks, callbacks of event loops and `asyncio.to_thread` need nothing: OpenTelemetry's context is a context variable,
and they copy it.
"""
