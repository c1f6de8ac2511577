"""A Docker engine of our own, in a folder of its own, gone when we are done; and a small image with a Python.

It touches nothing of an engine that runs here already: data, sockets and pid file lie in the folder, there is no bridge
and no firewall rule, so its containers have no network. dockerd must be started by root.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGE = "cosmos-test-python:1"
"""What :meth:`Dockerd.python_image` makes."""

PATIENCE = 60.0
"""Seconds that an engine has to come up, or to go."""

_LEFT_OUT = re.compile(
    r"(^|/)(site-packages|dist-packages|__pycache__|test|tests|idlelib|tkinter|turtledemo|lib2to3|ensurepip|pydoc_data"
    r"|config-[^/]*|_(tkinter|sqlite3|ssl|hashlib|curses|curses_panel|dbm|gdbm|test\w*|ctypes_test|xx\w*)\.[^/]*\.so"
    r"|readline\.[^/]*\.so|nis\.[^/]*\.so)(/|$)"
)


class Unavailable(Exception):
    """No engine can run here, and why."""


class NotInstalled(Unavailable):
    """A program is missing, which an installation mends."""


class Dockerd:
    """One engine and its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = f"unix://{folder}/sock"
        """For ``docker --host`` and for the option ``docker_host``."""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def runs(self) -> bool:
        """Whether it was started, and neither stopped nor killed since."""
        return self._process is not None

    def docker(self, *words: str, stdin: bytes = b"", check: bool = True) -> bytes:
        """What ``docker`` answers to *words*.

        Raises:
            Unavailable: it refuses, unless *check* is off.
        """
        argv = ["docker", "--host", self.address, *words]
        done = subprocess.run(argv, input=stdin, capture_output=True, check=False)
        if done.returncode and check:
            raise Unavailable(done.stderr.decode("utf-8", "replace").strip() or f"docker {words[0]} failed")
        return done.stdout

    def start(self) -> None:
        """Bring the engine up, and wait until it answers.

        Raises:
            Unavailable: it does not, with its last words.
        """
        # After a kill an engine takes the number of its dead containerd for a living one.
        for left in ("pid", "exec/containerd/containerd.pid"):
            (self.folder / left).unlink(missing_ok=True)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                _command(self.folder),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + PATIENCE
        while not self.docker("version", "--format", "{{.Server.Version}}", check=False).strip():
            if self._process.poll() is not None or time.monotonic() > end:
                raise Unavailable(f"dockerd does not start here: {self._last_words()}")
            time.sleep(0.1)

    def stop(self) -> None:
        """End the engine as a machine that goes down does: it ends its containers first."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the engine as a crash does: its containers go on without it."""
        self._end(signal.SIGKILL)

    def python_image(self) -> str:
        """The name of an image with this very Python and its standard library, and nothing else. Made once."""
        if not self.docker("images", "--quiet", IMAGE):
            libraries = ":".join(sorted({str(path.parent) for path in _libraries()}))
            changes = ["ENV PATH=/usr/bin", f"ENV LD_LIBRARY_PATH={libraries}"]
            words = [word for change in changes for word in ("--change", change)]
            self.docker("import", *words, "-", IMAGE, stdin=_python_tar())
        return IMAGE

    def _end(self, number: int) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)
            self._process.wait(PATIENCE)
            self._process = None

    def _last_words(self) -> str:
        lines = (self.folder / "log").read_text("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"


@contextmanager
def private_dockerd() -> Iterator[Dockerd]:
    """Run an engine, and remove it with all its containers and images at the end.

    Raises:
        Unavailable: in one sentence, where none can run.
    """
    if missing := [name for name in ("dockerd", "containerd", "docker") if not shutil.which(name)]:
        raise NotInstalled(f"there is no {missing[0]} here; on Debian: apt install docker.io")
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        raise Unavailable("dockerd must be started by root")
    # The path of a socket may have 107 letters.
    folder = Path(tempfile.mkdtemp(prefix="cosmos-dockerd-", dir="/tmp"))
    engine = Dockerd(folder)
    try:
        engine.start()
        yield engine
        if names := engine.docker("ps", "--all", "--quiet", check=False).decode().split():
            engine.docker("rm", "--force", *names, check=False)
    finally:
        with suppress(subprocess.TimeoutExpired):
            engine.stop()
        _forget(folder)


def _command(folder: Path) -> list[str]:
    return [
        *("dockerd", "--host", f"unix://{folder}/sock", "--pidfile", f"{folder}/pid"),
        *("--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec"),
        *("--bridge", "none", "--iptables=false", "--ip6tables=false"),
    ]


def _forget(folder: Path) -> None:
    """Remove an engine's folder, unmounting first what it left mounted."""
    mounted = [line.split()[1] for line in Path("/proc/mounts").read_text("utf-8").splitlines()]
    for path in sorted((path for path in mounted if path.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", "--lazy", path], capture_output=True, check=False)
    shutil.rmtree(folder, ignore_errors=True)


def _python_tar() -> bytes:
    """A root file system with this interpreter where it lies here, and ``/usr/bin/python3``."""
    held = io.BytesIO()
    program = Path(sys.executable).resolve()
    with tarfile.open(fileobj=held, mode="w") as tar:
        for name in ("stdlib", "platstdlib"):
            folder = sysconfig.get_path(
                name, vars={"installed_base": sys.base_prefix, "base": sys.base_prefix}
            )
            if folder.lstrip("/") not in tar.getnames():
                tar.add(folder, filter=_kept)
        tar.add(program)
        for library in _libraries():
            tar.addfile(*_as_file(library))
        if str(program) != "/usr/bin/python3":
            tar.addfile(_link("usr/bin/python3", str(program)))
        for folder in ("tmp", "run", "proc", "sys", "dev"):
            tar.addfile(_folder(folder))
        tar.addfile(*_text("etc/passwd", b"root:x:0:0:root:/root:/bin/false\n"))
    return held.getvalue()


def _libraries() -> Iterator[Path]:
    """The shared libraries that the interpreter and its modules need, under the names they are found by."""
    modules = Path(sysconfig.get_config_var("DESTSHARED") or "/nonexistent").glob("*.so")
    wanted = [Path(sys.executable).resolve(), *(path for path in modules if not _LEFT_OUT.search(str(path)))]
    done = subprocess.run(["ldd", *map(str, wanted)], capture_output=True, text=True, check=False)
    yield from sorted(
        {Path(found) for found in re.findall(r"(?:=>\s+|^\s+)(/\S+)", done.stdout, re.MULTILINE)}
    )


def _kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if _LEFT_OUT.search(member.name.partition("/python3")[2]) else member


def _as_file(path: Path) -> tuple[tarfile.TarInfo, io.BytesIO]:
    member, content = _text(str(path).lstrip("/"), path.read_bytes())
    member.mode = 0o755
    return member, content


def _text(name: str, content: bytes) -> tuple[tarfile.TarInfo, io.BytesIO]:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    return member, io.BytesIO(content)


def _link(name: str, to: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, to
    return member


def _folder(name: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
    return member
