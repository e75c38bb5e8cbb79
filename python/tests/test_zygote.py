"""The real zygote in a real process, spoken to as the runtime does (`process/src/zygote.rs`)."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from synapse_agent.decoder import Decoder
from synapse_agent.direction import FROM_AGENT
from synapse_agent.frame import Ready, Result
from wire import DEADLINE_S, SOURCE, call, welcome

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="zygotes need Linux")

_PR_SET_CHILD_SUBREAPER = 36
WARM_UP_DEADLINE_S = 120.0


class Child(NamedTuple):
    """A process that fell to this one."""

    pid: int
    stdin: int
    stdout: int
    stderr: int

    def text(self) -> str:
        """All that it writes to stderr."""
        with os.fdopen(os.dup(self.stderr)) as stderr:
            return stderr.read()

    def status(self, name: str) -> str:
        """A line of its /proc/PID/status."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith(name))


class Zygote:
    """A zygote, and the runtime's end of its socket."""

    def __init__(self, request: str, folder: Path) -> None:
        """Start it; modules of `folder` may be preloaded."""
        self.socket, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(WARM_UP_DEADLINE_S)
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{SOURCE}:{folder}",
            "SYNAPSE_ROOM": "-" * 256,
        }
        command = [sys.executable, "-P", "-m", "synapse_agent.zygote"]
        self.process = subprocess.Popen(
            command,
            stdin=its.fileno(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        its.close()
        self.socket.send(request.encode())
        self.report = self.socket.recv(1 << 16).decode().splitlines()
        self.children: list[Child] = []

    def ask(self) -> tuple[Child, socket.socket, str]:
        """Ask for a child: its pipes, the cord, and what came back on it."""
        (stdin, ours_in), (ours_out, stdout), (ours_err, stderr) = os.pipe(), os.pipe(), os.pipe()
        cord, its = socket.socketpair()
        cord.settimeout(DEADLINE_S)
        socket.send_fds(self.socket, [b"b"], [stdin, stdout, stderr, its.fileno()])
        its.close()
        for number in (stdin, stdout, stderr):
            os.close(number)
        answer = cord.recv(1024).decode().strip()
        words = answer.split()
        pid = int(words[1]) if words[0].isdigit() and words[1].isdigit() else 0
        return Child(pid, ours_in, ours_out, ours_err), cord, answer

    def bear(self, folder: Path | str = "/", title: str = "synapse agent x", **env: str) -> Child:
        """Have a child, and tell it what to be."""
        child, cord, _ = self.ask()
        self.children.append(child)
        cord.sendall(b"c")
        tell(cord, folder, title, **env)
        return child

    def close(self) -> None:
        """End it and all that it bore."""
        for child in self.children:
            for descriptor in child[1:]:
                os.close(descriptor)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child.pid, 0)
        self.socket.close()
        assert self.process.wait(DEADLINE_S) == 0 or self.report[0] != "ready"
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


def tell(cord: socket.socket, folder: Path | str, title: str, **env: str) -> None:
    """Tell a child what to be, and have its word that it has heard."""
    fields = [str(folder), title, *(f"{name}={value}" for name, value in env.items())]
    told = b"".join(field.encode() + b"\0" for field in fields)
    cord.sendall(len(told).to_bytes(4, "big") + told)
    assert cord.recv(1) == b""
    cord.close()


Start = Callable[..., Zygote]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start zygotes; children fall to this process, as they do to the runtime."""
    zygotes: list[Zygote] = []
    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1))

    def begin(request: str = "plain") -> Zygote:
        zygotes.append(Zygote(request, tmp_path))
        return zygotes[-1]

    yield begin
    for zygote in zygotes:
        zygote.close()
    prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(0))


def eventually(what: str, holds: Callable[[], Any]) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.002)


def hello_of(child: Child) -> bytes:
    return os.read(child.stdout, 4096)


def ask(child: Child, entry: str) -> Any:
    """What a child answers that is an agent of this entry."""
    decoder = Decoder(FROM_AGENT)

    def expect(kind: type[Any]) -> Any:
        while True:
            for frame in decoder.feed(os.read(child.stdout, 4096)):
                if isinstance(frame, kind):
                    return frame

    os.write(child.stdin, welcome(entry))
    expect(Ready)
    os.write(child.stdin, call(1, "x"))
    return expect(Result).output


def test_a_child_falls_to_the_runtime_and_speaks(start: Start) -> None:
    zygote = start()
    assert zygote.report == ["ready"]
    child = zygote.bear()
    assert b"synapse-agent" in hello_of(child)
    assert int(child.status("PPid")) == os.getpid()
    assert os.getpgid(child.pid) == child.pid


def test_a_child_outlives_its_zygote(start: Start) -> None:
    zygote = start()
    child = zygote.bear()
    hello_of(child)
    zygote.process.kill()
    zygote.process.wait(DEADLINE_S)
    zygote.report = ["killed"]
    assert child.status("State")[0] in "SR"


def test_a_child_is_killed_by_the_kernel_when_its_parent_ends(start: Start) -> None:
    # Its parent is this process, so only what it asked of the kernel can be looked at.
    child = start().bear()
    hello_of(child)
    blocked = int(child.status("SigBlk"), 16)
    ignored = int(child.status("SigIgn"), 16)
    for number in (signal.SIGURG, signal.SIGCHLD):
        assert not (blocked | ignored) & (1 << (number - 1))


def test_without_the_cut_the_child_never_comes(start: Start) -> None:
    zygote = start()
    child, cord, _ = zygote.ask()
    cord.close()
    # What is left of it falls to this process, as to any subreaper.
    eventually("the child's end", lambda: "Z" in child.status("State"))
    eventually("it to fall to us", lambda: child.status("PPid") == str(os.getpid()))
    assert os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1]) == -signal.SIGKILL
    assert hello_of(zygote.bear())


def test_a_child_comes_though_the_one_in_the_middle_is_killed_with_its_zygote(start: Start) -> None:
    zygote = start()
    child, cord, answer = zygote.ask()
    zygote.children.append(child)
    os.kill(int(answer.split()[0]), signal.SIGKILL)
    eventually("it to fall to us", lambda: child.status("PPid") == str(os.getpid()))
    cord.sendall(b"c\0\0\0\4/\0x\0")
    cord.close()
    assert b"synapse-agent" in hello_of(child)


def test_a_child_that_is_told_nothing_ends(start: Start) -> None:
    zygote = start()
    child, cord, _ = zygote.ask()
    zygote.children.append(child)
    cord.sendall(b"c\0\0\0\5/")
    cord.close()
    assert hello_of(child) == b""


def test_a_child_has_nothing_open_but_its_pipes(start: Start) -> None:
    zygote = start()
    for _ in range(3):
        child = zygote.bear()
        hello_of(child)
        folder = Path(f"/proc/{child.pid}/fd")
        kinds = sorted(os.readlink(one).partition(":")[0] for one in folder.iterdir())
        # fds 0 to 2, the file for its stacks, the worker's two, and the sentinel's own two.
        own = ["/dev/null", "/memfd"]
        assert kinds in ([*own, *["pipe"] * 4], [*own, *["pipe"] * 6])


def test_a_child_shows_its_title_and_whose_it_is_and_no_secret(start: Start) -> None:
    path = os.environ["PATH"]
    env = {"PATH": path, "SECRET": "s3cret", "SYNAPSE_AGENT": "x", "SYNAPSE_TAG": "the-tag"}
    child = start().bear(**env)
    hello_of(child)
    shown = Path(f"/proc/{child.pid}/cmdline").read_bytes().rstrip(b"\0")
    assert shown == b"synapse agent x"
    environment = Path(f"/proc/{child.pid}/environ").read_bytes().rstrip(b"\0").split(b"\0")
    assert environment == [b"SYNAPSE_TAG=the-tag", b"SYNAPSE_AGENT=x", f"PATH={path}".encode()]


@pytest.mark.parametrize("sort", ["plain", "pydantic_ai"])
def test_one_that_is_forked_ahead_waits_and_is_then_as_any_other(start: Start, sort: str) -> None:
    zygote = start(sort)
    child, cord, _ = zygote.ask()
    zygote.children.append(child)
    cord.sendall(b"a")
    shown = Path(f"/proc/{child.pid}/cmdline")
    newborn = b"synapse newborn"
    eventually("its title", lambda: shown.read_bytes().rstrip(b"\0") == newborn)
    eventually("it to have rehearsed", lambda: "S" in child.status("State"))
    tell(cord, "/", "synapse agent x", SYNAPSE_TAG="the-tag")
    assert b"synapse-agent" in hello_of(child)
    assert shown.read_bytes().rstrip(b"\0") == b"synapse agent x"
    assert child.status("Threads") == "1"
    # Nothing of the rehearsal is left open: fds 0 to 2, the file for its stacks, the worker's two.
    assert len(list(Path(f"/proc/{child.pid}/fd").iterdir())) in (6, 8)


def test_a_missing_folder_is_told_on_stderr(start: Start) -> None:
    child = start().bear("/no/such/folder")
    assert child.text() == "cannot start in /no/such/folder: No such file or directory\n"


def test_what_a_preload_prints_is_printed_once(start: Start, tmp_path: Path) -> None:
    (tmp_path / "prints.py").write_text("print('from the preload')")
    zygote = start("plain\nprints")
    child = zygote.bear()
    hello_of(child)
    os.close(child.stdin)
    zygote.children[-1] = child._replace(stdin=os.open(os.devnull, os.O_RDONLY))
    assert child.text() == ""
    zygote.process.kill()
    assert zygote.process.stderr is not None
    assert zygote.process.stderr.read() == b"from the preload\n"
    zygote.report = ["killed"]


def test_openssl_draws_other_bytes_in_each_child(start: Start, tmp_path: Path) -> None:
    # It has drawn before the fork: its generator sees by itself that the process is another.
    code = "import ssl\nssl.RAND_bytes(8)\ndef draw(x):\n    return ssl.RAND_bytes(16).hex()\n"
    (tmp_path / "draws.py").write_text(code)
    zygote = start("plain\ndraws")
    path = f"{SOURCE}:{tmp_path}"
    drawn = {ask(zygote.bear(PYTHONPATH=path), "draws:draw") for _ in range(3)}
    assert len(drawn) == 3


def test_what_fails_to_be_preloaded_is_told_by_name(start: Start, tmp_path: Path) -> None:
    (tmp_path / "breaks.py").write_text("raise ValueError('two\\nlines')")
    zygote = start("plain\nnowhere\nbreaks\njson.tool")
    nowhere = "nowhere: ModuleNotFoundError: No module named 'nowhere'"
    assert zygote.report == ["ready", nowhere, "breaks: ValueError: two lines"]
    assert hello_of(zygote.bear())


THREAD = (
    "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()"
)
SOCKET = "import socket\nkept = socket.socket()"


@pytest.mark.parametrize(("code", "what"), [(THREAD, "2 threads run in it"), (SOCKET, "1 sockets")])
def test_threads_and_sockets_forbid_forks(
    start: Start, tmp_path: Path, code: str, what: str
) -> None:
    (tmp_path / "unfit.py").write_text(code)
    zygote = start("plain\nunfit")
    assert zygote.report[0].startswith(f"after preload of unfit, {what}"), zygote.report
    assert zygote.process.wait(DEADLINE_S) == 0


def test_a_thread_that_comes_later_is_noticed_before_the_next_fork(
    start: Start, tmp_path: Path
) -> None:
    # A signal handler stands for whatever may start one.
    (tmp_path / "later.py").write_text(
        "import signal, threading, time\n"
        "def begin(*_):\n"
        "    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
        "signal.signal(signal.SIGUSR1, begin)\n"
    )
    zygote = start("plain\nlater")
    hello_of(zygote.bear())
    zygote.process.send_signal(signal.SIGUSR1)
    tasks = Path(f"/proc/{zygote.process.pid}/task")
    eventually("the thread", lambda: len(list(tasks.iterdir())) == 2)
    _, cord, answer = zygote.ask()
    cord.close()
    assert answer.startswith("2 threads run in it")
    zygote.process.kill()
    zygote.process.wait(DEADLINE_S)
    zygote.report = ["killed"]


def test_it_leaves_no_zombies(start: Start) -> None:
    zygote = start()
    for _ in range(5):
        hello_of(zygote.bear())
    listed = Path(f"/proc/{zygote.process.pid}/task/{zygote.process.pid}/children")
    eventually("those in the middle to be gone", lambda: not listed.read_text())


def test_one_for_pydantic_ai_is_warm_and_fit(start: Start) -> None:
    zygote = start("pydantic_ai")
    assert zygote.report == ["ready"]
    assert hello_of(zygote.bear())
