"""Watches the folder the courseware falls into and says which files are whole, which are broken and which are gone.

The scan is the truth; nothing rests on the kernel telling of changes. It never writes into the folder.
"""

import errno
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from agent.probes import _media, _names, _tree
from agent.probes._hashing import FileChangedError, Job, Outcome
from agent.probes._inventory import SCAN, Entry, Known, Mark, Status, memo_key, path_of, read_entries, read_mark
from agent.probes._ledger import Ledger
from agent.probes._length import ask_length
from agent.probes._manifest import Manifests
from agent.probes.base import Probe, ProbeSettings, Reading, Surroundings
from shared.clock import Instant
from shared.wire.kinds import Source
from shared.wire.states import CoursewareState

__all__ = ["PROBE", "CoursewareSensor", "CoursewareSettings", "memo_key"]

_SUFFIXES = "wmv asf wma avi mpg mpeg vob dat mp4 flv rm rmvb mp3 ts mkv ppt pptx doc docx pdf htm html swf zip"
_PARTIAL = (b".part", b".tmp", b".crdownload")
_HIDDEN = b".~"
_MAX_MOUNTS = 20
_MIB = 1024 * 1024
_FACTS_A_LOOK = 500
_FILM_SUFFIXES = "wmv asf wma avi mpg mpeg vob dat mp4 flv rm rmvb mp3 ts mkv"
_FILMS = tuple(b"." + each for each in _FILM_SUFFIXES.encode().split())
_ASKED_BYTES = 8 * _MIB
"""What asking for a length counts for in the budget of a look."""
_PLAYING_SHARE = 8
_OPEN = frozenset({Status.PRESENT, Status.UNREADABLE})
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, None})


class CoursewareSettings(ProbeSettings):
    """`settle_s` seconds a file must stay the same; `budget_mib` MiB read a look, an eighth of it during a playing.

    `ffprobe` is the program to ask for the length of films that do not tell it; without it that stays unknown.
    """

    directory: Path = Path("/srv/courseware")
    suffixes: frozenset[str] = frozenset(_SUFFIXES.split())
    settle_s: Annotated[int, Field(ge=0, le=86_400)] = 60
    source: Source = "satellite"
    budget_mib: Annotated[int, Field(ge=1, le=65_536)] = 512
    ffprobe: Path | None = None
    max_entries: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000


@dataclass(slots=True)
class Seen:
    """A version not taken in yet: since when it has been the same, in how many looks."""

    version: _tree.Version
    since: Instant
    looks: int = 1


@dataclass(slots=True)
class Telling:
    """The inventory being told again: since when, and which files are `left`."""

    since: Instant
    left: list[bytes]


