"""DEATH: the hooks by which the end of a process, or of a provider, is noticed.

=====================================  =====================================================
what happens                           hook
=====================================  =====================================================
end of main, ``sys.exit``              `at_exit`
unhandled exception, Ctrl-C            `excepthook` remembers it, `at_exit` ends the sessions
SIGTERM, SIGHUP                        `signals`
``provider.shutdown()``                `provider_shutdown`
end of a ``multiprocessing`` child     `multiprocessing_child`
end of a child of a Celery worker      `celery_child`
``os.fork``                            `fork`
=====================================  =====================================================

What kills at once (SIGKILL, ``os._exit``, a crash) is noticed by nobody here: see `agentops_otel.journal`.

What leaves a block (an exception, SystemExit, KeyboardInterrupt, cancellation) ends its session right there, and
what is dropped ends by the leak guard: neither needs a hook.
"""
