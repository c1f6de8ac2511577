"""Jobs in containers, over a session that carries their files.

The job folder is mounted at its own path, and the container runs the launcher that lies in it. So the launcher's files
tell the state of a job, and the engine is asked only about those that have left no exit.
"""

from __future__ import annotations

import errno
import json
import math
import os
import time
from typing import TYPE_CHECKING

import attrs

from cosmos_core import jobs, launcher
from cosmos_core.errors import HostError, InputError
from cosmos_core.extend import Exit, JobState, JobStatus, Keeper, Spooling, Tunnel, silent
from cosmos_core_docker import words
from cosmos_core_docker.engine import SLOW, Engine, sentence
from cosmos_core_docker.options import DockerOptions

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from cosmos_core.extend import Freed, Handle, Host, Job, Placed, Ran, RemoteFile, Report, Shell
    from cosmos_core_docker.engine import Container, Inspected

REFUSED = 125
"""Docker's own exit code for a container that it would not make or start."""
KILLED = frozenset({137, 143})
IN_USE = b"already in use"
NO_ROOM = b"no space left on device"
AGAIN = (0.2, 1.0, 3.0, 0.0)
"""Seconds until a start that the engine did not try is asked for again; after the last one it is refused."""
PATIENCE = 5.0
"""Seconds beyond the grace that a launcher has to end its job before its container is killed."""
SWEEP_GRACE = 5.0

SETTLE = """\
cd -- "$1" || exit 1
set -C
cat >log.txt 2>/dev/null
set +C
printf %s "$2" >exit.json.engine && mv -f exit.json.engine exit.json
"""
"""Writes down an end that no launcher could: the engine's words, unless there is a log, then the exit."""


