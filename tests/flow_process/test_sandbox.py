"""What a flow process must not see or do. Loopback is the only network that is touched."""

from __future__ import annotations

import os
import socket
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from executions.zygote import Zygote
from tests.flow_process.peer import NO_ANSWER, Process, Told

pytestmark = pytest.mark.process

Handler = Callable[..., Told]
PROJECT = Path(__file__).resolve().parents[2]

# Tries each expression, and returns those that did not raise.
TRY = """
import os, sys, socket, ctypes
libc = ctypes.CDLL(None, use_errno=True)
def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result
done = {{}}
for attempt in {attempts!r}:
    try:
        done[attempt] = repr(eval(attempt))[:300]
    except Exception as error:
        pass
return done
"""


@pytest.fixture
def allowed(handler: Handler) -> Callable[..., dict[str, str]]:
    """Returns those attempts that a flow process gets away with."""

    def tried(*attempts: str) -> dict[str, str]:
        told = handler(TRY.format(attempts=attempts))
        assert told.end and told.end["status"] == "success", told
        found: dict[str, str] = told.end["output"]
        return found

    return tried


def layer(zygote: Zygote, name: str) -> bool:
    """Does this machine permit the layer?"""
    return next(active for layer, active, _ in zygote.isolation if layer == name)


def test_the_attempts_of_these_tests_can_succeed(allowed: Callable[..., dict[str, str]]) -> None:
    fine = ("open('mine', 'w').write('x')", "os.getpid()", "open('/etc/hosts').read()", "socket.socket()")
    assert set(allowed(*fine)) == set(fine)


