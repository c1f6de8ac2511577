"""Carry one job: run its command, watch it, and leave its state in plain files beside it.

    python -I launcher.py FOLDER             run the job of FOLDER and stay until it has ended
    python -I launcher.py --detach FOLDER    the same in the background; returns once the job has started

The same script runs wherever a job does: here, on a host at the other end of a line, inside a model's container. So
it needs the standard library only and any Python from 3.8 on. ``-I`` keeps a job's own ``json.py`` from being
imported. What to do stands in ``FOLDER/job.json``::

    {
        "key": "b1/1/1",
        "argv": ["python", "make.py"],
        "env": {},
        "timeout": 0,
        "quiet": 0,
        "log": "log.txt",
        "watch": ["outputs"],
    }

It leaves in the folder:

``launch.lock``   who carries the job; whoever cannot create it starts nothing
``started.json``  pid, birth and boot of the launcher, the folder's inode, and the time
``alive``         touched every five seconds
``events.jsonl``  what happened, numbered from 1
``log.txt``       standard output and error of the command, as bytes
``exit.json``     ``{"code", "stopped", "oom", "ended"}``, the last thing it writes

and obeys ``stop``: a line that says why and, if wanted, a second one with the seconds between TERM and KILL. TERM to
the launcher itself asks for the same. When its folder is deleted it ends the command and itself within seconds. JSON files appear under their names only when whole.

A command that keeps its model loaded takes further work from ``spool/``, with :func:`spooled`; it finds this very
script in the job's folder and can import it.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

JOB = "job.json"
LOCK = "launch.lock"
STARTED = "started.json"
ALIVE = "alive"
EVENTS = "events.jsonl"
LOG = "log.txt"
EXIT = "exit.json"
STOP = "stop"
WORDS = "launcher.txt"
"""What the launcher itself had to say, when it was detached."""
PROGRAM = "launcher.py"
"""This script, as a session puts it into a job's folder."""
SPOOL = "spool"
"""Folder of what a resident command takes after its first work, a file each, whole when it has its name."""
SPOOL_END = "spool/end"
"""Says that nothing more will come."""
OURS = frozenset({JOB, LOCK, STARTED, ALIVE, EVENTS, LOG, EXIT, STOP, WORDS, PROGRAM})

TICK = 0.1
BEAT = 5.0
LOOK = 1.0
"""Seconds between two looks at whether the job's folder is still there."""
GRACE = 10.0
LINGER = 2.0
"""Seconds that what a command left running in its group has between TERM and KILL."""
PATIENCE = 30.0
"""Seconds that ``--detach`` waits for the job to start."""
NEVER_RAN = 128 + signal.SIGTERM
RESERVE = 512


def main(arguments: list[str]) -> int:
    """Carry the job of the folder that *arguments* names; 0 when that was done or somebody else does it."""
    detached = arguments[:1] == ["--detach"]
    if len(arguments) != 1 + detached:
        return _say(2, "usage: launcher.py [--detach] FOLDER")
    folder = Path(arguments[-1]).absolute()
    try:
        return detach(folder) if detached else launch(folder)
    except (OSError, ValueError, KeyError) as error:
        return _say(1, f"{folder}: {type(error).__name__}: {error}")


def spooled(folder: Path, idle: float) -> Iterator[Path]:
    """What comes into the spool of a job's *folder*, each file once, by name among those that are there together.

    Ends when nothing came for *idle* seconds, and at once when :data:`SPOOL_END` is there and nothing before it is left.
    """
    given = {Path(SPOOL_END).name}
    last = time.monotonic()
    while True:
        with contextlib.suppress(FileNotFoundError):
            found = sorted(path.name for path in (folder / SPOOL).iterdir())
            # Hidden ones are on their way.
            fresh = [name for name in found if name not in given and not name.startswith(".")]
            for name in fresh:
                given.add(name)
                yield folder / SPOOL / name
                last = time.monotonic()
            if not fresh and Path(SPOOL_END).name in found:
                return
        if time.monotonic() - last > idle:
            return
        time.sleep(TICK)


def source() -> bytes:
    """This script, for a transport that puts it where a job runs."""
    return Path(__file__).read_bytes()


