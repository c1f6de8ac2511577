"""What transfers by SSH cost, against OpenSSH's own programs: ``python benchmarks/transfer.py [--rounds 3]``.

One file of 200 MB and 500 files of 200 kB go to a server on this machine and come back, by ``sftp``, ``scp``, ``rsync``
and the sftp plugin, in turns, each with a connection of its own; every file is compared by SHA-256 afterwards. Then the
plugin submits what the host has, is cut off three times, and meets a network that swallows everything.

Once over loopback; and once, for root on Linux, between two network namespaces whose link holds every packet for 20 ms
each way. Kernels without netem do it too: the link is a pair of TUN devices and a relay in Python (MTU 9000, so that
Python is not the limit).
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import select
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections import defaultdict, deque
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from cosmos_core.errors import HostError
from cosmos_core.extend import Input, Job
from cosmos_core.testing import sshd as servers

if TYPE_CHECKING:
    from collections.abc import Iterator

BIG, SMALL, COUNT = 200_000_000, 200_000, 500
DELAY = 0.020
ENDS = ("cosmos-near", "cosmos-far")
DEVICES = ("cosmostun0", "cosmostun1")
ADDRESSES = ("10.99.7.1", "10.99.7.2")
PROGRAMS = ("sftp", "scp", "rsync")
TARGETS = {
    ("loopback", "1 x 200 MB, up"): ("sftp", 1.0),
    ("loopback", "1 x 200 MB, down"): ("sftp", 1.0),
    ("loopback", "500 x 200 kB, up"): ("sftp", 1.1),
    ("loopback", "500 x 200 kB, down"): ("sftp", 1.1),
    ("40 ms", "1 x 200 MB, up"): ("rsync", 1.2),
    ("40 ms", "1 x 200 MB, down"): ("rsync", 1.0),
}


def make_files(folder: Path) -> None:
    """``big/`` with one file, ``small/`` with many; their bytes cannot be compressed."""
    for name, count, size in (("big", 1, BIG), ("small", COUNT, SMALL)):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            (folder / name / f"{number:03}.bin").write_bytes(os.urandom(size))


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 by name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@attrs.frozen
class Course:
    """A server, and the words before a program that is to reach it."""

    name: str
    server: servers.Sshd
    within: tuple[str, ...] = ()

    def run(self, *argv: str, said: str = "") -> str:
        """Run a program where the server can be reached."""
        done = subprocess.run([*self.within, *argv], input=said.encode(), capture_output=True, check=False)
        assert done.returncode == 0, f"{argv}: {done.stderr.decode()}"
        return done.stdout.decode()


def copy(course: Course, program: str, source: Path, target: Path, *, up: bool) -> float:
    """Copy the folder *source* to *target* by one of OpenSSH's programs; seconds."""
    config = str(course.server.config)
    here, there = (f"{source}", f"gpu:{target}") if up else (f"gpu:{source}", f"{target}")
    # Nobody pays for what another left to be written.
    os.sync()
    began = time.perf_counter()
    if program == "sftp":
        course.run(
            "sftp",
            "-q",
            "-F",
            config,
            "-b",
            "-",
            "gpu",
            said=f"{'put' if up else 'get'} -r {source} {target}\n",
        )
    elif program == "scp":
        course.run("scp", "-q", "-r", "-F", config, here, there)
    else:
        course.run("rsync", "-a", "-e", f"ssh -F {config}", f"{here}/", there)
    return time.perf_counter() - began


def ours(course: Course, scratch: Path, *asked: str) -> dict[str, float]:
    """Let another process, which can reach the server, do one thing by the plugin; what it measured."""
    os.sync()
    words = [str(course.server.config), str(scratch), *asked]
    return json.loads(course.run(sys.executable, __file__, "--child", *words))


def child(config: str, scratch: str, verb: str, folder: str, key: str) -> None:
    """Do one thing by the plugin and print seconds and bytes that went over the line."""
    from cosmos_core_sftp.options import SftpOptions
    from cosmos_core_sftp.session import SftpSession

    host = servers.Host(
        name="gpu",
        transport="sftp",
        address="gpu",
        root=f"{scratch}/root",
        options=SftpOptions(config=config),
    )
    paths = sorted(Path(folder).iterdir()) if verb == "put" else []
    known = json.loads(Path(scratch, "digests.json").read_text())
    inputs = tuple(
        Input(name=f"in/{path.name}", digest=known[path.name], path=path, bytes=path.stat().st_size)
        for path in paths
    )
    began = time.perf_counter()
    session = SftpSession.open(host, Path(scratch, "state"))
    if verb == "put":
        session.put(Job(argv=("true",), inputs=inputs), key)
    else:
        session.get(session.find(key), ["in"], Path(folder))
    took = time.perf_counter() - began
    session.close()
    print(json.dumps({"seconds": took, "sent": session.sent, "received": session.received}))


