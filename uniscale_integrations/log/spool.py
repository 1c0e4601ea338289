"""Where events wait for a log that does not take them: files beside it that outlive the process, of which each has one owner."""

from __future__ import annotations

import errno
import json
import logging
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from tempfile import gettempdir
from typing import Protocol, runtime_checkable

from uniscale_integrations.concurrency.forks import ForkLock, follow_forks
from uniscale_integrations.errors import LogError
from uniscale_integrations.log.events import Event, event_of, jsonable, new_id
from uniscale_integrations.texts import utf8_safe

try:
    import fcntl
except ImportError:  # Windows, where a file of a process that has ended cannot be told from one that is in use.
    fcntl = None  # type: ignore[assignment]

LIMIT = 64 * 1024 * 1024
"""Bytes that a spool may hold."""

SUFFIX = ".events.jsonl"

DIGEST = 8
"""Bytes that tell a log from others."""

TRIES = 100
"""Files that are begun for one, where others remove them or their folder before they are locked."""

_log = logging.getLogger(__name__)


class Spool:
    """An append-only file of events, a line of JSON for each.

    It is made when the first event comes, and goes when all have arrived in the log. A process that ends before leaves it to whoever opens
    the log next on this host; that it was written twice then does no harm, since events have ids.

    Args:
        folder: where it is; several workers may share one.
        limit: bytes that it may hold.
        former: where else processes may have left events of the same log.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from uniscale_integrations.log.events import Feedback
        >>> with TemporaryDirectory() as folder:
        ...     spool = Spool(Path(folder) / "spool")
        ...     _ = spool.append([Feedback("d1", 1.0)])
        ...     spool.close()
        ...     [[event.decision_id for event in left.events] for left in Spool(Path(folder) / "spool").abandoned()]
        [['d1']]
    """

    def __init__(self, folder: Path, limit: int = LIMIT, former: Sequence[Path] = ()) -> None:
        self._folder, self._limit, self._former = folder, limit, tuple(former)
        self._lock = ForkLock()
        self._file: _OwnFile | None = None
        self._lost = False

    @property
    def gone(self) -> bool:
        """Whether somebody has removed the file with what is kept in it."""
        with self._lock:
            return self._lost or (self._file is not None and self._file.gone)

    def append(self, events: Sequence[Event]) -> bool:
        """Keep events; when this returns they are on the disk. Returns whether what was kept before is gone, and another file begun.

        Raises:
            LogError: there is no room, or they cannot be written.
        """
        lines = b"".join(map(_line, events))
        with self._lock:
            try:
                if self._file is not None and self._file.gone:
                    # Also where somebody has removed the folder.
                    self._file.let_go()
                    self._file, self._lost = None, True
                self._file = self._file or _OwnFile.new(self._folder)
                if self._file.size + len(lines) > self._limit:
                    raise LogError(f"{self._file.path} holds {self._file.size} bytes already, and may hold {self._limit}")
                self._file.write(lines)
                lost, self._lost = self._lost, False
                return lost
            except OSError as error:
                raise LogError(f"cannot write to {self._folder}: {error}") from error

    def clear(self) -> None:
        """All that was appended has arrived."""
        with self._lock:
            self._lost = False
            if self._file is not None:
                self._file.remove()
                self._file = None

    def close(self) -> None:
        """Let go of what has not arrived, so that another may take it over."""
        with self._lock:
            if self._file is not None:
                self._file.let_go()
                self._file = None

    def abandoned(self) -> Iterator[Abandoned]:
        """What processes have left that ended before it had arrived."""
        # The oldest first: judgements must not overtake what they judge.
        for path in sorted(self._files(), key=_age):
            with self._lock:
                # A process that is forked in the middle of it would have the file open, and not know.
                file = _OwnFile.of_nobody(path)
            if file is None:
                continue
            try:
                left = Abandoned(file)
            except OSError as error:
                file.let_go()
                _log.warning("%s cannot be read, and is left as it is: %s", path, error)
            else:
                yield left

    def in_use(self) -> int:
        """How many processes that go on keep events here which have not arrived yet."""
        count = 0
        for path in self._files():
            with self._lock:
                file = _OwnFile.of_nobody(path)
            if file is None:
                count += path.is_file() and not path.is_symlink()
            else:
                file.let_go()
        return count

    def _files(self) -> list[Path]:
        """Those of all processes."""
        paths = list[Path]()
        for folder in (self._folder, *self._former) if fcntl is not None else ():
            with suppress(FileNotFoundError):
                paths += folder.glob(f"*{SUFFIX}") if folder.is_dir() else ()
        return paths

    @property
    def place(self) -> Path:
        """The file, or the folder as long as there is none."""
        return self._folder if self._file is None else self._file.path


