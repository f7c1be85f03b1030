"""Reads the settings that come from the environment, and refuses unsafe ones in production.

`settings.py`, `manage.py` and the supervisor call it; it knows no Django setting and starts nothing. What can also be
set by hand while everything runs is offered by the apps: see `records.configuration`.

| variable | default | meaning |
|---|---|---|
| `DATABASE_URL` | unset: embedded PostgreSQL | `postgresql://user:password@host:port/name`, any form that libpq reads |
| `ENGINE_DATA` | `.engine/` in the clone | folder of the embedded database, generated secrets and files |
| `PORT` | `8000` | port of the web process |
| `HOST` | `127.0.0.1` | address that the web process listens on |
| `SECRET_KEY` | generated once into `ENGINE_DATA` | signs sessions; production wants 50 characters or more given |
| `SECRETS_KEY` | generated once into `ENGINE_DATA` | seals secrets of connectors; of several, with commas, the first |
| `ENGINE_ADMIN_PASSWORD` | generated, printed once | password of the first user, `admin` |
| `WORKERS` | 1 on up to 2 cores, else half the cores | worker clusters; each is one execution host |
| `SLOTS` | `16` | executions that one worker runs at the same time |
| `CONNECTIONS` | `250` | connections that one worker has under way at the same time; they take no slot |
| `ENGINE_ENV` | `development` | `development` or `production`: production refuses unsafe settings |
| `ALLOWED_HOSTS` | localhost and `HOST` | comma-separated host names that the site answers to |
| `CSRF_TRUSTED_ORIGINS` | none | comma-separated origins, such as `https://engine.example.org` |
| `BEHIND_TLS` | `true` in production | cookies go over HTTPS only, and the proxy's `X-Forwarded-Proto` is believed |
| `DEBUG` | `false` | Django's debug pages; never in production |
| `EMAIL_URL` | unset: nothing is mailed | server for invitations: `smtp+tls://user:password@host:587` |
| `EMAIL_FROM` | `engine@localhost` | address that mails come from |
| `LOG_FORMAT` | `text` | `text` or `json` |
| `LOG_LEVEL` | `INFO` | DEBUG, INFO, WARNING, ERROR or CRITICAL; can also be set by hand |
| `ENGINE_ROLE` | `command` | `web`, `worker` or `command`; set by the supervisor |
"""

import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import environ

CLONE = Path(__file__).resolve().parent.parent
ROLES = ("web", "worker", "command")
LOCAL_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
WEAK_PASSWORDS = {"admin", "password", "engine", "changeme", "secret", "12345678"}
SHORTEST_SECRET_KEY = 50
SHORTEST_SECRETS_KEY = 32
SHORTEST_ADMIN_PASSWORD = 8


class CannotStart(Exception):
    """Something outside the code keeps us from starting; the message says what, and how to mend it."""


class SettingsRefused(CannotStart):
    """Settings are unreadable or unsafe; each message names a variable and says how to mend it."""

    def __init__(self, messages: list[str]) -> None:
        self.messages = messages
        super().__init__("\n".join(messages))


@dataclass(frozen=True)
class Environment:
    """The settings as read, with every default filled in."""

    database_url: str | None
    data: Path
    host: str
    port: int
    given_secret_key: str
    secrets_key: str
    admin_password: str | None
    workers: int
    slots: int
    connections: int
    kind: str
    allowed_hosts: list[str]
    csrf_trusted_origins: list[str]
    behind_tls: bool
    debug: bool
    email_url: str
    email_from: str
    log_format: str
    log_level: str
    role: str

    @property
    def is_production(self) -> bool:
        return self.kind == "production"

    @property
    def uses_embedded_database(self) -> bool:
        return self.database_url is None

    @property
    def secret_key(self) -> str:
        return self.given_secret_key or stored_secret(self.data / "secret_key")


