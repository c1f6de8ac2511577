"""What the core relies on whenever it talks to a host: subclass it to test a transport.

    class TestSftpSession(SessionContract):
        @pytest.fixture
        def make_session(self, my_host, tmp_path):
            with ExitStack() as stack:

                def make():
                    return stack.enter_context(closing(SftpSession.open(my_host, tmp_path / "state")))

                yield make

``make_session`` gives a new session on the same host with the same state each time it is called, as another process
would open it. Override ``python`` where the host's interpreter has another path, and ``patience`` where the line is slow.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any

import pytest

from cosmos_core import launcher
from cosmos_core.errors import HostError, InputError
from cosmos_core.extend import (
    Exit,
    Handle,
    Input,
    Job,
    JobFile,
    JobState,
    JobStatus,
    Placed,
    Ran,
    Session,
    Shell,
    Spooling,
    Tunnel,
)

if TYPE_CHECKING:
    from pathlib import Path

MakeSession = Callable[[], Session]
Begin = Callable[..., Handle]

HOSTILE = (
    "outputs/; touch outside; $(touch outside) `touch outside`.bin",
    'outputs/it\'s "quoted".bin',
    "outputs/two\nlines.bin",
    "outputs/--flag=-rf.bin",
    "outputs/back\\slash.bin",
    "outputs/-",
    "outputs/ % * ? ~ & | < > # !.bin",
    "outputs/…é中.bin",
)
"""Names that a program may give its files and that no shell may ever interpret."""

SAY_AND_FAIL = "print('out of memory', flush=True); raise SystemExit(3)"
IGNORE_TERM = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
while True: time.sleep(0.1)
"""
WRITE_OUTPUTS = """
import os, sys
os.makedirs("outputs/deep")
for name in sys.argv[1:]:
    with open(name, "wb") as out: out.write(name.encode() * 1000)
"""
COUNT = """
import sys, time
for number in range(3000):
    print(number)
    if number % 100 == 0: sys.stdout.flush(); time.sleep(0.01)
"""
GROW = """
import os, time
os.mkdir("outputs")
with open("outputs/growing.bin", "wb", buffering=0) as out:
    print("growing", flush=True)
    while True: out.write(os.urandom(20000)); time.sleep(0.001)
"""
LINKS = """
import os
os.makedirs("outputs/real")
with open("outputs/real/file.bin", "wb") as out: out.write(b"ours")
os.symlink(os.path.abspath("secret.bin"), "outputs/link.bin")
os.symlink(os.path.dirname(os.path.abspath("secret.bin")), "outputs/folder")
os.symlink(os.path.abspath("outputs"), "outputs/real/loop")
os.mkfifo("outputs/pipe")
"""
SERVE = """
import http.server, pathlib
class Echo(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body[::-1])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
print("port", server.server_port, flush=True)
server.serve_forever()
"""
RESIDENT = """
import os, sys
sys.path.insert(0, os.getcwd())
import launcher, pathlib
print("loaded", flush=True)
for path in launcher.spooled(pathlib.Path.cwd(), 60):
    print(path.name, path.read_text(), flush=True)
"""
SWAP = """
import os, time
os.mkdir("elsewhere")
os.symlink(os.path.abspath("elsewhere"), "spool")
print("swapped", flush=True)
time.sleep(60)
"""
TELL = "import json, os, sys; print(json.dumps([sys.argv[1:], {k: os.environ.get(k) for k in ('PLAIN', 'ODD', 'EMPTY')}]))"