def launch(folder: Path) -> int:
    """Run the job of *folder* to its end, unless it was started before."""
    job = json.loads((folder / JOB).read_text("utf-8"))
    if not job["argv"]:
        return _say(1, f"{folder / JOB} has an empty argv")
    me = dict(identity(os.getpid()), folder=folder.stat().st_ino)
    if not _lock(folder, me):
        return _say(0, "{} was started before".format(job["key"]))
    try:
        _reserve(folder / EXIT)
        place(folder / STARTED, dict(me, time=time.time()))
    except OSError:
        # Nothing ran yet, so the next launcher may try.
        (folder / LOCK).unlink()
        raise
    Launch(folder, job).run()
    return 0


def detach(folder: Path) -> int:
    """Start a launcher that outlives us and our terminal; 0 once the job has started."""
    with (folder / WORDS).open("ab") as words:
        begin = words.tell()
        launcher = subprocess.Popen(
            [sys.executable, "-I", "-S", os.path.abspath(__file__), str(folder)],  # noqa: PTH100
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
            cwd=str(folder),
            **DETACHED,
        )
    end = time.monotonic() + PATIENCE
    while not ((folder / STARTED).exists() or (folder / EXIT).exists()):
        if launcher.poll() or time.monotonic() > end:
            said = (folder / WORDS).read_bytes()[begin:].decode("utf-8", "replace").strip()
            return _say(1, said or f"the launcher did not start within {PATIENCE:.0f} s")
        time.sleep(0.005)
    return 0


def place(path: Path, content: Any) -> None:
    """Write *content* as JSON so that *path* holds all of it or does not exist."""
    part = path.with_name(path.name + ".part")
    # Not truncated on opening: blocks reserved for it stay ours when the disk is full.
    fd = os.open(str(part), os.O_WRONLY | os.O_CREAT, 0o644)
    with open(fd, "wb") as out:  # noqa: PTH123
        out.write((json.dumps(content) + "\n").encode())
        out.truncate()
        out.flush()
        os.fsync(out.fileno())
    for _ in range(50):
        try:
            return os.replace(str(part), str(path))  # noqa: PTH105
        except PermissionError:
            # Windows refuses while somebody reads the old file.
            time.sleep(0.02)
    return os.replace(str(part), str(path))  # noqa: PTH105


def identity(pid: int) -> dict[str, Any]:
    """What tells the process *pid* from a later one of the same number."""
    return {"pid": pid, "birth": birth(pid), "boot": boot()}


def alive(who: dict[str, Any]) -> bool:
    """Whether the very process that :func:`identity` described still runs."""
    born = birth(int(who["pid"]))
    return bool(born) and (born, boot()) == (who["birth"], who["boot"])


def carries(folder: Path, who: dict[str, Any]) -> bool:
    """Whether *who*, as a launcher wrote itself down in *folder*, still runs there. In a copy of the folder nobody does."""
    if not {"pid", "birth", "boot"} <= who.keys() or not alive(who):
        return False
    with contextlib.suppress(FileNotFoundError):
        here = folder.stat().st_ino
        return bool(who.get("folder", here) == here)
    return False


def boot() -> str:
    """The id of this boot of the machine; empty where there is none."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    return ""


if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    # A console of its own, unseen, so that CTRL_BREAK reaches the command and closing ours reaches nobody.
    DETACHED: dict[str, Any] = {
        "creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    }

    def birth(pid: int) -> str:
        """When the process *pid* was born, in the system's own units; empty when it is dead."""
        query_limited_information, still_active = 0x1000, 259
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.OpenProcess.restype = wintypes.HANDLE
        found = kernel.OpenProcess(query_limited_information, False, pid)
        if not found:
            return ""
        process = wintypes.HANDLE(found)
        try:
            code = wintypes.DWORD()
            born, *other = (wintypes.FILETIME() for _ in range(4))
            kernel.GetExitCodeProcess(process, ctypes.byref(code))
            kernel.GetProcessTimes(process, ctypes.byref(born), *map(ctypes.byref, other))
        finally:
            kernel.CloseHandle(process)
        return str(born.dwHighDateTime << 32 | born.dwLowDateTime) if code.value == still_active else ""

    def _grouped(_: Callable[[int], None]) -> dict[str, Any]:
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}

    def _group_lives(_: int) -> bool:
        return False

    def _end(child: subprocess.Popen[bytes], *, hard: bool) -> None:
        with contextlib.suppress(OSError):
            if hard:
                kill = ["taskkill", "/T", "/F", "/PID", str(child.pid)]
                subprocess.run(kill, stdin=subprocess.DEVNULL, capture_output=True, check=False)
                child.terminate()
            else:
                os.kill(child.pid, signal.CTRL_BREAK_EVENT)

    def _ready() -> None:
        pass

    def _bury(_: int) -> None:
        pass

    def _pauses() -> Callable[[subprocess.Popen[bytes]], None]:
        """How to wait a tick, or less when the command ends."""

        def pause(child: subprocess.Popen[bytes]) -> None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(TICK)

        return pause

    @contextlib.contextmanager
    def _guard() -> Iterator[Callable[[int], None]]:
        yield lambda _: None