@dataclass(slots=True)
class CoursewareSensor:
    """Keeps in memory only what may be lost: files still settling, the file being read, what senders promise.

    `doubted`: files taken in already of which a sender has told another sum since; they are read again.
    """

    settings: CoursewareSettings
    surroundings: Surroundings
    settling: dict[bytes, Seen] = field(default_factory=dict)
    job: Job | None = None
    known: Known | None = None
    again: bool = False
    telling: Telling | None = None
    manifests: Manifests = field(default_factory=Manifests)
    doubted: set[bytes] = field(default_factory=set)

    def retell(self) -> None:
        """Tell every whole file again, from the next look on. For any thread."""
        self.again = True

    def read(self, now: Instant) -> Reading:
        root = os.path.realpath(os.fsencode(self.settings.directory))
        known = self._recall()
        mark, entries = known.mark, known.entries
        tree = _walk(root, self.settings.max_entries)
        if tree is None or (mark is not None and is_unmounted(root, tree, mark, entries)):
            self.known = known
            return Reading(state=_state(now, known, readable=False))
        if mark is not None:
            # Of a disc, a drive or a share that is away nobody can tell what lies on it.
            tree.blind += [path_of(key).removeprefix(root + b"/") for key in mark.list_away(_mounts_of(root, tree))]
        ledger = Ledger(root, self.settings.source, _mark_for(root, tree, mark), entries)
        files = self._choose(root, tree)
        self._follow_manifests(ledger, tree, files)
        if mark is None or mark.root != ledger.mark.root:
            ledger.note_present(files)
        _note_gone(ledger, tree, files)
        self._settle(ledger, files, now)
        is_read = self._work(ledger, now)
        self._tell_again(ledger, now, is_read=is_read)
        if ledger.mark != mark:
            ledger.memo[SCAN] = ledger.mark.model_dump_json()
        after = known if not ledger.memo else Known(known.memory, ledger.mark, entries)
        state = _state(now, after, incoming=self._count_incoming(ledger, tree), capped=tree.capped)
        return Reading(state=state, facts=ledger.facts, memo=ledger.memo, done=partial(self._keep, after))

    def _recall(self) -> Known:
        """What is remembered: read anew, unless all that the last look said is durable and nothing came between."""
        memory = self.surroundings.memory_name()
        known, self.known = self.known, None
        if known is not None and known.memory == memory:
            return known
        memo = self.surroundings.recall()
        return Known(memory, read_mark(memo), read_entries(memo))

    def _keep(self, known: Known) -> None:
        self.known = known

    def _choose(self, root: bytes, tree: _tree.Tree) -> dict[bytes, _tree.Version]:
        """The files that may be courseware, by absolute path."""
        suffixes = tuple(b"." + each.encode() for each in self.settings.suffixes)
        return {
            b"%b/%b" % (root, path): version
            for path, version in tree.files.items()
            if path.lower().endswith(suffixes) and path[path.rfind(b"/") + 1] not in _HIDDEN
        }

    def _follow_manifests(self, ledger: Ledger, tree: _tree.Tree, files: Mapping[bytes, _tree.Version]) -> None:
        changed = self.manifests.follow(ledger.root, tree.files)
        self.doubted = {path for path in self.doubted | changed if path in files and self._is_doubtful(ledger, path)}

    def _is_doubtful(self, ledger: Ledger, path: bytes) -> bool:
        """Whether the sum now told may turn what was made of this file."""
        entry = ledger.entries.get(path)
        if entry is None or entry.status is Status.REJECTED:
            return entry is not None
        return entry.sha256 is not None and self.manifests.sums.get(path, entry.sha256) != entry.sha256

    def _settle(self, ledger: Ledger, files: Mapping[bytes, _tree.Version], now: Instant) -> None:
        """Bring the waiting list up to date: new and changed files on it, known and vanished ones off."""
        waiting: dict[bytes, Seen] = {}
        for path, version in files.items():
            entry = ledger.entries.get(path)
            is_same = entry is not None and entry.version == version and entry.status not in _OPEN
            if is_same and path not in self.doubted:
                continue
            seen = self.settling.get(path)
            same = seen is not None and seen.version == version
            waiting[path] = Seen(version, seen.since, seen.looks + 1) if seen and same else Seen(version, now)
        self.settling = waiting

    def _settled(self, now: Instant) -> Iterator[tuple[bytes, Seen]]:
        """Files that have stayed the same long enough, the one being read first."""
        going = self.job.path if self.job is not None else b""
        for path, seen in sorted(self.settling.items(), key=lambda item: item[0] != going):
            long_enough = now.mono_ms - seen.since.mono_ms >= self.settings.settle_s * 1000
            if seen.version.size and seen.looks >= 2 and long_enough:
                yield path, seen

    def _work(self, ledger: Ledger, now: Instant) -> bool:
        """Read settled files as far as the look's budget goes, the next look reads on; whether that were all."""
        budget = self._budget()
        for path, seen in self._settled(now):
            if budget <= 0 or len(ledger.facts) >= _FACTS_A_LOOK:
                return False
            job = self._job_for(ledger.root, path, seen.version)
            start = job.offset
            outcome = self._attempt(job, budget)
            budget -= job.offset - start
            self.job = job if outcome is None else None
            if outcome is not None and self._lacks_length(path, outcome):
                outcome = replace(outcome, duration_s=self._ask_length(job))
                budget -= _ASKED_BYTES
            if outcome is not None and not outcome.hole:
                outcome = self._compare(path, outcome)
                if self.telling is not None and not ledger.lay_here(path):
                    # Received at a moment that may lie before the telling began.
                    self.telling.left.append(path)
                ledger.note_read(path, seen.version, outcome, since=seen.since)
                del self.settling[path]
                self.doubted.discard(path)
        return self.job is None

    def _budget(self) -> int:
        """Bytes this look may read: little while a lesson plays from the same disk."""
        playback = self.surroundings.latest("playback") or {}
        return self.settings.budget_mib * _MIB // (_PLAYING_SHARE if playback.get("playing") else 1)

    def _job_for(self, root: bytes, path: bytes, version: _tree.Version) -> Job:
        if self.job is not None and self.job.path == path and self.job.version == version:
            return self.job
        return Job(root, path, version)

    def _attempt(self, job: Job, budget: int) -> Outcome | None:
        """Read on; None when there is more to read, or another file by now: the next scan sees which."""
        try:
            return job.proceed(budget)
        except FileChangedError:
            return None
        except OSError as error:
            if error.errno in _GONE:
                return None
            finding = _media.Finding(_media.UNREADABLE, os.strerror(error.errno or 0))
            return Outcome(finding=finding, again=True)

    def _compare(self, path: bytes, outcome: Outcome) -> Outcome:
        """Hold what was read against what its sender promised."""
        promised = self.manifests.sums.get(path, outcome.sha256)
        if outcome.finding is not None or promised == outcome.sha256:
            return outcome
        finding = _media.Finding(_media.ALTERED, f"SHA-256 {outcome.sha256}, the sender tells {promised}")
        return replace(outcome, finding=finding)

    def _tell_again(self, ledger: Ledger, now: Instant, *, is_read: bool) -> None:
        """As many as a look may tell, the next looks go on; at last that those were all.

        Not before all that lay here unread is read: a memory that was lost does not make a film vanish.
        """
        if self.again:
            self.again, self.telling = False, Telling(now, sorted(ledger.entries))
        if self.telling is None:
            return
        room = max(0, _FACTS_A_LOOK - len(ledger.facts))
        for path in self.telling.left[:room]:
            ledger.tell_again(path)
        self.telling.left = self.telling.left[room:]
        if is_read and not self.telling.left and not any(self._is_unread(ledger, now)):
            ledger.tell_listed(took_s=(now.mono_ms - self.telling.since.mono_ms) / 1000)
            self.telling = None

    def _is_unread(self, ledger: Ledger, now: Instant) -> Iterator[bool]:
        """Of each file still settling, whether it lay here before anybody watched and its time has yet to come."""
        settled = {path for path, _ in self._settled(now)}
        for path in self.settling.keys() - settled:
            yield ledger.lay_here(path) and self.settling[path].version.size > 0

    def _lacks_length(self, path: bytes, outcome: Outcome) -> bool:
        film = path.lower().endswith(_FILMS)
        return self.settings.ffprobe is not None and film and outcome.sha256 is not None and outcome.duration_s is None

    def _ask_length(self, job: Job) -> float | None:
        try:
            descriptor = job.reopen()
        except OSError:
            return None
        try:
            return None if self.settings.ffprobe is None else ask_length(self.settings.ffprobe, descriptor)
        finally:
            os.close(descriptor)

    def _count_incoming(self, ledger: Ledger, tree: _tree.Tree) -> int:
        """Files on their way: not settled, with holes, empty, or under the name of a download that still runs."""
        entries = ledger.entries
        waiting = sum(path not in entries or entries[path].status is not Status.UNREADABLE for path in self.settling)
        return waiting + sum(path.lower().endswith(_PARTIAL) for path in tree.files)