class SessionContract:
    """The behaviours of a session, one a test."""

    patience = 60.0
    """Seconds to wait for what should happen at once."""

    @pytest.fixture
    def make_session(self) -> MakeSession:
        """Open the host once more. The subclass supplies it."""
        raise NotImplementedError("a session contract needs the fixture make_session")

    @pytest.fixture
    def session(self, make_session: MakeSession) -> Session:
        """The session under test."""
        return make_session()

    @pytest.fixture
    def python(self) -> str:
        """The host's Python, for the jobs of these tests."""
        return sys.executable

    @pytest.fixture
    def key(self) -> str:
        """A key nobody used before."""
        return f"{secrets.token_hex(6)}/1/1"

    @pytest.fixture
    def begin(self, session: Session, python: str) -> Iterator[Begin]:
        """Put and start a Python program as a job; whatever is left of it is removed after the test."""
        begun: list[Handle] = []

        def begin(program: str, *arguments: str, key: str = "", start: bool = True, **fields: Any) -> Handle:
            job = Job(argv=(python, "-c", program, *arguments), **fields)
            handle = session.put(job, key or f"{secrets.token_hex(6)}/1/1")
            begun.append(handle)
            if start:
                session.start(handle, job)
            return handle

        yield begin
        for handle in begun:
            session.stop(handle, grace=0.0)
            session.remove(handle)

    def wait_for(self, session: Session, handle: Handle) -> JobStatus:
        """The status of a job once it is not active any more."""
        end = time.monotonic() + self.patience
        while (status := session.poll([handle])[handle.key]).state is JobState.ACTIVE:
            assert time.monotonic() < end, f"{handle.key} is still active after {self.patience} s"
            time.sleep(0.02)
        return status

    def wait_for_words(self, session: Session, handle: Handle, words: bytes) -> None:
        """Wait until a job has said *words*."""
        end = time.monotonic() + self.patience
        while words not in self.whole(session, handle, "log.txt"):
            assert time.monotonic() < end, f"{handle.key} did not say {words!r}"
            time.sleep(0.02)

    def whole(self, session: Session, handle: Handle, name: str, limit: int = 1 << 20) -> bytes:
        """All there is now of a file of a job."""
        found, cursor = b"", 0
        while True:
            more, cursor = session.read(handle, name, cursor, limit)
            if not more:
                return found
            found += more

    def test_a_failing_command_is_reported_not_raised(self, session: Session, begin: Begin) -> None:
        """A non-zero exit is an answer, and the log tells why."""
        handle = begin(SAY_AND_FAIL)
        status = self.wait_for(session, handle)

        assert JobStatus(state=JobState.EXITED, exit=Exit(code=3)) == status
        assert b"out of memory" in self.whole(session, handle, "log.txt")

    def test_a_command_that_cannot_run_is_reported_not_raised(self, session: Session, key: str) -> None:
        """A program that is not there exits with 127, as in a shell."""
        job = Job(argv=("no-such-program-anywhere",))
        handle = session.put(job, key)
        session.start(handle, job)
        status = self.wait_for(session, handle)

        assert Exit(code=127) == status.exit
        assert b"no-such-program-anywhere" in self.whole(session, handle, "log.txt")
        session.remove(handle)

    def test_a_server_is_reached_on_its_hosts_loopback(self, session: Session, begin: Begin) -> None:
        """Through a tunnel a job that serves answers whoever asks on this machine, several at once and at length."""
        if not isinstance(session, Tunnel):
            pytest.skip("it leads nobody to its host's loopback")
        handle = begin(SERVE, serves=True)
        self.wait_for_words(session, handle, b"\n")
        port = int(self.whole(session, handle, "log.txt").split()[1])
        bodies = [secrets.token_bytes(300_000) for _ in range(4)]
        with session.tunnel(port) as here:
            answers = _race([partial(_ask, here, body) for body in bodies])

        assert [body[::-1] for body in bodies] == answers

    def test_where_nobody_serves_the_tunnel_is_closed(self, session: Session) -> None:
        """A caller sees a connection that ends, and does not wait for ever."""
        if not isinstance(session, Tunnel):
            pytest.skip("it leads nobody to its host's loopback")
        with session.tunnel(9) as here, pytest.raises((OSError, HTTPException)):
            _ask(here, b"nobody")

    def test_an_absent_job_is_absent_never_exited(self, session: Session, key: str) -> None:
        """Of a job that nobody put, a host has no trace."""
        handle = Handle(host="", key=key, folder="")

        assert session.find(key) is None
        assert {key: JobStatus(state=JobState.ABSENT)} == dict(session.poll([handle]))
        assert (b"", 0) == session.read(handle, "log.txt", 0)
        assert () == session.list(handle, ["outputs"])

    def test_ending_and_removing_an_absent_job_is_no_error(self, session: Session, key: str) -> None:
        """Stop and remove may come twice, or too late."""
        handle = Handle(host="", key=key, folder="")
        session.stop(handle)
        session.remove(handle)

        assert session.find(key) is None

    def test_a_job_that_was_put_waits_to_be_started(self, session: Session, begin: Begin, key: str) -> None:
        """Between put and start a job is found, and does nothing."""
        handle = begin(SAY_AND_FAIL, key=key, start=False)

        assert handle == session.find(key)
        assert JobStatus(state=JobState.PUT) == session.poll([handle])[key]

    def test_putting_twice_changes_nothing(self, session: Session, begin: Begin, key: str) -> None:
        """The second put of a key gives the first one's job, even while it runs."""
        handle = begin(IGNORE_TERM, key=key)
        again = begin(SAY_AND_FAIL, key=key, start=False)

        assert handle == again
        assert JobState.ACTIVE == session.poll([again])[key].state

    def test_starting_twice_runs_once(self, session: Session, begin: Begin, python: str) -> None:
        """A second start of the same key starts nothing, whether the job runs or has ended."""
        program = "open('ran.txt', 'a').write('ran\\n')"
        handle = begin(program)
        job = Job(argv=(python, "-c", program))
        session.start(handle, job)
        self.wait_for(session, handle)
        session.start(handle, job)

        assert JobState.EXITED == self.wait_for(session, handle).state
        assert [b"ran"] == self.whole(session, handle, "ran.txt").split()

    def test_sessions_that_race_start_a_job_once(
        self, make_session: MakeSession, session: Session, begin: Begin, python: str
    ) -> None:
        """Of several processes that start one job at the same moment, one wins and none fails."""
        program = "open('ran.txt', 'a').write('ran\\n')"
        handle = begin(program, start=False)
        job = Job(argv=(python, "-c", program))
        sessions = (make_session(), make_session(), session)
        answers = _race([partial(each.start, handle, job) for each in sessions])
        status = self.wait_for(session, handle)

        assert [None] * 3 == answers
        assert Exit(code=0) == status.exit, status.reason or self.whole(session, handle, "log.txt")
        assert [b"ran"] == self.whole(session, handle, "ran.txt").split()

    def test_sessions_that_race_put_a_job_once(
        self, make_session: MakeSession, python: str, key: str
    ) -> None:
        """Of several processes that put one job at the same moment, all get the same handle."""
        job = Job(argv=(python, "-c", "pass"), files=(JobFile(name="a/b.json", content=b"{}" * 1000),))
        sessions = [make_session() for _ in range(3)]
        answers = _race([partial(each.put, job, key) for each in sessions])
        handle = sessions[0].find(key)

        assert handle is not None
        assert [handle] * 3 == answers
        assert b"{}" * 1000 == self.whole(sessions[0], handle, "a/b.json")
        sessions[0].remove(handle)

    def test_a_new_session_finds_a_job_and_follows_it(
        self, make_session: MakeSession, session: Session, begin: Begin, key: str
    ) -> None:
        """Another process finds a running job by key alone, and sees its end."""
        begin("import time; print('on', flush=True); time.sleep(5); raise SystemExit(5)", key=key)
        session.close()
        other = make_session()
        handle = other.find(key)

        assert handle is not None
        assert JobState.ACTIVE == other.poll([handle])[key].state
        assert Exit(code=5) == self.wait_for(other, handle).exit

    def test_a_job_that_stays_is_given_more(self, session: Session, begin: Begin, tmp_path: Path) -> None:
        """Files and inputs reach a running job whole and once, however often they are sent, until it is told the end."""
        if not isinstance(session, Spooling):
            pytest.skip("this transport cannot add to a running job")
        handle = begin(RESIDENT)
        self.wait_for_words(session, handle, b"loaded")
        (plate := tmp_path / "plate.bin").write_bytes(b"plate" * 1000)
        item = Input(name="in/plate.bin", digest=_sha(plate), path=plate, bytes=5000)
        session.spool(handle, _spooled("a", b"one", item))
        self.wait_for_words(session, handle, b"a one")
        session.spool(handle, _spooled("a", b"other", item))
        session.spool(handle, _spooled("b", b"two"))
        session.spool(handle, _spooled("end"))
        ended = self.wait_for(session, handle)

        assert Exit(code=0) == ended.exit
        assert ["loaded", "a one", "b two"] == self.whole(session, handle, "log.txt").decode().splitlines()
        assert b"plate" * 1000 == self.whole(session, handle, "in/plate.bin")

    def test_more_goes_through_no_link(self, session: Session, begin: Begin) -> None:
        """A job that puts a link in the way gets nothing, and what the link leads to stays as it was."""
        if not isinstance(session, Spooling):
            pytest.skip("this transport cannot add to a running job")
        handle = begin(SWAP)
        self.wait_for_words(session, handle, b"swapped")

        with pytest.raises(HostError):
            session.spool(handle, _spooled("a", b"one"))

        assert () == session.list(handle, ["elsewhere"])

    def test_more_for_a_job_that_is_gone_is_an_error(self, session: Session, key: str) -> None:
        """It is not put anew by it."""
        if not isinstance(session, Spooling):
            pytest.skip("this transport cannot add to a running job")
        nowhere = Handle(host="", key=key, folder="")

        with pytest.raises(HostError, match="there is no job"):
            session.spool(nowhere, _spooled("a", b"one"))

        assert session.find(key) is None

    def test_one_poll_answers_for_many_jobs(self, session: Session, begin: Begin) -> None:
        """A poll names each job's own state."""
        put, running, ended = begin("pass", start=False), begin(IGNORE_TERM), begin(SAY_AND_FAIL)
        self.wait_for(session, ended)
        states = {key: status.state for key, status in session.poll([put, running, ended]).items()}

        assert {put.key: JobState.PUT, running.key: JobState.ACTIVE, ended.key: JobState.EXITED} == states

    def test_a_log_cursor_neither_loses_nor_repeats(
        self, make_session: MakeSession, session: Session, begin: Begin
    ) -> None:
        """A log read in odd pieces while it is written, by one process and then another, is the log."""
        handle = begin(COUNT)
        readers, found, cursor = (session, make_session()), b"", 0
        for turn in range(100_000):
            status = session.poll([handle])[handle.key]
            more, cursor = readers[turn % 2].read(handle, "log.txt", cursor, 997)
            found += more
            if not more and status.state is not JobState.ACTIVE:
                break

        assert list(range(3000)) == [int(line) for line in found.split()]

    def test_a_missing_file_reads_as_empty(self, session: Session, begin: Begin) -> None:
        """A file that is not there yet gives nothing, and leaves the cursor where it is."""
        handle = begin("pass", start=False)

        assert (b"", 7) == session.read(handle, "outputs/later.txt", 7)

    def test_a_big_log_comes_whole(self, session: Session, begin: Begin) -> None:
        """Five megabytes of output neither stall the job nor lose a byte."""
        handle = begin("for _ in range(50): print('x' * 99_999)")

        assert Exit(code=0) == self.wait_for(session, handle).exit
        assert b"x" * 99_999 + b"\n" == self.whole(session, handle, "log.txt")[-100_000:]
        assert 5_000_000 == len(self.whole(session, handle, "log.txt"))

    def test_a_stopped_job_says_so(self, session: Session, begin: Begin) -> None:
        """Stop ends the job and its exit gives the reason; stopping it again changes nothing."""
        handle = begin("import time; print('on', flush=True); time.sleep(60)")
        self.wait_for_words(session, handle, b"on")
        session.stop(handle)
        session.stop(handle, why="quiet")
        status = session.poll([handle])[handle.key]

        assert JobState.EXITED == status.state
        assert status.exit is not None
        assert ("cancelled", False) == (status.exit.stopped, status.exit.oom)
        assert 0 != status.exit.code

    def test_a_deaf_job_is_killed_after_the_grace(self, session: Session, begin: Begin) -> None:
        """A job that ignores TERM ends all the same, and not before its grace is over."""
        handle = begin(IGNORE_TERM)
        self.wait_for_words(session, handle, b"deaf")
        began = time.monotonic()
        session.stop(handle, grace=0.5)
        took = time.monotonic() - began

        assert Exit(code=137, stopped="cancelled") == session.poll([handle])[handle.key].exit
        assert 0.5 <= took < self.patience

    def test_a_job_may_use_its_grace(self, session: Session, begin: Begin) -> None:
        """A job that tidies up after TERM keeps its own exit code."""
        handle = begin(
            "import signal, sys, time\n"
            "signal.signal(signal.SIGTERM, lambda *_: (print('tidied', flush=True), sys.exit(0)))\n"
            "print('on', flush=True); time.sleep(60)"
        )
        self.wait_for_words(session, handle, b"on")
        session.stop(handle)

        assert Exit(code=0, stopped="cancelled") == session.poll([handle])[handle.key].exit
        assert b"tidied" in self.whole(session, handle, "log.txt")

    def test_a_job_stopped_before_its_start_never_runs(
        self, session: Session, begin: Begin, python: str
    ) -> None:
        """Whoever cancels first wins over whoever starts later."""
        program = "open('ran.txt', 'w').write('ran')"
        handle = begin(program, start=False)
        session.stop(handle)
        session.start(handle, Job(argv=(python, "-c", program)))
        status = self.wait_for(session, handle)

        assert status.exit is None or status.exit.stopped == "cancelled"
        assert b"" == self.whole(session, handle, "ran.txt")

    def test_a_job_over_its_time_is_stopped(self, session: Session, begin: Begin) -> None:
        """A job that talks but does not end is stopped for its timeout."""
        handle = begin(
            "import time\nwhile True: print('busy', flush=True); time.sleep(0.05)", timeout=0.5, quiet=60.0
        )
        status = self.wait_for(session, handle)

        assert status.exit is not None
        assert "timeout" == status.exit.stopped

    def test_a_silent_job_is_stopped(self, session: Session, begin: Begin) -> None:
        """A job that says nothing more counts as hung."""
        handle = begin("import time; print('on', flush=True); time.sleep(60)", timeout=60.0, quiet=0.5)
        status = self.wait_for(session, handle)

        assert status.exit is not None
        assert "quiet" == status.exit.stopped

    def test_a_job_whose_outputs_grow_is_not_silent(self, session: Session, begin: Begin) -> None:
        """A new output counts as a sign of life, even without a line in the log."""
        handle = begin(
            "import os, time; os.mkdir('outputs')\n"
            "for n in range(40): open(f'outputs/{n}', 'w').close(); time.sleep(0.1)",
            outputs=("outputs",),
            quiet=3.0,
        )

        assert Exit(code=0) == self.wait_for(session, handle).exit

    def test_files_and_inputs_are_in_the_job_folder(
        self, session: Session, begin: Begin, tmp_path: Path
    ) -> None:
        """What a backend wrote and what it named by digest lie where the job looks, byte for byte."""
        clip = tmp_path / "a clip.mp4"
        clip.write_bytes(bytes(range(256)) * 4096)
        handle = begin(
            "import hashlib, sys\nfor name in sys.argv[1:]: print(hashlib.sha256(open(name, 'rb').read()).hexdigest())",
            "spec.json",
            "in/deep/color.mp4",
            files=(JobFile(name="spec.json", content=b"\x00\xff\r\n{}"),),
            inputs=(Input(name="in/deep/color.mp4", digest=_sha(clip), path=clip, bytes=1 << 20),),
        )
        self.wait_for(session, handle)
        expected = [hashlib.sha256(b"\x00\xff\r\n{}").hexdigest(), _sha(clip)]

        assert expected == self.whole(session, handle, "log.txt").decode().split()

    def test_a_job_cannot_change_what_the_next_one_reads(
        self, session: Session, begin: Begin, tmp_path: Path
    ) -> None:
        """A job that writes to its input harms neither our file nor a later job with the same input."""
        clip = tmp_path / "color.mp4"
        clip.write_bytes(b"good" * 1000)
        digest = _sha(clip)
        shared = (Input(name="color.mp4", digest=digest, path=clip, bytes=4000),)
        first = begin(
            "import os; os.chmod('color.mp4', 0o600); open('color.mp4', 'r+b').write(b'evil')", inputs=shared
        )
        self.wait_for(session, first)
        second = begin("pass", inputs=shared)

        assert b"evil" == self.whole(session, first, "color.mp4")[:4]
        assert b"good" * 1000 == self.whole(session, second, "color.mp4")
        assert digest == _sha(clip)

    def test_an_input_that_is_not_what_it_says_is_refused(
        self, session: Session, python: str, key: str, tmp_path: Path
    ) -> None:
        """A digest that does not fit names the input, and leaves no job behind."""
        clip = tmp_path / "color.mp4"
        clip.write_bytes(b"changed since it was sealed")
        item = Input(name="in/color.mp4", digest="0" * 64, path=clip, bytes=27)
        with pytest.raises(InputError, match=r"in/color\.mp4"):
            session.put(Job(argv=(python, "-c", "pass"), inputs=(item,)), key)

        assert session.find(key) is None
        assert JobState.ABSENT == session.poll([Handle(host="", key=key, folder="")])[key].state

    @pytest.mark.parametrize("name", ["../outside.json", "/outside.json", "a/../../outside.json", ""])
    def test_a_file_that_would_lie_outside_is_refused(
        self, session: Session, python: str, key: str, name: str
    ) -> None:
        """No file of a job may be placed outside of its folder."""
        with pytest.raises(InputError):
            session.put(Job(argv=(python,), files=(JobFile(name=name, content=b"x"),)), key)

        assert session.find(key) is None

    def test_argv_and_environment_arrive_unmangled(self, session: Session, begin: Begin) -> None:
        """No shell looks at a job's arguments or environment."""
        arguments = (
            "",
            " ",
            "a b",
            "$HOME",
            "$(id)",
            "`id`",
            "it's",
            '"q"',
            "back\\slash",
            "two\nlines",
            "*",
            "é中",
            "-",
        )
        env = {"PLAIN": "1", "ODD": "$(id) 'a' \"b\"\n;é", "EMPTY": ""}
        handle = begin(TELL, *arguments, env=env)
        self.wait_for(session, handle)

        assert [list(arguments), env] == json.loads(self.whole(session, handle, "log.txt"))

    def test_outputs_come_home_with_equal_digests(
        self, session: Session, begin: Begin, tmp_path: Path
    ) -> None:
        """Folders and single files arrive under their names, hashed on both sides."""
        names = ("outputs/a.bin", "outputs/deep/b.bin", "single.bin")
        handle = begin(WRITE_OUTPUTS, *names)
        self.wait_for(session, handle)
        listed = {
            file.name: file.bytes for file in session.list(handle, ["outputs", "single.bin", "missing"])
        }
        placed = session.get(handle, ["outputs", "single.bin", "missing"], tmp_path / "home")

        assert {name: len(name) * 1000 for name in names} == listed
        assert {name: tmp_path / "home" / name for name in names} == {each.name: each.path for each in placed}
        for each in placed:
            assert each.name.encode() * 1000 == each.path.read_bytes()
            assert _sha(each.path) == each.digest == each.remote_digest

    def test_fetching_twice_gives_the_same(self, session: Session, begin: Begin, tmp_path: Path) -> None:
        """A second fetch replaces the first one's files, and leaves nothing else beside them."""
        handle = begin(WRITE_OUTPUTS, "outputs/a.bin")
        self.wait_for(session, handle)
        first = session.get(handle, ["outputs"], tmp_path / "home")
        second = session.get(handle, ["outputs"], tmp_path / "home")

        assert first == second
        assert [tmp_path / "home/outputs/a.bin"] == [
            path for path in (tmp_path / "home").rglob("*") if path.is_file()
        ]

    def test_a_growing_file_has_its_name_only_when_whole(
        self, session: Session, begin: Begin, tmp_path: Path
    ) -> None:
        """A file that changes while it is fetched is an error, or came home equal on both sides; never half."""
        handle = begin(GROW)
        self.wait_for_words(session, handle, b"growing")
        time.sleep(0.2)
        placed: tuple[Placed, ...] = ()
        with suppress(HostError):
            placed = session.get(handle, ["outputs"], tmp_path / "home")
        session.stop(handle, grace=0.0)

        left = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
        assert [each.path for each in placed] == left
        assert [_sha(each.path) for each in placed] == [each.remote_digest for each in placed]

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
    def test_hostile_names_arrive_as_data(self, session: Session, begin: Begin, tmp_path: Path) -> None:
        """Whatever a program calls its files, they come home under that name and nothing else happens."""
        handle = begin(WRITE_OUTPUTS, *HOSTILE, outputs=HOSTILE)
        self.wait_for(session, handle)
        by_folder = session.get(handle, ["outputs"], tmp_path / "folder")
        by_name = session.get(handle, HOSTILE, tmp_path / "name")

        assert set(HOSTILE) == {each.name for each in by_folder} == {each.name for each in by_name}
        assert [each.name.encode() * 1000 for each in by_name] == [each.path.read_bytes() for each in by_name]
        assert HOSTILE[0].encode() * 1000 == self.whole(session, handle, HOSTILE[0])
        assert () == session.list(handle, ["outside", "outputs/outside"])

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows lets few users make links")
    def test_links_are_not_followed(self, session: Session, begin: Begin, tmp_path: Path) -> None:
        """Links, pipes and loops in a job's outputs bring nothing home."""
        handle = begin(LINKS, files=(JobFile(name="secret.bin", content=b"secret"),))
        assert Exit(code=0) == self.wait_for(session, handle).exit
        asked = ["outputs", "outputs/link.bin", "outputs/folder/secret.bin", "outputs/pipe"]
        placed = session.get(handle, asked, tmp_path / "home")

        assert ["outputs/real/file.bin"] == [each.name for each in placed]
        assert ["outputs/real/file.bin"] == [file.name for file in session.list(handle, asked)]
        for name in asked[1:]:
            assert (b"", 0) == session.read(handle, name, 0)

    @pytest.mark.parametrize("name", ["..", "../", "outputs/../../x", "/etc/hostname"])
    def test_names_that_lead_outside_are_refused(
        self, session: Session, begin: Begin, tmp_path: Path, name: str
    ) -> None:
        """Nothing outside of a job's folder is read, listed or fetched."""
        handle = begin("pass", start=False)
        with pytest.raises(InputError):
            session.read(handle, name, 0)
        with pytest.raises(InputError):
            session.list(handle, [name])
        with pytest.raises(InputError):
            session.get(handle, [name], tmp_path / "home")

    def test_removing_a_job_touches_no_other(self, session: Session, begin: Begin) -> None:
        """Remove takes the one folder, and may come twice."""
        one, other = begin("pass"), begin("print('still here')")
        self.wait_for(session, one)
        self.wait_for(session, other)
        session.remove(one)
        session.remove(one)

        assert session.find(one.key) is None
        assert JobState.ABSENT == session.poll([one])[one.key].state
        assert b"still here" in self.whole(session, other, "log.txt")

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows lets few users make links")
    def test_removing_a_job_does_not_follow_its_links(self, session: Session, begin: Begin) -> None:
        """A link from one job's folder into another's does not carry the removal there."""
        other = begin("print('still here')")
        self.wait_for(session, other)
        one = begin("import os, sys; os.symlink(sys.argv[1], 'link')", other.folder)
        self.wait_for(session, one)
        session.remove(one)

        assert b"still here" in self.whole(session, other, "log.txt")

    def test_a_sweep_ends_what_nobody_knows(self, session: Session, begin: Begin) -> None:
        """Sweep stops and removes jobs that are not known, and leaves the known ones running."""
        known, unknown, put = (
            begin(IGNORE_TERM),
            begin("import time; time.sleep(60)"),
            begin("pass", start=False),
        )
        assert () == session.sweep({known.key})
        swept = session.sweep({known.key}, age=0.0)

        assert {unknown.key, put.key} == set(swept)
        assert JobState.ACTIVE == session.poll([known])[known.key].state
        assert session.find(unknown.key) is None
        assert () == session.sweep({known.key}, age=0.0)

    def test_a_sweep_spares_what_was_put_since(self, session: Session, begin: Begin) -> None:
        """A job that appeared after the known keys were read is not ended, whatever they say."""
        old = begin("pass", start=False)
        self.wait_for(session, begin("import time; time.sleep(2.5)"))
        began = time.monotonic()
        new = begin("import time; time.sleep(60)")
        since = time.monotonic() - began

        assert old.key in session.sweep((), age=since + 2.0)
        assert session.find(old.key) is None
        assert JobState.ACTIVE == session.poll([new])[new.key].state

    def test_closing_a_session_leaves_its_jobs(self, make_session: MakeSession, begin: Begin) -> None:
        """A session that is closed, even twice, takes nothing with it."""
        handle = begin(IGNORE_TERM)
        closed = make_session()
        closed.close()
        closed.close()

        assert JobState.ACTIVE == make_session().poll([handle])[handle.key].state