else:
    DETACHED: dict[str, Any] = {"start_new_session": True}

    def birth(pid: int) -> str:
        """When the process *pid* was born, in the system's own units; empty when it is dead or a zombie."""
        if not os.path.exists("/proc/self/stat"):  # noqa: PTH110
            return _birth_ps(pid)
        try:
            # The second field is the command in parentheses, which may itself hold any character.
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        except OSError:
            return ""
        return "" if fields[0] in {b"Z", b"X"} else fields[19].decode()

    def _birth_ps(pid: int) -> str:
        done = subprocess.run(
            ["ps", "-o", "stat=,lstart=", "-p", str(pid)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"LC_ALL": "C", "PATH": "/bin:/usr/bin"},
            check=False,
        )
        stat, _, born = done.stdout.decode("ascii", "replace").strip().partition(" ")
        return "" if "Z" in stat else born.strip()

    def _grouped(tell: Callable[[int], None]) -> dict[str, Any]:
        # The command itself tells, before it is one: the guard knows it from its first moment. There are no threads.
        return {"start_new_session": True, "preexec_fn": lambda: tell(os.getpid())}

    def _group_lives(group: int) -> bool:
        _bury(0)
        try:
            os.killpg(group, 0)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def _end(child: subprocess.Popen[bytes], *, hard: bool) -> None:
        # macOS answers EPERM for a group of zombies.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL if hard else signal.SIGTERM)

    def _ready() -> None:
        """Survive our terminal, and inherit the command's orphans as the first process of a container does anyway.

        Some inits bury them late or never, and a group of zombies looks alive.
        """
        # A handler, unlike SIG_IGN, is not handed down to the command.
        signal.signal(signal.SIGHUP, lambda *_: None)
        # Only Linux has prctl.
        with contextlib.suppress(ImportError, OSError, AttributeError):
            import ctypes

            set_child_subreaper = 36
            ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)

    def _bury(child: int) -> None:
        """Wait for the orphans we inherited, but not for *child*, whose exit is another's to read."""
        if not hasattr(os, "waitid"):
            return
        with contextlib.suppress(ChildProcessError):
            while True:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                if found is None or found.si_pid == child:
                    return
                os.waitpid(found.si_pid, 0)

    def _pauses() -> Callable[[subprocess.Popen[bytes]], None]:
        """How to wait a tick, or less when the command ends or a signal arrives."""
        read, write = os.pipe()
        os.set_blocking(write, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)

        def pause(child: subprocess.Popen[bytes]) -> None:
            if child.poll() is None and select.select([read], [], [], TICK)[0]:
                os.read(read, 4096)

        return pause

    @contextlib.contextmanager
    def _guard() -> Iterator[Callable[[int], None]]:
        """Keep a process that kills the job's group should the launcher die without a word.

        Gives the function that tells it which group. It lives in a session of its own, out of reach of what ends ours.
        """
        read, write = os.pipe()
        pid = os.fork()
        if not pid:
            _stand_guard(read, write)
        os.close(read)
        try:
            yield lambda group: _tell(write, group)
        finally:
            _tell(write, 0)
            os.close(write)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)

    def _tell(pipe: int, group: int) -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(pipe, struct.pack("=q", group))

    def _stand_guard(read: int, write: int) -> None:
        try:
            os.setsid()
            os.close(write)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            group = 0
            while True:
                word = os.read(read, 8)
                if not word:
                    break
                (group,) = struct.unpack("=q", word)
            if group:
                os.killpg(group, signal.SIGKILL)
        finally:
            os._exit(0)


