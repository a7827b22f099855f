"""One child process: signals on the way in, its exit status on the way out.

The child shares our process group, terminal and standard streams, so it is started, stopped and continued as if it
had been started directly. A signal sent to us is passed on, a signal that the child got by itself is not:

* One that a process sent (`kill`, a service manager) was meant for us alone, and is passed on.
* One that the kernel sent came from the terminal (Ctrl-C, Ctrl-\\, a new window size) and went to the whole
  foreground group. The exception is the hang-up of a terminal whose controlling process we are: only that gets it.
* One that the child itself sent, to its group or to us, it needs no copy of.

A process that signals the whole group reaches the child twice: nothing tells its signal from one meant for us.
Stopping and continuing (SIGTSTP, SIGCONT) are left to job control.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NoReturn

_PASSED_ON = frozenset(
    {
        signal.SIGHUP,
        signal.SIGINT,
        signal.SIGQUIT,
        signal.SIGTERM,
        signal.SIGUSR1,
        signal.SIGUSR2,
        signal.SIGALRM,
        signal.SIGWINCH,
    }
)
_FROM_TERMINAL = frozenset({signal.SIGINT, signal.SIGQUIT, signal.SIGWINCH})


def supervise(
    argv: list[str], environment: Mapping[str, str], started: Callable[[int], object] = lambda pid: None
) -> int:
    """Runs a command to its end. Returns its exit status, or the number of the signal that killed it, negative.

    ``started(pid)`` is told which process it is. Raises OSError where the command cannot be started. This process must
    have no other threads.
    """
    # An inherited SIG_IGN would have the kernel throw the exit status away.
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Blocked before there is a child: a signal that comes while it starts waits until there is somebody to get it.
    waited_for = {*_PASSED_ON, signal.SIGCHLD}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, waited_for)
    try:
        # Unlike subprocess, posix_spawn gives the child our signal mask as it was, and every descriptor we inherited.
        # SIGPIPE and SIGXFSZ are those that Python ignores.
        child = os.posix_spawnp(argv[0], argv, environment, setsigmask=mask, setsigdef=[signal.SIGPIPE, signal.SIGXFSZ])
        started(child)
        while True:
            number, child_has_it = _next_signal(waited_for, child)
            if number == signal.SIGCHLD:
                pid, status = os.waitpid(child, os.WNOHANG)
                if pid:
                    return os.waitstatus_to_exitcode(status)
            elif not child_has_it:
                with suppress(PermissionError):  # The child may have become somebody else.
                    os.kill(child, number)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def end_like(returncode: int, *, at_once: bool = False) -> NoReturn:
    """Ends this process as the child ended: with its exit status, or by the signal that killed it.

    ``at_once``: without waiting for anything that still goes on.
    """
    if returncode < 0:
        number = -returncode
        # One core dump, the child's, is enough.
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        with suppress(OSError, ValueError):  # SIGKILL has no disposition to restore.
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
        # Still here: we are process 1 of a container, which such signals do not kill.
        returncode = 128 + number
    if at_once:
        os._exit(returncode)
    sys.exit(returncode)


def _next_signal(waited_for: set[signal.Signals], child: int) -> tuple[int, bool]:
    """Waits for a signal. Returns its number and whether the child got it too."""
    if sys.platform == "linux":
        info = signal.sigwaitinfo(waited_for)
        # Not by the pid: it is 0 for a sender outside of our container too.
        from_kernel = info.si_code > 0
        hang_up_of_ours = info.si_signo == signal.SIGHUP and os.getsid(0) == os.getpid()
        return info.si_signo, info.si_pid == child or (from_kernel and not hang_up_of_ours)
    # Other systems do not tell who sent it. In the foreground of a terminal the keyboard is the likeliest sender.
    number = signal.sigwait(waited_for)
    return number, number in _FROM_TERMINAL and _in_foreground()


def _in_foreground() -> bool:
    with suppress(OSError), open(os.ctermid()) as terminal:
        return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    return False
