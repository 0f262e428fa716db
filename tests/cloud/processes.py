"""Servers of a run: each on a free loopback port, logging to a file, and stopped by its id."""

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

# Marks every process of a run and whatever it starts, functions included.
MARK = "LOCAL_CLOUD_RUN"
PATIENCE_S = 60.0


class Failed(Exception):
    """Something does not hold; the run ends with these words."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def await_true(what: str, condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    end = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > end:
            raise Failed(f"not within {patience_s:g} s: {what}")
        time.sleep(0.05)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


class Server:
    """A process that leads a group of its own, so that what it starts is stopped along with it."""

    def __init__(self, name: str, command: list[str], env: dict[str, str], cwd: Path, logs: Path) -> None:
        self.name, self.log = name, logs / f"{name}.log"
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True)

    @property
    def pid(self) -> int:
        return self.process.pid

    def ready(self, condition: Callable[[], bool]) -> None:
        def ready_or_dead() -> bool:
            if self.process.poll() is not None:
                raise Failed(f"{self.name} does not start:\n{tail(self.log)}")
            return condition()
        await_true(f"{self.name} is ready", ready_or_dead)

    def stop(self) -> None:
        """Asks it to end; what is left of its group is killed."""
        if self.process.poll() is None:
            self.process.terminate()
            # A scenario that was broken off may have left it standing still.
            os.killpg(self.pid, signal.SIGCONT)
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


def start_redis(folder: Path, run: str) -> tuple[Server, int]:
    """A Redis of the run's own, which keeps nothing on disk."""
    program = shutil.which("valkey-server") or shutil.which("redis-server")
    if not program:
        raise Failed("neither valkey-server nor redis-server is on PATH")
    port = free_port()
    server = Server("redis", [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                              "--maxmemory-policy", "noeviction"], os.environ | {MARK: run}, folder, folder)
    server.ready(lambda: accepts(port))
    return server, port


def accepts(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as peer:
            peer.sendall(b"PING\r\n")
            return peer.recv(7).startswith(b"+PONG")
    except OSError:
        return False


def start_cloud(program: Path, folder: Path, run: str, store_port: int) -> tuple[Server, str]:
    """MiniStack with access control, and with nothing of our environment, which its functions inherit."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    env = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder), "LANG": "C.UTF-8", MARK: run,
        "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "AWS_ENDPOINT_URL": url, "AUTH": "true",
        "REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(store_port),
        # Listeners that nobody here asks, on ports that others may have.
        "SFTP_ENABLED": "false", "IOT_MTLS_ENABLED": "false",
    }
    server = Server("ministack", [str(program)], env, folder, folder)
    server.ready(lambda: answers(f"{url}/_ministack/health"))
    return server, url


def sweep(run: str) -> list[str]:
    """Kills what is left of a run, by id; answers what it was."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            marked = f"{MARK}={run}".encode() in (entry / "environ").read_bytes().split(b"\0")
            if marked and int(entry.name) != os.getpid():
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip())
                os.kill(int(entry.name), signal.SIGKILL)
        except (OSError, ValueError):
            continue  # it has ended meanwhile
    return found


def tail(log: Path, lines: int = 40) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""