def test_files_of_the_engine_and_of_the_machine_are_out_of_reach(
    allowed: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("SECRET_KEY")
    paths = [
        secret, PROJECT / "manage.py", PROJECT / "executions" / "zygote.py", PROJECT / ".git" / "config",
        "/etc/shadow", "/root/.bashrc", "/proc/1/environ", f"/proc/{os.getpid()}/environ", "/proc/kcore",
        f"/proc/{os.getpid()}/root/etc/shadow", "/dev/mem",
    ]  # fmt: skip
    assert allowed(*(f"open({str(path)!r}, 'rb').read(1)" for path in paths)) == {}
    folders = [PROJECT, tmp_path, "/proc/1/root", "/var/lib", "/run"]
    assert allowed(*(f"os.listdir({str(folder)!r})" for folder in folders)) == {}


def test_of_a_home_folder_no_more_is_seen_than_the_way_to_the_interpreter(handler: Handler) -> None:
    home, prefix = str(Path.home()), os.path.realpath(sys.base_prefix)
    told = handler(f"import os\nreturn os.listdir({home!r}) if os.path.isdir({home!r}) else []")
    assert told.end and told.end["status"] == "success", told
    assert all(f"{prefix}/".startswith(f"{home}/{name}/") for name in told.end["output"])


def test_nothing_but_its_own_folder_can_be_written(allowed: Callable[..., dict[str, str]]) -> None:
    places = [
        "/x",
        "/usr/x",
        "/etc/x",
        "/dev/x",
        "/scratch/x",
        "/var/tmp/x",
        os.path.dirname(os.__file__) + "/x",
    ]
    assert allowed(*(f"open({place!r}, 'w')" for place in places)) == {}
    assert (
        allowed(
            "open(os.__file__, 'a')", "os.chmod('/usr', 0o777)", "open('/proc/sys/kernel/core_pattern', 'w')"
        )
        == {}
    )


def test_the_environment_is_the_allow_list(handler: Handler, monkeypatch: pytest.MonkeyPatch) -> None:
    zygote = Zygote()
    monkeypatch.setenv("DATABASE_URL", "postgresql:///secret")
    monkeypatch.setenv("SECRET_KEY", "secret")
    zygote.start()
    try:
        script = """
        import os, subprocess
        def handler(system, this):
            return [dict(os.environ), subprocess.check_output(["env"], text=True)]
        """
        told = Process(zygote, script, {}, {}).spawn().finish()
    finally:
        zygote.close()
    assert told.end and told.end["status"] == "success", told
    environment, inherited = told.end["output"]
    allowed = {
        "PATH",
        "HOME",
        "TMPDIR",
        "PWD",
        "USER",
        "LOGNAME",
        "LANG",
        "LC_ALL",
        "TZ",
        "LC_CTYPE",
        "MALLOC_ARENA_MAX",
    }
    assert set(environment) <= allowed
    assert "secret" not in str(environment) and "secret" not in inherited


def test_dangerous_calls_are_refused(zygote: Zygote, allowed: Callable[..., dict[str, str]]) -> None:
    if not layer(zygote, "seccomp"):
        pytest.skip("this machine permits no seccomp")
    assert allowed(
        "check(libc.ptrace(0, 0, 0, 0))",
        "check(libc.unshare(0x10000000))",
        "check(libc.syscall(56, 0x10000011, 0, 0, 0, 0))" if os.uname().machine == "x86_64" else "1/0",
        "check(libc.mount(b'none', b'/', b'tmpfs', 0, None))",
        "check(libc.setns(0, 0))",
        "check(libc.syscall(425, 1, 0))",
        "check(libc.syscall(321, 0, 0, 0))" if os.uname().machine == "x86_64" else "1/0",
        "check(libc.chroot(b'.'))",
        "socket.socket(socket.AF_UNIX)",
        "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
        "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
        "os.setuid(0)",
        "os.setgid(0)",
        "os.chown('.', 0, 0)",
        "os.nice(-5)",
        "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))",
        "__import__('resource').setrlimit(__import__('resource').RLIMIT_NOFILE, (4096, 4096))",
    ) == {}  # fmt: skip


def test_other_processes_cannot_be_signalled_or_read(
    zygote: Zygote, process: Callable[..., Process], allowed: Callable[..., dict[str, str]]
) -> None:
    neighbour = process(
        """
        import os
        def handler(system, this):
            open("private", "w").write("x")
            this.set_output(pid=os.getpid(), cwd=os.getcwd())
        """,
        {"execution.set_output": lambda args: NO_ANSWER},
    )
    neighbour.until(lambda: bool(neighbour.told.arguments("execution.set_output")))
    seen = neighbour.told.arguments("execution.set_output")[0]["values"]
    pids = [1, os.getpid(), zygote.pid, neighbour.pid, seen["pid"]]
    assert allowed(*(f"os.kill({pid}, 0)" for pid in pids), *(f"os.kill({pid}, 9)" for pid in pids)) == {}
    assert allowed(*(f"open('/proc/{pid}/mem', 'rb').read(1)" for pid in pids)) == {}
    assert allowed(*(f"open('/proc/{pid}/environ', 'rb').read(1)" for pid in pids)) == {}
    assert allowed(f"open({seen['cwd'] + '/private'!r}).read()", f"os.listdir({seen['cwd']!r})") == {}
    neighbour.answer_late(None)
    told = neighbour.finish()
    assert told.end and told.end["status"] == "success"


def test_every_run_finds_an_empty_folder_of_its_own(handler: Handler) -> None:
    body = """
    import os, stat
    found = os.listdir(".")
    os.mkdir("left"); open("left/file", "w").write("x"); os.chmod("left", 0)
    os.symlink("/etc", "link")
    state = os.stat(".")
    return [found, state.st_uid == os.getuid(), stat.S_IMODE(state.st_mode), os.getcwd() == os.environ["HOME"]]
    """
    for _ in range(4):
        told = handler(body)
        assert told.end and told.end["output"] == [[], True, stat.S_IRWXU, True], told


def test_no_descriptor_of_the_zygote_is_left_open(handler: Handler) -> None:
    told = handler(
        """
        import os
        kinds = []
        for descriptor in range(256):
            try:
                kinds.append(os.readlink(f"/proc/self/fd/{descriptor}").partition(":")[0])
            except OSError:
                pass
        return kinds
        """
    )
    assert told.end and told.end["output"] == ["/dev/null", "pipe", "pipe", "socket"], told


@pytest.fixture
def doors(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A socket of each kind that the engine's neighbours may listen on."""
    path = str(tmp_path / "door")
    listeners: dict[str, tuple[int, Any]] = {
        "path": (socket.AF_UNIX, path),
        "abstract": (socket.AF_UNIX, f"\0door-{os.getpid()}"),
        "tcp": (socket.AF_INET, ("127.0.0.1", 0)),
    }
    opened = {name: socket.socket(family) for name, (family, _) in listeners.items()}
    for name, (_, address) in listeners.items():
        opened[name].bind(address)
        opened[name].listen()
    threading.Thread(target=lambda: opened["tcp"].accept()[0].close(), daemon=True).start()
    yield {"path": path, "abstract": f"\0door-{os.getpid()}", "tcp": opened["tcp"].getsockname()}
    for listener in opened.values():
        listener.close()


def test_local_sockets_are_shut_and_the_network_is_open(
    zygote: Zygote, allowed: Callable[..., dict[str, str]], doors: dict[str, Any]
) -> None:
    pair = "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0]"
    shut = [f"socket.socket(socket.AF_UNIX).connect({doors[kind]!r})" for kind in ("path", "abstract")]
    shut += [f"{pair}.sendto(b'x', {doors[kind]!r})" for kind in ("path", "abstract")]
    assert allowed(*shut) == {}
    opened = f"socket.create_connection({doors['tcp']!r}, timeout=5)"
    assert set(allowed(opened)) == {opened}


def test_what_automation_uses_works(zygote: Zygote, handler: Handler) -> None:
    if not layer(zygote, "own file system root"):
        pytest.skip("only a root of our own has a /tmp and a /dev/shm for each run")
    told = handler(
        """
        import asyncio, concurrent.futures, http.server, multiprocessing, socket, sqlite3, tempfile, threading
        import httpx
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        open("page", "w").write("hello")
        page = httpx.get(f"http://localhost:{server.server_port}/page").text
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            squares = list(pool.map(lambda x: x * x, range(8)))
        queue = multiprocessing.get_context("fork").Queue()
        child = multiprocessing.get_context("fork").Process(target=queue.put, args=("from a child",))
        child.start()
        word = queue.get(timeout=10)
        child.join()
        with sqlite3.connect("base.db") as base:
            row = base.execute("select 1 + 1").fetchone()
        with tempfile.NamedTemporaryFile() as file:
            inside = file.name.startswith(__import__("os").getcwd())
        open("/tmp/by-its-old-name", "w").write("x")
        there = sorted(__import__("os").listdir("."))
        return [page, squares[-1], word, asyncio.run(asyncio.sleep(0, "awaited")), row[0], inside, there]
        """
    )
    assert told.end and told.end["status"] == "success", told.end
    assert told.end["output"] == [
        "hello",
        49,
        "from a child",
        "awaited",
        2,
        True,
        ["base.db", "by-its-old-name", "page"],
    ]


def test_programs_that_a_flow_starts_are_confined_with_it(handler: Handler) -> None:
    told = handler(
        """
        import subprocess, sys
        found = []
        for command in ("cat /etc/shadow", "ls /var/lib", "touch /usr/x", "su -c id", "cat /proc/1/environ"):
            found.append(subprocess.run(command.split(), capture_output=True).returncode != 0)
        code = "import os; print(os.getuid(), os.listdir('.'))"
        own = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
        return [found, own.returncode, own.stdout, own.stderr]
        """
    )
    assert told.end and told.end["output"][0] == [True] * 5, told
    assert told.end["output"][1] == 0, told


def test_each_run_has_a_user_of_its_own(zygote: Zygote, process: Callable[..., Process]) -> None:
    if not layer(zygote, "own user per run"):
        pytest.skip("the tests do not run as root")
    script = "import os\ndef handler(s, t):\n    t.set_output(uid=os.getuid(), groups=os.getgroups())"
    runs = [process(script, {"execution.set_output": lambda args: NO_ANSWER}) for _ in range(3)]
    for run in runs:
        run.until(partial(run.told.arguments, "execution.set_output"))
    values = [run.told.arguments("execution.set_output")[0]["values"] for run in runs]
    assert len({value["uid"] for value in values}) == 3 and all(value["uid"] > 0 for value in values)
    assert [value["groups"] for value in values] == [[]] * 3
    for run in runs:
        run.answer_late(None)
        run.finish()