def _walk(root: bytes, max_entries: int) -> _tree.Tree | None:
    try:
        return _tree.walk(root, max_entries=max_entries)
    except OSError:
        return None


def is_unmounted(root: bytes, tree: _tree.Tree, mark: Mark, entries: Mapping[bytes, Entry]) -> bool:
    """Whether this is the bare mount point of a disk that is away, whatever was put into it meanwhile.

    Where the disk cannot be told from the one below it: another folder than before, and nothing in it.
    """
    if mark.root == memo_key(root) and memo_key(root) in mark.list_away(_mounts_of(root, tree)):
        return True
    return bool(entries) and not tree.files and tree.identity != (mark.device, mark.inode)


def _mounts_of(root: bytes, tree: _tree.Tree) -> list[str]:
    """Keys of the mounts a walk has seen."""
    return [memo_key(b"%b/%b" % (root, path)) for path in tree.mounts]


def _mark_for(root: bytes, tree: _tree.Tree, mark: Mark | None) -> Mark:
    device, inode = tree.identity
    mounts = _mounts_of(root, tree)
    if mark is not None and mark.root == memo_key(root):
        mounts = (mounts + mark.list_away(mounts))[:_MAX_MOUNTS]
    known = {"root": memo_key(root), "device": device, "inode": inode, "mounts": sorted(mounts)}
    return Mark.model_validate(known) if mark is None else mark.model_copy(update=known)


def _note_gone(ledger: Ledger, tree: _tree.Tree, files: Mapping[bytes, _tree.Version]) -> None:
    for path in [path for path in ledger.entries if path not in files]:
        if len(ledger.facts) >= _FACTS_A_LOOK:
            return
        if tree.can_tell(path.removeprefix(ledger.root + b"/")):
            ledger.note_gone(path)


def _state(now: Instant, known: Known, **seen: Any) -> Mapping[str, Any]:
    mark, sums = known.mark, known.sums
    same_boot = mark is not None and mark.received_boot == now.boot
    return CoursewareState(
        files=sums.files,
        bytes=sums.size,
        last_received_ms=mark.received_ms if mark is not None else None,
        last_received_mono=mark.received_mono if mark is not None and same_boot else None,
        corrupt=[_names.text_of(name) for name in sums.corrupt],
        digest=sums.digest,
        **seen,
    ).model_dump()


PROBE = Probe(
    settings=CoursewareSettings,
    every_s=30,
    limit_s=180,
    make=CoursewareSensor,
    sample={
        "files": 2,
        "bytes": 734_003_200,
        "last_received_ms": 1_795_464_499_000,
        "last_received_mono": 86_400_000,
        "incoming": 1,
        "corrupt": ["乡村振兴 第3讲.mp4"],
        "digest": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "readable": True,
        "capped": False,
    },
)
