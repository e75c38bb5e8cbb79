"""Birth: from a zygote's fork to a process that is an agent's, and the runtime's own child.

The zygote forks twice: the one in the middle tells the runtime both numbers, waits until the child
is known there, and ends; the child then falls to the runtime, a subreaper, so that it is waited for
and killed like any other, and the zygote's end is none of its business. Only then does the child
learn what it is to be: at once, or, where it was forked ahead, when it is wanted. This module
refuses to know what agents run.
"""

from __future__ import annotations

import ctypes
import gc
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Final, NamedTuple, NoReturn

from ..stdio import Pipes, claim
from .fitness import unfitness
from .guise import Guise

__all__ = ["Newborn", "bear", "become"]

MESSAGE_BYTES: Final = 16
"""A request is one byte, and descriptors."""
DESCRIPTORS: Final = 4
"""stdin, stdout, stderr, and the cord: a stream between the runtime and this birth."""
CUT: Final = b"c"
"""From the runtime, on the cord: the child is known, the one in the middle may end."""
AHEAD: Final = b"a"
"""The same of one that is forked ahead: it is told later what to be, and nobody waits for it."""
CALM_S: Final = 0.05
"""Seconds after which one that was told nothing begins to rehearse; agents that start one after the
other do so every ten milliseconds or so."""
TITLE: Final = b"synapse newborn"
"""What lists of processes show of one that has yet to be told what it is to be."""
COME_TIMEOUT_S: Final = 10
"""Seconds between a child's fork and the end of the one in the middle, which takes milliseconds;
the runtime gives up sooner."""

_PR_SET_PDEATHSIG: Final = 1
_COME: Final = signal.SIGURG
"""Tells the child that the one in the middle has ended. By default it is ignored, so that one that
comes late does no harm."""

_prctl: Final = ctypes.CDLL(None, use_errno=True).prctl


class Newborn(NamedTuple):
    """A process that has been forked and does not know yet what it is to be."""

    runtime: int
    middle: int
    stdin: int
    stdout: int
    stderr: int
    cord: int


def bear(own: socket.socket, runtime: int) -> Newborn | None:
    """Fork for each request. Returns in the forked processes alone; None when there are no more."""
    while True:
        message, descriptors, _flags, _address = socket.recv_fds(
            own, MESSAGE_BYTES, DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
        )
        if not message:
            return None
        try:
            newborn = _fork_for(descriptors, own.fileno(), runtime)
            if newborn is not None:
                return newborn
        except OSError as error:
            _answer(descriptors[-1], str(error))
        for descriptor in descriptors:
            os.close(descriptor)


def _fork_for(descriptors: list[int], own: int, runtime: int) -> Newborn | None:
    """Fork twice; returns in the zygote, with None, and in the child."""
    stdin, stdout, stderr, cord = descriptors
    unfit = unfitness(own, cord)
    if unfit is not None:
        _answer(cord, unfit)
        return None
    if os.fork() != 0:
        return None
    # An ignored SIGCHLD would free the child's number while the runtime has yet to note it.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    middle = os.getpid()
    try:
        child = os.fork()
    except OSError as error:
        _answer(cord, str(error))
        os._exit(1)
    if child != 0:
        _hold(child, cord)
    return Newborn(runtime, middle, stdin, stdout, stderr, cord)


def _answer(cord: int, why: str) -> None:
    try:
        os.write(cord, f"{why}\n".encode())
    except OSError:  # the runtime has given up
        return


def _hold(child: int, cord: int) -> NoReturn:
    """In the middle: let the child come when the runtime knows it, or not at all.

    Only looks at the cord, which the child alone reads: so the child understands what comes on it
    also where this process is killed with its zygote.
    """
    known = False
    try:
        os.setpgid(child, child)
        os.write(cord, f"{os.getpid()} {child}\n".encode())
        known = socket.socket(fileno=cord).recv(1, socket.MSG_PEEK) in (CUT, AHEAD)
    finally:
        if not known:
            os.kill(child, signal.SIGKILL)
        os._exit(0)


def become(newborn: Newborn, guise: Guise, rehearse: Callable[[], None]) -> Pipes:
    """In the child: wait to be the runtime's, then be what it says. The pipes of the worker."""
    guise.entitle(TITLE)
    _come(newborn)
    if _read_cut(newborn.cord) == AHEAD and _has_time(newborn.cord):
        rehearse()
        gc.collect()
    folder, title, *variables = _read_fields(newborn.cord)
    for number, descriptor in enumerate(newborn[2:5]):
        os.dup2(descriptor, number)
    for descriptor in newborn[2:]:
        os.close(descriptor)
    _set_environment(variables)
    guise.put_on(title, variables)
    try:
        os.chdir(folder)
    except OSError as error:
        sys.exit(f"cannot start in {os.fsdecode(folder)}: {error.strerror}")
    _scatter()
    gc.enable()
    return claim()


def _come(newborn: Newborn) -> None:
    """Wait until the runtime is the parent, and be killed by the kernel when it ends."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {_COME})
    _on_parents_death(_COME)
    if os.getppid() == newborn.middle:
        signal.sigtimedwait({_COME}, COME_TIMEOUT_S)
    _on_parents_death(signal.SIGKILL)
    if os.getppid() != newborn.runtime:
        os._exit(1)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {_COME})


def _on_parents_death(number: int) -> None:
    if _prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(number)) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")


def _read_cut(cord: int) -> bytes:
    cut = _read(cord, 1)
    if cut not in (CUT, AHEAD):
        os._exit(1)
    return cut


def _has_time(cord: int) -> bool:
    """Whether nobody wants it at once: where many start, a rehearsal would only take their time."""
    return not select.select([cord], [], [], CALM_S)[0]


def _read_fields(cord: int) -> list[bytes]:
    """What the runtime says behind the cut: folder, title, variables."""
    length = int.from_bytes(_read(cord, 4), "big")
    return _read(cord, length).split(b"\0")[:-1]


def _read(cord: int, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        piece = os.read(cord, length - len(data))
        if not piece:  # the runtime has given up
            os._exit(0)
        data += piece
    return bytes(data)


def _set_environment(variables: list[bytes]) -> None:
    """The agent's and nothing else, for Python and for C."""
    os.environb.clear()
    for variable in variables:
        name, _, value = variable.partition(b"=")
        os.environb[name] = value
    time.tzset()


def _scatter() -> None:
    """Let chance differ from process to process; `random` and OpenSSL see to that themselves."""
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