def measure(
    course: Course, files: Path, rounds: int, programs: tuple[str, ...]
) -> dict[str, dict[str, list[float]]]:
    """Seconds by task and program, in turns."""
    times: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    known = {name: digests(files / name) for name in ("big", "small")}
    for _ in range(rounds):
        for name, task in (("big", "1 x 200 MB"), ("small", f"{COUNT} x 200 kB")):
            for program in programs:
                if course.name != "loopback" and name == "small" and program != "rsync":
                    continue
                with tempfile.TemporaryDirectory(dir=files) as folder:
                    there, home = Path(folder, "there"), Path(folder, "home")
                    times[f"{task}, up"][program].append(copy(course, program, files / name, there, up=True))
                    assert digests(there) == known[name]
                    times[f"{task}, down"][program].append(copy(course, program, there, home, up=False))
                    assert digests(home) == known[name]
            with tempfile.TemporaryDirectory(dir=files) as folder:
                for verb, value in by_us(course, files / name, Path(folder), known[name]).items():
                    times[f"{task}, {verb}"]["ours"].append(value)
    return times


def by_us(course: Course, source: Path, scratch: Path, known: dict[str, str]) -> dict[str, float]:
    """Seconds of an upload, a second submission and a download by the plugin."""
    (scratch / "digests.json").write_text(json.dumps(known))
    up = ours(course, scratch, "put", str(source), "b/1/1")
    again = ours(course, scratch, "put", str(source), "b/2/1")
    down = ours(course, scratch, "get", str(scratch / "home"), "b/1/1")
    total = sum(path.stat().st_size for path in source.iterdir())
    assert (total, 0, total) == (up["sent"], again["sent"], down["received"])
    assert digests(scratch / "root/jobs/b-2-1/in") == known == digests(scratch / "home/in")
    return {"up": up["seconds"], "again, 0 bytes": again["seconds"], "down": down["seconds"]}


def session_here(server: servers.Sshd, scratch: Path):
    """A session of this process."""
    from cosmos_core_sftp.options import SftpOptions
    from cosmos_core_sftp.session import SftpSession

    host = server.host(root=str(scratch / "root"))
    return SftpSession.open(
        attrs.evolve(host, options=SftpOptions(config=str(server.config))), scratch / "state"
    )


