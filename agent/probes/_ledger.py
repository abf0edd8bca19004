"""One look at the courseware in the making: which facts it brings and what is to be remembered for them."""

from dataclasses import dataclass, field

from agent.probes import _names
from agent.probes._hashing import Outcome
from agent.probes._inventory import Entry, Mark, Status, dump_entry, memo_key
from agent.probes._tree import Version
from agent.probes.base import Fact
from shared.clock import Instant
from shared.wire.kinds import CoursewareFile, CoursewareListed, CoursewareRejected, CoursewareRemoved, Source


@dataclass(slots=True)
class Ledger:
    """`entries` (by absolute path) are kept in step with what goes into `memo`."""

    root: bytes
    source: Source
    mark: Mark
    entries: dict[bytes, Entry]
    facts: list[Fact] = field(default_factory=list)
    memo: dict[str, str | None] = field(default_factory=dict)

    def name(self, path: bytes) -> str:
        """Readable path below the watched folder."""
        return _names.text_of(path.removeprefix(self.root + b"/"))

    def lay_here(self, path: bytes) -> bool:
        """Whether this file lay here before anybody watched, and has not been read yet."""
        entry = self.entries.get(path)
        return entry is not None and entry.status is Status.PRESENT

    def note_present(self, files: dict[bytes, Version]) -> None:
        """Remember what lay here before anybody watched: it was found, not received."""
        for path, version in files.items():
            if path not in self.entries:
                self._remember(path, Entry(version, Status.PRESENT))

    def tell_again(self, path: bytes) -> None:
        """Say of a whole file that it is here, though that was told before. Its length is known to the centre."""
        entry = self.entries.get(path)
        if entry is not None and entry.sha256 is not None:
            name, size = self.name(path), entry.version.size
            told = CoursewareFile(
                sha256=entry.sha256, name=name, title=_names.title_of(path), size=size, source=self.source
            )
            self.facts.append(Fact("courseware.found", told.model_dump()))

    def tell_listed(self, *, took_s: float) -> None:
        """Say that every whole file has been told again since so many seconds: what was not, is not here."""
        self.facts.append(Fact("courseware.listed", CoursewareListed(took_s=took_s).model_dump()))

    def note_gone(self, path: bytes) -> None:
        self._tell_removed(path)
        del self.entries[path]
        self.memo[memo_key(path)] = None

    def note_read(self, path: bytes, version: Version, outcome: Outcome, *, since: Instant) -> None:
        """Take in what reading the settled file brought; `since` is when this version was first seen."""
        if outcome.finding is not None:
            self._note_broken(path, version, outcome)
        elif outcome.sha256 is not None:
            self._note_whole(path, version, outcome, outcome.sha256, since)

    def _note_broken(self, path: bytes, version: Version, outcome: Outcome) -> None:
        before = self.entries.get(path)
        status = Status.UNREADABLE if outcome.again else Status.REJECTED
        if outcome.finding is None or (before is not None and before.status is status and before.version == version):
            return
        self._tell_removed(path)
        found = outcome.finding
        told = CoursewareRejected(name=self.name(path), size=version.size, reason=found.reason, detail=found.detail)
        self.facts.append(Fact("courseware.rejected", told.model_dump()))
        self._remember(path, Entry(version, status))

    def _note_whole(self, path: bytes, version: Version, outcome: Outcome, sha256: str, since: Instant) -> None:
        before = self.entries.get(path)
        if before is None or before.sha256 != sha256:
            self._tell_removed(path)
            told = CoursewareFile(
                sha256=sha256,
                name=self.name(path),
                title=_names.title_of(path),
                size=version.size,
                source=self.source,
                duration_s=outcome.duration_s,
            )
            lay_here = before is not None and before.status is Status.PRESENT and before.version == version
            if lay_here:
                self.facts.append(Fact("courseware.found", told.model_dump()))
            else:
                self.facts.append(Fact("courseware.received", told.model_dump(), at=since))
                self.mark = self.mark.received(since)
        self._remember(path, Entry(version, Status.WHOLE, sha256))

    def _remember(self, path: bytes, entry: Entry) -> None:
        self.entries[path] = entry
        self.memo[memo_key(path)] = dump_entry(entry)

    def _tell_removed(self, path: bytes) -> None:
        entry = self.entries.get(path)
        if entry is not None and entry.sha256 is not None:
            gone = CoursewareRemoved(sha256=entry.sha256, name=self.name(path))
            self.facts.append(Fact("courseware.removed", gone.model_dump()))
