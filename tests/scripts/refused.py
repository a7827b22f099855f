"""Runs a program for which the kernel refuses a system call, as a file system may: SYSCALL ERRNO COMMAND...

By a filter that is inherited (seccomp(2)), so it needs no privileges. Exits with 77 where there are no such filters.
"""

import ctypes
import errno
import os
import platform
import struct
import sys

NUMBERS = {
    "x86_64": {"flock": 73, "fallocate": 285},
    "aarch64": {"flock": 32, "fallocate": 47},
}
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, REFUSE_WITH = 0x7FFF0000, 0x00050000


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def instruction(code: int, if_true: int, if_false: int, value: int) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)


name, reason, *command = sys.argv[1:]
number = NUMBERS.get(platform.machine(), {}).get(name)
if number is None or not sys.platform.startswith("linux"):
    sys.exit(77)
instructions = (
    instruction(LOAD_WORD, 0, 0, 0)  # the number of the system call
    + instruction(JUMP_IF_EQUAL, 0, 1, number)
    + instruction(RETURN, 0, 0, REFUSE_WITH | getattr(errno, reason))
    + instruction(RETURN, 0, 0, ALLOW)
)
libc = ctypes.CDLL(None)
filter_ = Program(len(instructions) // 8, instructions)
if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
    PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(filter_)
):
    sys.exit(77)
os.execvp(command[0], command)