def three_kills(server: servers.Sshd, files: Path) -> float:
    """How many times its bytes an upload sends whose server is killed three times on the way."""
    (path,) = (files / "big").iterdir()
    item = Input(name="in/big", digest=digests(files / "big")[path.name], path=path, bytes=BIG)
    with tempfile.TemporaryDirectory(dir=files) as folder:
        session = session_here(server, Path(folder))
        cuts = iter((BIG // 4, BIG // 2, 3 * BIG // 4))
        due = [next(cuts)]

        def cut(done: int, _: int, __: str = "") -> None:
            if done > due[0]:
                due[0] = next(cuts, 2 * BIG)
                server.cut()

        for _ in range(4):
            with contextlib.suppress(HostError):
                session.put(Job(argv=("true",), inputs=(item,)), "b/1/1", cut)
                break
        placed = Path(folder, "root/jobs/b-1-1/in/big")
        assert hashlib.sha256(placed.read_bytes()).hexdigest() == item.digest
        session.close()
        return session.sent / BIG


def silent_hole(course: Course, files: Path) -> float:
    """Seconds from the moment the network swallows everything to the error, in the middle of an upload."""
    with tempfile.TemporaryDirectory(dir=files) as folder:
        scratch = Path(folder)
        (scratch / "digests.json").write_text(json.dumps(digests(files / "big")))
        words = [str(course.server.config), folder, "put", str(files / "big"), "b/1/1"]
        process = subprocess.Popen(
            [*course.within, sys.executable, __file__, "--child", *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        part = next(iter(digests(files / "big").values())) + ".part"
        while not (scratch / "root/tmp" / part).exists():
            time.sleep(0.02)
        began = time.perf_counter()
        subprocess.run(["ip", "netns", "exec", ENDS[1], "ip", "link", "set", DEVICES[1], "down"], check=True)
        _, said = process.communicate(timeout=120)
        took = time.perf_counter() - began
        assert b"is lost" in said, said.decode()
        return took


@contextlib.contextmanager
def long_link() -> Iterator[None]:
    """Two network namespaces, 40 ms there and back between them."""
    with contextlib.ExitStack() as stack:
        for end in ENDS:
            subprocess.run(["ip", "netns", "add", end], check=True)
            stack.callback(subprocess.run, ["ip", "netns", "del", end], check=False)
        relay = subprocess.Popen([sys.executable, __file__, "--relay"], stdout=subprocess.PIPE)
        stack.callback(relay.wait)
        stack.callback(relay.kill)
        relay.stdout.readline()
        for end, device, address in zip(ENDS, DEVICES, ADDRESSES, strict=True):
            subprocess.run(["ip", "link", "set", device, "netns", end], check=True)
            for words in (
                ["addr", "add", f"{address}/30", "dev", device],
                ["link", "set", device, "mtu", "9000", "txqueuelen", "20000", "up"],
                ["link", "set", "lo", "up"],
            ):
                subprocess.run(["ip", "netns", "exec", end, "ip", *words], check=True)
        yield


def relay() -> None:
    """Hold every packet for a while, in both directions."""
    ends = [_tun(device) for device in DEVICES]
    waiting: tuple[deque[tuple[float, bytes]], ...] = (deque(), deque())
    print("ready", flush=True)
    while True:
        now = time.monotonic()
        for queue, other in zip(waiting, reversed(ends), strict=True):
            while queue and queue[0][0] <= now:
                with contextlib.suppress(OSError):
                    os.write(other, queue.popleft()[1])
        due = min((queue[0][0] for queue in waiting if queue), default=now + 1.0)
        for end in select.select(ends, [], [], max(0.0, due - time.monotonic()))[0]:
            queue = waiting[ends.index(end)]
            with contextlib.suppress(OSError):
                for _ in range(64):
                    queue.append((time.monotonic() + DELAY, os.read(end, 9216)))


def _tun(name: str) -> int:
    set_interface, tun, no_header = 0x400454CA, 0x0001, 0x1000
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, set_interface, struct.pack("16sH22x", name.encode(), tun | no_header))
    return fd


def show(course: str, times: dict[str, dict[str, list[float]]], programs: tuple[str, ...]) -> None:
    """Print medians in MB/s, the ratio to each program in the same run, and the targets."""
    from rich.console import Console
    from rich.table import Table

    table = Table(
        title=f"{course}: MB/s, and how many times as fast as that program we are; median of the rounds"
    )
    for heading in ("", *programs, "ours", "target"):
        table.add_column(heading, justify="left" if not heading else "right")
    for task, by_program in times.items():
        size = (BIG if "200 MB" in task else COUNT * SMALL) / 1e6
        mine = statistics.median(by_program["ours"])
        cells = [
            f"{size / statistics.median(by_program[each]):.0f} ({statistics.median(by_program[each]) / mine:.2f}x)"
            if by_program.get(each)
            else ""
            for each in programs
        ]
        program, factor = TARGETS.get((course, task), ("", 0.0))
        target = ""
        if program in programs:
            met = statistics.median(by_program[program]) / mine >= factor
            target = f"{factor:.1f}x {program}: {'met' if met else 'missed'}"
        if "again" in task:
            target = f"under 1 s: {'met' if mine < 1.0 else 'missed'}"
        table.add_row(task, *cells, f"{size / mine:.0f}, {mine:.2f} s", target)
    Console(width=130).print(table)


def on(course: Course, files: Path, rounds: int) -> None:
    """Measure one course, and print."""
    programs = tuple(program for program in PROGRAMS if shutil.which(program))
    show(course.name, measure(course, files, rounds, programs), programs)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("loopback", "long"), default="")
    parser.add_argument("--child", nargs=5, help=argparse.SUPPRESS)
    parser.add_argument("--relay", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        return child(*asked.child)
    if asked.relay:
        return relay()
    if why := servers.missing():
        print(f"nothing is measured: {why}")
        return None
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder)
        make_files(files)
        if asked.only != "long":
            _loopback(files, asked.rounds)
        if asked.only != "loopback":
            _long(files, asked.rounds)
    return None


def _loopback(files: Path, rounds: int) -> None:
    server = servers.Sshd(files / "sshd")
    server.start()
    try:
        on(Course("loopback", server), files, rounds)
        print(
            f"three kills in an upload of 200 MB: {three_kills(server, files):.3f} times its bytes sent (target 1.1)"
        )
    finally:
        server.stop()


def _long(files: Path, rounds: int) -> None:
    if os.name != "posix" or os.geteuid() or not Path("/dev/net/tun").exists() or not shutil.which("ip"):
        print("the link of 40 ms is left out: it takes root, ip and /dev/net/tun")
        return
    with long_link():
        server = servers.Sshd(
            files / "sshd-far", address=ADDRESSES[1], within=("ip", "netns", "exec", ENDS[1])
        )
        server.start()
        try:
            course = Course("40 ms", server, ("ip", "netns", "exec", ENDS[0]))
            on(course, files, rounds)
            print(
                f"a silent hole in an upload is an error after {silent_hole(course, files):.1f} s (target 15)"
            )
        finally:
            server.stop()


if __name__ == "__main__":
    main()