class Abandoned:
    """Events that somebody has left.

    Attributes:
        events: in their order; a line that was cut off in the middle is none.
    """

    def __init__(self, file: _OwnFile) -> None:
        self._file = file
        self.events, self._unread = _read(file)

    @property
    def gone(self) -> bool:
        """Whether somebody else has removed the file."""
        return self._file.gone

    def refuse(self, events: Sequence[Event]) -> None:
        """Take events for lines that cannot be read, as the log takes them for none."""
        self._unread += [_line(each).rstrip(b"\n") for each in events]

    def shrink(self, events: Sequence[Event]) -> Path:
        """Leave only these of its events to whoever opens the log next; returns where.

        Raises:
            OSError: they cannot be written, and all of it stays.
        """
        file = _OwnFile.new(self._file.path.parent)
        try:
            file.write(b"".join(map(_line, events)))
        except BaseException:
            file.remove()
            raise
        self.remove()
        file.let_go()
        return file.path

    def remove(self) -> None:
        """All of it that can be read has arrived; of lines that cannot, whoever wrote them may know more."""
        if self._unread:
            path = self._file.path
            kept = path.with_suffix(".unread")
            try:
                kept.write_bytes(b"\n".join(self._unread))
            except OSError as error:
                self.leave()
                _log.warning("%s stays, since %d of its lines cannot be read, nor kept: %s", path, len(self._unread), error)
                return
            _log.warning("%d lines of %s cannot be read, and are kept in %s", len(self._unread), path, kept)
        self._file.remove()

    def leave(self) -> None:
        """Let another take it over."""
        self._file.let_go()