class Launch:
    """One job on the way from its command to its exit."""

    def __init__(self, folder: Path, job: dict[str, Any]) -> None:
        self.folder = folder
        self.job = job
        self.began = time.monotonic()
        self.signalled = False
        self.why = ""
        self.asked = self.kill_at = math.inf
        self.killed = False
        self.growth = Growth(folder, [LOG, job.get("log", LOG), *job.get("watch", [])])
        self.beaten = self.looked = -math.inf
        self.missing = 0
        self.events = 0

    def run(self) -> None:
        """Carry the command and write down how it ended."""
        for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self._signal)
        _ready()
        before = Kills.read()
        code = self._carry()
        oom = not self.why and Kills.read().blame(before, code)
        self._note("exited", code=code, stopped=self.why, oom=oom)
        self._place_exit({"code": code, "stopped": self.why, "oom": oom, "ended": time.time()})

    def _carry(self) -> int:
        if self._obey():
            return NEVER_RAN
        with _guard() as tell, (self.folder / LOG).open("ab", buffering=0) as log:
            try:
                child = subprocess.Popen(
                    self.job["argv"],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=str(self.folder),
                    env=dict(os.environ, **self.job.get("env", {})),
                    **_grouped(tell),
                )
            except (OSError, ValueError) as error:
                log.write(
                    "cannot run {!r}: {}\n".format(self.job["argv"][0], error).encode("utf-8", "replace")
                )
                return 126 if isinstance(error, PermissionError) else 127
            self._note("started", pid=child.pid)
            self._watch(child)
            self._clear(child)
        return 128 - child.returncode if child.returncode < 0 else child.returncode

    def _watch(self, child: subprocess.Popen[bytes]) -> None:
        pause = _pauses()
        while True:
            self._beat()
            _bury(child.pid)
            pause(child)
            if child.poll() is not None:
                return
            self._press(child)

    def _press(self, child: subprocess.Popen[bytes]) -> None:
        """Ask the command to end if somebody wants that, and make it end if it does not."""
        before = self.why
        if self._obey() and not before:
            _end(child, hard=False)
        if time.monotonic() >= self.kill_at and not self.killed:
            self.killed = True
            self._note("killed")
            _end(child, hard=True)

    def _obey(self) -> bool:
        """Whether the job is to end. The first reason stands; a later and shorter grace counts."""
        why, grace = self._wish()
        if not why:
            return False
        if not self.why:
            self.why, self.asked = why, time.monotonic()
            self._note("stop-asked", why=why, grace=grace)
        self.kill_at = min(self.kill_at, self.asked + grace)
        return True

    def _wish(self) -> tuple[str, float]:
        stop = _read_stop(self.folder / STOP)
        if stop:
            return stop
        if self.signalled:
            return "cancelled", GRACE
        if self._is_forgotten():
            return "forgotten", LINGER
        now = time.monotonic()
        if 0 < self.job.get("timeout", 0) <= now - self.began:
            return "timeout", GRACE
        quiet = self.job.get("quiet", 0)
        if quiet > 0 and now - self.growth.last(now, every=min(BEAT, quiet / 10)) >= quiet:
            return "quiet", GRACE
        return "", 0.0

    def _is_forgotten(self) -> bool:
        """Whether our folder was deleted, so that nobody can stop the job or will ever read what it makes."""
        now = time.monotonic()
        if self.missing < 2 and now - self.looked >= LOOK:
            self.looked = now
            # Twice in a row: a network file system may lose sight of a file for a moment.
            self.missing = self.missing + 1 if _is_missing(self.folder / JOB) else 0
        return self.missing >= 2

    def _clear(self, child: subprocess.Popen[bytes]) -> None:
        """End what the command left running in its group."""
        # A KILL of ours has gone to the whole group already, whose processes die each in its own time.
        if not _group_lives(child.pid) or (self.killed and _vanishes(child.pid)):
            return
        self._note("leftovers")
        _end(child, hard=False)
        _vanishes(child.pid)
        _end(child, hard=True)

    def _signal(self, *_: object) -> None:
        self.signalled = True

    def _beat(self) -> None:
        now = time.monotonic()
        if now - self.beaten >= BEAT:
            self.beaten = now
            with contextlib.suppress(OSError):
                (self.folder / ALIVE).touch()

    def _note(self, event: str, **facts: object) -> None:
        self.events += 1
        line = json.dumps(dict(facts, n=self.events, time=time.time(), event=event), sort_keys=True)
        # A full disk must not end the job.
        with contextlib.suppress(OSError), (self.folder / EVENTS).open("ab") as out:
            out.write(line.encode() + b"\n")

    def _place_exit(self, facts: dict[str, Any]) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return place(self.folder / EXIT, facts)
            except OSError:
                if _is_missing(self.folder):
                    return None
                if time.monotonic() > end:
                    raise
            time.sleep(1.0)