class DockerSession:
    """A session whose jobs are containers. All it knows lies in the job folders and in the engine."""

    def __init__(self, below: Shell, *, host: str, options: DockerOptions, workspace: str) -> None:
        self.below = below
        self.engine = Engine(below, options, host)
        self._host = host
        self._options = options
        self._workspace = workspace
        self._account: tuple[int, int] | None = None

    @classmethod
    def lay(cls, below: Shell, host: Host, state: Path) -> DockerSession:
        """The session for *host* over an open one."""
        workspace = jobs.owner(state)
        options = host.options if isinstance(host.options, DockerOptions) else DockerOptions()
        return cls(below, host=host.name, options=options, workspace=workspace)

    def put(self, job: Job, key: str, report: Report = silent) -> Handle:
        """Place the job's files, for a container yet to be made.

        Raises:
            InputError: there is no image for it, or a file or input of it is wrong.
            HostError: the host refuses.
        """
        words.image_of(self._options, job)
        words.network_of(self._options, job)
        words.name_of(key)
        # The container alone is given GPUs; inside of it they are numbered from 0.
        return self.below.put(attrs.evolve(job, image="", gpus=()), key, report)

    def spool(self, handle: Handle, job: Job, report: Report = silent) -> None:
        """Add to the folder that a container's job works in.

        Raises:
            InputError: a file or input of it is wrong, or the session below has no way of adding.
            HostError: the job is gone, or the host refuses.
        """
        if not isinstance(self.below, Spooling):
            raise InputError(
                f"the transport below the containers of {self._host} cannot add to a running job"
            )
        self.below.spool(handle, job, report)

    def start(self, handle: Handle, job: Job) -> None:
        """Make the job's container and start it, once, whoever asks.

        What Docker refuses (an image that is not there, a GPU that cannot be given) is the job's end, with Docker's
        words for its log; only an engine that does not answer raises.

        Raises:
            HostError: there is nobody to answer, or the job was never put.
        """
        if self.below.find(handle.key) is None:
            raise HostError(f"there is no job {handle.key} on {self._host} to start")
        if self._left(handle).state is not JobState.PUT:
            return
        if self._create(handle, job):
            self._start(handle)

    def find(self, key: str) -> Handle | None:
        """The job of that key, whoever put it there; None when there is no trace of it."""
        return self.below.find(key)

    def poll(self, handles: Sequence[Handle]) -> Mapping[str, JobStatus]:
        """The state of each, by key: what launchers left first, then one question for all others' containers.

        Raises:
            HostError: the line is lost, or no engine answers for jobs that have not ended.
        """
        left = dict(self.below.left(handles))
        open_ = [each for each in handles if left[each.key].state in {JobState.PUT, JobState.ACTIVE}]
        failed = [each for each in handles if _may_be_memory(left[each.key])]
        try:
            found, ends = self._look([*open_, *failed])
        except HostError:
            # How a job ended is written down; only why it failed could be said better.
            if open_:
                raise
            return left
        if open_:
            # Whatever ended between the two looks left its exit meanwhile.
            left |= self.below.left(open_)
        for each in handles:
            name = words.name_of(each.key)
            left[each.key] = self._judge(each, left[each.key], found.get(name), ends.get(name))
        return left

    def read(self, handle: Handle, name: str, cursor: int, limit: int = 1 << 20) -> tuple[bytes, int]:
        """Up to *limit* bytes of a file of the job from byte *cursor*, and the next cursor. Missing file: empty."""
        return self.below.read(handle, name, cursor, limit)

    def list(self, handle: Handle, names: Iterable[str]) -> tuple[RemoteFile, ...]:
        """The regular files at or below *names*. Links are not followed."""
        self._own(handle)
        return self.below.list(handle, names)

    def get(
        self, handle: Handle, names: Iterable[str], into: Path, report: Report = silent
    ) -> tuple[Placed, ...]:
        """Bring files home under *into*, digests taken on both sides.

        Raises:
            HostError: the host refuses, or a file changed while it was fetched.
        """
        self._own(handle)
        return self.below.get(handle, names, into, report)

    def stop(self, handle: Handle, *, why: str = "cancelled", grace: float = 10.0) -> None:
        """Ask the job's launcher to end it, wait, and kill its container when it has not.

        Raises:
            HostError: it cannot be killed, or the host does not answer.
        """
        if self._state(handle) not in {JobState.PUT, JobState.ACTIVE}:
            return
        try:
            self.below.ask_stop(handle, why=why, grace=grace)
        except HostError:
            # The disk is full, perhaps of this very job: a signal asks for the same in fewer words.
            self._ask("stop", "-t", str(math.ceil(grace)), words.name_of(handle.key))
        if self._has_ended(handle, within=grace + PATIENCE):
            return
        self._ask("kill", words.name_of(handle.key))
        if not self._has_ended(handle, within=PATIENCE):
            raise HostError(f"job {handle.key} on {self._host} cannot be killed")

    def remove(self, handle: Handle) -> None:
        """Remove the job's container, then its folder. Removing a removed one is no error.

        Raises:
            HostError: the engine or the host refuses; what is left is removed by another try.
        """
        if self.below.find(handle.key) is None:
            return
        if self._state(handle) is JobState.ACTIVE:
            self.stop(handle, grace=SWEEP_GRACE)
        if (found := self._container(handle)) is not None:
            if found.lives:
                # Its launcher has written its exit, and leaves in a moment.
                self._ask("stop", "-t", "1", found.name)
            # In this order every step can be taken again: the files are ours before the image may go.
            self._own(handle)
            self._drop(found)
        self.below.remove(handle)

    def sweep(self, known: Collection[str], *, age: float = 600.0) -> tuple[str, ...]:
        """Stop and remove this workspace's containers and folders that are *age* seconds old or older and not *known*."""
        ours = self.engine.list([f"label={words.WORKSPACE}={self._workspace}"])
        strange = [each for each in ours.values() if each.key and each.key not in known]
        before = self.engine.now() - age if strange else 0.0
        gone = [each for each in strange if each.birth <= before]
        for each in gone:
            if (handle := self.below.find(each.key)) is not None:
                self.remove(handle)
            else:
                self._drop(each)
        # A container may be younger than its folder.
        spared = {each.key for each in strange} - {each.key for each in gone}
        return tuple(sorted({*(each.key for each in gone), *self.below.sweep({*known, *spared}, age=age)}))

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0) -> Ran:
        """Run a short command on the host itself, not in a container: what a backend's check looks at lies there.

        Raises:
            HostError: the line is lost, or it takes longer than *timeout* seconds.
        """
        return self.below.run(argv, stdin=stdin, timeout=timeout)

    def free(self, *, dry: bool = False) -> Freed:
        """Remove the inputs kept on the host that no job there needs; with *dry* only say what would go.

        Raises:
            InputError: what carries the files keeps none.
        """
        if not isinstance(self.below, Keeper):
            raise InputError(f"host {self._host} keeps no inputs", hint="only hosts at the end of a line do")
        return self.below.free(dry=dry)

    def tunnel(self, port: int, *, at: int = 0) -> AbstractContextManager[int]:
        """Lead to *port* of the host's loopback, where a job that serves listens.

        Raises:
            InputError: what carries the files leads nobody there.
        """
        if not isinstance(self.below, Tunnel):
            raise InputError(f"host {self._host} cannot be tunnelled to")
        return self.below.tunnel(port, at=at)

    def close(self) -> None:
        """Let go of the line. Jobs go on."""
        self.below.close()

    def _look(self, handles: Sequence[Handle]) -> tuple[Mapping[str, Container], Mapping[str, Inspected]]:
        """The containers of these jobs by name, and how those that are not alive ended."""
        found = self.engine.named(words.name_of(each.key) for each in handles)
        return found, self.engine.inspect([each.name for each in found.values() if not each.lives])

    def _left(self, handle: Handle) -> JobStatus:
        return self.below.left([handle])[handle.key]

    def _state(self, handle: Handle) -> JobState:
        return self.poll([handle])[handle.key].state

    def _has_ended(self, handle: Handle, *, within: float) -> bool:
        end, pause = time.monotonic() + within, 0.02
        while self._state(handle) is JobState.ACTIVE:
            if time.monotonic() > end:
                return False
            time.sleep(pause)
            pause = min(pause * 1.5, 0.5)
        return True

    def _container(self, handle: Handle) -> Container | None:
        """The very container of a job.

        Raises:
            HostError: its name is another's.
        """
        name = words.name_of(handle.key)
        found = self.engine.named([name]).get(name)
        if found is not None and found.key != handle.key:
            raise HostError(
                f"a container {name} that is not ours is in the way on {self._host}",
                hint=f"docker rename {name} <another name>",
            )
        return found

    def _create(self, handle: Handle, job: Job) -> bool:
        """Whether there is a container that waits to be started, ours or of whoever was quicker.

        Where Docker refused to make it, the job has ended.
        """
        asked = words.create(self._options, job, handle.key, handle.folder, self._workspace)
        end = time.monotonic() + SLOW
        while True:
            ran = self.engine.create(asked)
            if not ran.code:
                return True
            # Asked of the engine again: it answers, and somebody else may have the name.
            if (found := self._container(handle)) is not None:
                return found.state == "created"
            self._refuse_full(ran)
            if IN_USE not in ran.err:
                self._settle(
                    handle, Exit(code=REFUSED), f"docker could not make the container: {sentence(ran)}"
                )
                return False
            # Somebody is making it at this moment: it has the name and is not listed yet.
            if time.monotonic() > end:
                raise HostError(f"the name of job {handle.key} is in use on {self._host}: {sentence(ran)}")
            time.sleep(0.1)

    def _start(self, handle: Handle) -> None:
        for pause in AGAIN:
            ran = self.engine.say("start", words.name_of(handle.key))
            if not ran.code:
                return
            self._refuse_full(ran)
            found = self._container(handle)
            if found is None or found.state != "created":
                return
            facts = self.engine.inspect([found.name]).get(found.name)
            # A start that was tried and failed leaves a code. Without one it was not tried, as when another is under way.
            if (facts and facts.code) or not pause:
                code = facts.code if facts and facts.code else REFUSED
                said = f"docker could not start the container: {sentence(ran)}"
                self._settle(handle, Exit(code=code), said)
                return
            time.sleep(pause)

    def _refuse_full(self, ran: Ran) -> None:
        """Raise an error that is known for a full disk, if that is what Docker complains of: no job is to blame."""
        if NO_ROOM in ran.err.lower():
            full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            raise HostError(
                f"Docker has no room on {self._host}: {sentence(ran)}",
                hint="look there: docker system df; and make room: docker system prune",
            ) from full

    def _judge(
        self, handle: Handle, left: JobStatus, container: Container | None, ended: Inspected | None
    ) -> JobStatus:
        """What is true of a job, by its files and its container."""
        if left.state is JobState.EXITED and left.exit is not None:
            return self._judge_exit(handle, left, left.exit, ended)
        if left.state not in {JobState.PUT, JobState.ACTIVE}:
            return left
        if container is not None and container.lives:
            return JobStatus(state=JobState.ACTIVE)
        if left.state is JobState.PUT and (ended is None or (container and _is_unborn(container, ended))):
            return left
        if ended is None:
            return JobStatus(state=JobState.LOST, reason="its container is gone and left no exit")
        return self._judge_end(handle, left, ended)

    def _judge_end(self, handle: Handle, left: JobStatus, ended: Inspected) -> JobStatus:
        """A container that ended, or could not begin, without a word of its launcher."""
        if why := self._asked_to_stop(handle):
            return self._settle(handle, Exit(code=ended.code, stopped=why, oom=ended.oom))
        if ended.oom:
            return self._settle(handle, Exit(code=ended.code, oom=True), "out of memory")
        if left.state is JobState.ACTIVE or ended.code in KILLED:
            reason = f"its container was killed from outside (exit code {ended.code})"
            return JobStatus(state=JobState.LOST, reason=reason)
        said = ended.error or self.engine.last_words(words.name_of(handle.key)) or "it said nothing"
        reason = f"the container ended with code {ended.code} before the job began: {said}"
        return self._settle(handle, Exit(code=ended.code or REFUSED), reason)

    def _judge_exit(self, handle: Handle, left: JobStatus, exit_: Exit, ended: Inspected | None) -> JobStatus:
        """A launcher's own word, where the engine may know better why."""
        if exit_.stopped == "cancelled" and not self._asked_to_stop(handle):
            # The engine was shut down, or somebody typed docker stop: nobody of ours cancelled anything.
            return JobStatus(state=JobState.LOST, reason="its container was stopped from outside")
        if ended is not None and ended.oom and exit_.code and not exit_.stopped:
            return attrs.evolve(left, exit=attrs.evolve(exit_, oom=True))
        return left

    def _asked_to_stop(self, handle: Handle) -> str:
        """Why we asked the job to end; empty when we did not."""
        found, _ = self.below.read(handle, launcher.STOP, 0)
        return found.decode("utf-8", "replace").partition("\n")[0].strip()

    def _settle(self, handle: Handle, exit_: Exit, said: str = "") -> JobStatus:
        """Write an end that no launcher could into the job's folder, where every process finds it."""
        facts = {"code": exit_.code, "stopped": exit_.stopped, "oom": exit_.oom, "ended": time.time()}
        ran = self.below.run(
            ["sh", "-c", SETTLE, "sh", handle.folder, json.dumps(facts)],
            stdin=f"{said}\n".encode() if said else b"",
        )
        if ran.code:
            raise HostError(f"cannot write how job {handle.key} ended on {self._host}: {sentence(ran)}")
        return JobStatus(state=JobState.EXITED, exit=exit_, reason=said)

    def _own(self, handle: Handle) -> None:
        """Make what a container's user wrote ours to read and, once its processes are gone, ours to remove.

        A container that runs as root writes as root, and whoever reaches the host need not be.
        """
        user, group = self._account = self._account or self._who()
        if user == 0 or not self._strays(handle, "-user", str(user)):
            return
        if (found := self._container(handle)) is None or not (facts := self.engine.inspect([found.name])):
            return
        image = facts[found.name].image
        if not found.lives:
            self.engine.ask(*words.hand_over(self._options, image, handle.folder, (user, group)))
        elif self._strays(handle, "-readable"):
            # Its files must stay its own: it need not be root, and is not done with them.
            self.engine.ask(*words.let_read(self._options, image, handle.folder))

    def _strays(self, handle: Handle, *test: str) -> bool:
        """Whether a file of the job fails *test* of ``find``."""
        argv = ["find", handle.folder, "!", "-type", "l", "!", *test, "-print", "-quit"]
        return bool(self.below.run(argv, timeout=300.0).out)

    def _who(self) -> tuple[int, int]:
        """The account that reaches the host."""
        user, group = (self.below.run(["id", which]).out for which in ("-u", "-g"))
        return int(user), int(group)

    def _drop(self, container: Container) -> None:
        self._ask("rm", "--force", container.name)

    def _ask(self, *asked: str) -> None:
        """Say *asked* about a container that may be gone, or be as we want it, by the time Docker hears of it."""
        ran = self.engine.say(*asked)
        if ran.code and not any(
            word in ran.err for word in (b"No such container", b"is not running", b"already in progress")
        ):
            raise HostError(f"docker {asked[0]} failed on {self._host}: {sentence(ran)}")


def _may_be_memory(left: JobStatus) -> bool:
    """Whether a job failed for a reason that its launcher does not know, and the engine may."""
    return left.exit is not None and left.exit.code != 0 and not (left.exit.stopped or left.exit.oom)


def _is_unborn(container: Container, ended: Inspected) -> bool:
    """Whether it was made and nobody tried to start it yet."""
    return container.state == "created" and not ended.code