class ShellContract:
    """What a transport that is laid over another relies on, beside :class:`SessionContract`.

    Mix it in: ``class TestSftpSession(ShellContract, SessionContract)``.
    """

    def test_a_command_gives_code_and_words(self, session: Shell, python: str) -> None:
        """A failing command is an answer; its output and its complaints come apart."""
        program = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"

        assert Ran(code=3, out=b"out\n", err=b"err\n") == session.run([python, "-c", program])

    def test_no_shell_sees_the_words_of_a_command(self, session: Shell, python: str) -> None:
        """Arguments and standard input arrive as they are."""
        words = ["", " ", "$(id)", "`id`", "it's", '"', "a\nb", "*", "é中", "--", "back\\slash"]
        program = "import json, sys; print(json.dumps([sys.argv[1:], sys.stdin.buffer.read().hex()]))"
        done = session.run([python, "-c", program, *words], stdin=b"\x00\xff\n" * 9999)

        assert [words, (b"\x00\xff\n" * 9999).hex()] == json.loads(done.out)

    def test_a_command_that_is_not_there_exits_with_127(self, session: Shell) -> None:
        """As in a shell; the line is not lost for it."""
        done = session.run(["no-such-program-anywhere"])

        assert 127 == done.code
        assert b"no-such-program-anywhere" in done.err

    def test_a_command_that_takes_too_long_is_given_up(self, session: Shell, python: str) -> None:
        """Whoever asked gets an error, and the session goes on."""
        with pytest.raises(HostError):
            session.run([python, "-c", "import time; time.sleep(60)"], timeout=0.5)

        assert 0 == session.run([python, "-c", "pass"]).code

    def test_what_is_left_of_jobs_is_told_by_their_files(
        self, session: Shell, begin: Begin, python: str, key: str
    ) -> None:
        """Nobody asks for a process: whoever carries jobs by other means knows better."""
        put, running, ended = begin("pass", start=False), begin(IGNORE_TERM), begin(SAY_AND_FAIL)
        while session.poll([ended])[ended.key].state is JobState.ACTIVE:
            time.sleep(0.02)
        absent = Handle(host="", key=key, folder="")
        by_hand = begin("raise SystemExit(4)", start=False)
        done = session.run([python, "-I", "-S", f"{by_hand.folder}/{launcher.PROGRAM}", by_hand.folder])
        left = session.left([put, running, ended, absent, by_hand])

        assert (0, b"") == (done.code, done.err)
        assert {
            put.key: JobStatus(state=JobState.PUT),
            running.key: JobStatus(state=JobState.ACTIVE),
            ended.key: JobStatus(state=JobState.EXITED, exit=Exit(code=3)),
            key: JobStatus(state=JobState.ABSENT),
            by_hand.key: JobStatus(state=JobState.EXITED, exit=Exit(code=4)),
        } == left

    def test_word_left_for_the_launcher_ends_a_job(self, session: Shell, begin: Begin) -> None:
        """The word is obeyed with its reason, and who leaves it does not wait."""
        handle = begin("import time; print('on', flush=True); time.sleep(60)")
        session.ask_stop(handle, why="quiet", grace=5.0)
        while (status := session.poll([handle])[handle.key]).state is JobState.ACTIVE:
            time.sleep(0.02)

        assert status.exit is not None
        assert "quiet" == status.exit.stopped


def _ask(port: int, body: bytes) -> bytes:
    """Post *body* to a server on this machine's loopback, and give its answer."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=20.0)) as line:
        line.request("POST", "/", body)
        return line.getresponse().read()


def _spooled(name: str, content: bytes = b"", *inputs: Input) -> Job:
    return Job(argv=(), files=(JobFile(name=f"{launcher.SPOOL}/{name}", content=content),), inputs=inputs)


def _sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _race(calls: list[Callable[[], object]]) -> list[object]:
    """Make all *calls* at the same moment, and give what each returned or raised."""
    gate = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> object:
        gate.wait()
        try:
            return call()
        except Exception as error:  # noqa: BLE001  (the test wants to see it)
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))