def read_environment(variables: Mapping[str, str] | None = None) -> Environment:
    """Read and check all settings; raise `SettingsRefused` naming every one that is wrong."""
    variables = os.environ if variables is None else variables
    wrong: list[str] = []
    env = environ.Env()
    env.ENVIRON = variables

    def text(name: str, default: str, allowed: tuple[str, ...] = ()) -> str:
        value: str = env.str(name, default="").strip() or default
        if allowed and value not in allowed:
            wrong.append(f"{name}={value}: choose one of {', '.join(allowed)}.")
        return value

    def number(name: str, default: int, lowest: int, highest: int) -> int:
        raw = text(name, str(default))
        if not raw.isdecimal() or not lowest <= int(raw) <= highest:
            wrong.append(f"{name}={raw}: give a whole number from {lowest} to {highest}.")
            return default
        return int(raw)

    def truth(name: str, default: bool) -> bool:
        raw = text(name, str(default)).lower()
        if raw not in {"true", "yes", "on", "1", "false", "no", "off", "0"}:
            wrong.append(f"{name}={raw}: give true or false.")
        return raw in {"true", "yes", "on", "1"}

    def several(name: str) -> list[str]:
        return [part.strip() for part in text(name, "").split(",") if part.strip()]

    cores = os.cpu_count() or 1
    kind = text("ENGINE_ENV", "development", ("development", "production"))
    host = text("HOST", "127.0.0.1")
    hosts = several("ALLOWED_HOSTS")
    found = Environment(
        database_url=text("DATABASE_URL", "") or None,
        data=Path(text("ENGINE_DATA", str(CLONE / ".engine"))).expanduser().absolute(),
        host=host,
        port=number("PORT", 8000, 1, 65535),
        given_secret_key=text("SECRET_KEY", ""),
        secrets_key=text("SECRETS_KEY", ""),
        admin_password=text("ENGINE_ADMIN_PASSWORD", "") or None,
        workers=number("WORKERS", 1 if cores <= 2 else cores // 2, 1, 512),
        slots=number("SLOTS", 16, 1, 10_000),
        connections=number("CONNECTIONS", 250, 1, 10_000),
        kind=kind,
        allowed_hosts=hosts or [*LOCAL_HOSTS, *([] if host in {"0.0.0.0", "::"} else [host])],
        csrf_trusted_origins=several("CSRF_TRUSTED_ORIGINS"),
        behind_tls=truth("BEHIND_TLS", kind == "production"),
        debug=truth("DEBUG", False),
        email_url=text("EMAIL_URL", ""),
        email_from=text("EMAIL_FROM", "engine@localhost"),
        log_format=text("LOG_FORMAT", "text", ("text", "json")),
        log_level=text("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")),
        role=text("ENGINE_ROLE", "command", ROLES),
    )
    if any(
        len(key.strip()) < SHORTEST_SECRETS_KEY for key in found.secrets_key.split(",") if found.secrets_key
    ):
        wrong.append(f"SECRETS_KEY is too short: give {SHORTEST_SECRETS_KEY} random characters or more each.")
    if found.email_url and not found.email_url.startswith(("smtp://", "smtp+tls://", "smtp+ssl://")):
        wrong.append(
            "EMAIL_URL: give smtp://, smtp+tls:// or smtp+ssl:// with user, password, host and port."
        )
    if found.is_production:
        wrong += _unsafe_in_production(found, hosts)
    if wrong:
        raise SettingsRefused(wrong)
    return found


def _unsafe_in_production(found: Environment, given_hosts: list[str]) -> list[str]:
    refusals = []
    if len(found.given_secret_key) < SHORTEST_SECRET_KEY:
        state = "is too short" if found.given_secret_key else "is not given"
        refusals.append(f"SECRET_KEY {state}: give {SHORTEST_SECRET_KEY} random characters or more.")
    if found.debug:
        refusals.append("DEBUG is on: remove it, debug pages show settings to anyone.")
    if not given_hosts:
        refusals.append("ALLOWED_HOSTS is not given: name the hosts that this site answers to.")
    if "*" in given_hosts:
        refusals.append("ALLOWED_HOSTS contains *: name the hosts that this site answers to.")
    password = found.admin_password
    if password is not None and (len(password) < SHORTEST_ADMIN_PASSWORD or password in WEAK_PASSWORDS):
        refusals.append("ENGINE_ADMIN_PASSWORD is easy to guess: give a longer one, or none to get one.")
    return refusals


def stored_secret(path: Path) -> str:
    """Return the secret kept in `path`, making one on first use; safe when several processes ask at once."""
    try:
        return path.read_text().strip()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except PermissionError:
        raise SettingsRefused(
            [f"{path} cannot be read: it belongs to another user. Set ENGINE_DATA."]
        ) from None
    make_data_folder(path.parent)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
            file.flush()
            os.fsync(file.fileno())
        # A link, not a rename: whoever comes second must keep the first one's secret.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(draft)
    return path.read_text().strip()


def make_data_folder(data: Path) -> None:
    """Create the data folder, readable by its owner alone; raise `SettingsRefused` if it cannot be written."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(data, os.W_OK | os.X_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        message = f"The data folder {data} cannot be written ({error.strerror}): set ENGINE_DATA to another."
        raise SettingsRefused([message]) from error