def _vanishes(group: int) -> bool:
    """Whether nothing of a process group is left within LINGER seconds."""
    end = time.monotonic() + LINGER
    while _group_lives(group):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


class Growth:
    """When the log or a watched output was last seen to grow."""

    def __init__(self, folder: Path, names: list[str]) -> None:
        self.paths = [folder / name for name in names if _inside(name)]
        self.seen: tuple[int, int, float] = (0, 0, 0.0)
        self.looked = -math.inf
        self.grown = time.monotonic()

    def last(self, now: float, *, every: float) -> float:
        """The monotonic time of the last growth; looks at the files at most once in *every* seconds."""
        if now - self.looked >= every:
            self.looked = now
            seen = self._measure()
            if seen != self.seen:
                self.seen, self.grown = seen, now
        return self.grown

    def _measure(self) -> tuple[int, int, float]:
        files = [stat for path in self.paths for stat in _stats(path)]
        return (
            len(files),
            sum(stat.st_size for stat in files),
            max((stat.st_mtime for stat in files), default=0.0),
        )


class Kills:
    """How often the kernel has killed for memory: in our control group, and on the whole machine.

    Control groups count a kill wherever it came from (``memory.events`` of version 2, ``memory.oom_control`` of
    version 1). None stands for a counter that cannot be read.
    """

    def __init__(self, group: int | None, machine: int | None) -> None:
        self.group = group
        self.machine = machine

    @classmethod
    def read(cls) -> Kills:
        """The counters now."""
        group = next((count for count in map(_oom_count, _counters()) if count is not None), None)
        return cls(group, _oom_count(Path("/proc/vmstat")))

    def blame(self, before: Kills, code: int) -> bool:
        """Whether a command that ended with *code*, unasked, ended for want of memory."""
        if self.group is not None and before.group is not None:
            return code != 0 and self.group > before.group
        if self.machine is not None and before.machine is not None:
            return code == 137 and self.machine > before.machine
        return code == 137


def _counters() -> Iterator[Path]:
    try:
        lines = Path("/proc/self/cgroup").read_text("utf-8").splitlines()
    except OSError:
        return
    root = Path("/sys/fs/cgroup")
    for controllers, path in (line.split(":", 2)[1:] for line in lines):
        relative = path.lstrip("/")
        # Inside a container the file system often starts at the container's own group.
        if not controllers:
            yield root / relative / "memory.events"
            yield root / "memory.events"
        elif "memory" in controllers.split(","):
            yield root / "memory" / relative / "memory.oom_control"
            yield root / "memory" / "memory.oom_control"


def _oom_count(path: Path) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        for line in path.read_text("ascii").splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return None


def _lock(folder: Path, who: dict[str, Any]) -> bool:
    try:
        fd = os.open(str(folder / LOCK), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        return False
    try:
        with open(fd, "wb") as out:  # noqa: PTH123
            out.write(json.dumps(who).encode())
    except OSError:
        (folder / LOCK).unlink()
        raise
    return True


def _reserve(path: Path) -> None:
    """Take the blocks that :func:`place` will need, so that a disk filled by the job cannot hide its exit."""
    with path.with_name(path.name + ".part").open("wb") as out:
        out.write(b" " * RESERVE)
        out.flush()
        os.fsync(out.fileno())


def _read_stop(path: Path) -> tuple[str, float] | None:
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    grace = GRACE
    with contextlib.suppress(ValueError, IndexError):
        grace = max(0.0, float(lines[1]))
    return (lines[0].strip() if lines else "") or "cancelled", grace


def _is_missing(path: Path) -> bool:
    try:
        os.lstat(str(path))
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def _inside(name: str) -> bool:
    return not Path(name).is_absolute() and ".." not in Path(name).parts


def _stats(path: Path) -> Iterator[os.stat_result]:
    """The regular files at or below *path*. Links are not followed; what vanishes meanwhile is left out."""
    with contextlib.suppress(OSError):
        if path.is_file() and not path.is_symlink():
            yield path.stat()
    for folder, _, names in os.walk(str(path)):
        for name in names:
            with contextlib.suppress(OSError):
                yield os.lstat(os.path.join(folder, name))  # noqa: PTH118


def _say(code: int, words: str) -> int:
    sys.stderr.write(words + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