class _OwnFile:
    """A file that this process holds a lock on, and a process that is forked from it does not."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path, self._descriptor = path, descriptor
        self._torn = False
        follow_forks(self)

    @classmethod
    def new(cls, folder: Path) -> _OwnFile:
        for left in reversed(range(TRIES)):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                file = cls._locked(folder / f"{new_id()}{SUFFIX}", os.O_CREAT | os.O_EXCL)
            except (FileNotFoundError, FileExistsError):
                # Who removes the last file takes the folder away, also one that has been made or found a moment ago.
                if not left:
                    raise
            else:
                if file is not None:
                    return file
        raise OSError(errno.EAGAIN, f"each of {TRIES} files was removed before it was locked", str(folder))

    @classmethod
    def of_nobody(cls, path: Path) -> _OwnFile | None:
        """A file whose owner has ended; `None` where it has not, or another has been quicker."""
        try:
            # Whatever somebody has put there.
            return cls._locked(path) if stat.S_ISREG(os.lstat(path).st_mode) else None
        except OSError:
            return None

    @classmethod
    def _locked(cls, path: Path, how: int = 0) -> _OwnFile | None:
        """A file with a lock on it; `None` where another holds one, or has removed it before it was locked here."""
        file = cls(path, os.open(path, how | os.O_RDWR | os.O_APPEND, 0o600))
        try:
            if fcntl is not None:
                fcntl.flock(file._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if file.gone:
                    file.let_go()
                    return None
        except BlockingIOError:
            file.let_go()
            return None
        except OSError:
            file.let_go()
            raise
        return file

    @property
    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    @property
    def gone(self) -> bool:
        """Whether somebody has removed it, or put something else in its place or in that of its folder."""
        try:
            there, own = os.stat(self.path), os.fstat(self._descriptor)
        except OSError:
            return True
        return (there.st_dev, there.st_ino) != (own.st_dev, own.st_ino)

    def read(self) -> bytes:
        """All of it, also when somebody has removed it meanwhile."""
        with open(self._descriptor, "rb", closefd=False) as file:
            file.seek(0)
            return file.read()

    def write(self, lines: bytes) -> None:
        """Append all of it, or nothing; what cannot be taken back stays apart from what comes next."""
        before, torn, self._torn = self.size, self._torn, True
        left = memoryview(b"\n" + lines if torn else lines)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
            os.fsync(self._descriptor)
        except BaseException:
            with suppress(OSError):
                os.ftruncate(self._descriptor, before)
                self._torn = torn
            raise
        self._torn = False

    def remove(self) -> None:
        with suppress(OSError):
            self.path.unlink()
        self.let_go()
        with suppress(OSError):
            # As long as they are empty.
            self.path.parent.rmdir()
            if len(self.path.parent.name) == 2 * DIGEST:
                self.path.parent.parent.rmdir()

    def let_go(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    # The lock is held as long as the file is open in any process.
    after_fork = let_go


def spool_folder(identity: str, file: Path | None, folder: Path | None = None) -> Path:
    """Where events wait for a log, and for no other: beside its file, or where programs of this user keep their state.

    Args:
        identity: what tells the log from others.
        file: where the log is one.
        folder: in which they are to wait instead.
    """
    own = blake2b(identity.encode(errors="surrogatepass"), digest_size=DIGEST).hexdigest()
    if folder is not None:
        return folder / own
    if file is not None:
        # There is one file, through whichever link it is opened.
        real = Path(os.path.realpath(file))
        return real.with_name(f"{real.name}-spool")
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    # Without a home `expanduser` leaves the tilde.
    return Path(gettempdir() if state.startswith("~") else state) / "uniscale" / "spool" / own


@runtime_checkable
class HasSpool(Protocol):
    """What a log tells of itself to find its spool."""

    @property
    def identity(self) -> str:
        """What tells it from every other log."""
        ...

    @property
    def former_identity(self) -> str:
        """What did so to earlier versions of this package."""
        ...

    @property
    def file(self) -> Path | None:
        """Where it is one file, that."""
        ...


def spool_of(log: HasSpool, folder: Path | None = None) -> Spool:
    """The spool of a log.

    Args:
        log: which.
        folder: in which events are to wait instead of where they do by default.
    """
    # The process may leave the folder that it was started in.
    place = spool_folder(log.identity, log.file, folder).absolute()
    former = spool_folder(log.former_identity, log.file, folder).absolute()
    return Spool(place, former=() if former == place else (former,))


def _age(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0


def _line(event: Event) -> bytes:
    row = [
        event.kind,
        event.decision_id,
        event.at,
        event.event_id,
        json.dumps(event.body(), ensure_ascii=False, default=jsonable),
    ]
    return utf8_safe(json.dumps(row, ensure_ascii=False)).encode() + b"\n"


def _read(file: _OwnFile) -> tuple[list[Event], list[bytes]]:
    """The events of a file, and the lines that are none: cut off in the middle, of a later version, or of somebody else."""
    events, unread = list[Event](), list[bytes]()
    for number, line in enumerate(file.read().split(b"\n"), 1):
        if not line:
            continue
        try:
            kind, decision_id, at, event_id, body = json.loads(line)
            if not isinstance(event_id, str) or not isinstance(decision_id, str):
                raise ValueError("its ids are no texts")
            events.append(event_of(kind, decision_id, body, at, event_id))
        except (ValueError, TypeError, RecursionError, LogError) as error:
            unread.append(line)
            _log.warning("line %d of %s is passed over, it was cut off or is no event: %s", number, file.path, error)
    return events, unread
