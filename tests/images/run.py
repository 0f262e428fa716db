#!/usr/bin/env python3
"""Starts compose.yaml from the images of `make images`, sends one action through the two workers, and compares what
runs with what the file says. Runs in a network namespace of its own (make.sh), so that every port is free.

Nothing is left: the project's containers and volume are removed, also after a failure or Ctrl-C.
"""

import base64
import fcntl
import json
import os
import secrets
import signal
import socket
import struct
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mistakes
from compose import Compose, run
from images import functions_start, problems
from processes import Failed, answers, await_true
from receiver import Receiver

TREE = Path(__file__).resolve().parents[2]
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


@contextmanager
def step(name: str) -> Iterator[None]:
    start = time.monotonic()
    yield
    print(f"ok    {time.monotonic() - start:4.0f} s  {name}", flush=True)


def loopback_up() -> None:
    """A new network has a loopback interface that is down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        flags = fcntl.ioctl(control, SIOCGIFFLAGS, struct.pack("16sH14x", b"lo", 0))
        up = struct.unpack("16sH14x", flags)[1] | IFF_UP
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", up))


def new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def ask(url: str, body: object = None) -> dict:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def start(compose: Compose, manager: str, workers: list[str]) -> None:
    """The store first, as `depends_on` has it: its health check is the file's own."""
    compose.up("valkey")
    valkey = compose.containers()["valkey"]["Id"]
    await_true("the health check of valkey passes", lambda: healthy(valkey))
    compose.up()
    await_true("the manager is ready", lambda: answers(f"{manager}/readyz"))
    await_true("the workers have registered", lambda: workers == sorted(
        one["id"] for one in ask(f"{manager}/meta")["processors"] if one["status"] == "active"))


def healthy(container: str) -> bool:
    try:
        run(["podman", "healthcheck", "run", container])
    except Failed:
        return False
    return True


def one_action(manager: str, workers: list[str], receiver: Receiver) -> str:
    """Through each worker in turn, and back by the webhook; answers its id."""
    jobs = [{"target": worker, "params": {"marks": place}} for place, worker in enumerate(workers, 1)]
    accepted = ask(f"{manager}/action", {"data": "hello", "jobs": jobs, "response_url": receiver.url})
    delivered = receiver.next()["data"]
    if delivered["action_id"] != accepted["action_id"] or delivered["result"] != "HELLO!!!":
        raise Failed(f"delivered: {delivered}")
    passed = [[attempt["processor"] for attempt in one["attempts"]] for one in delivered["steps"]]
    if passed != [[worker] for worker in workers]:
        raise Failed(f"it went through {passed}")
    return accepted["action_id"]


def ended_by_themselves(compose: Compose) -> None:
    """As the first process of a container they get no signal that they do not ask for."""
    codes = {name: one["State"]["ExitCode"] for name, one in compose.containers().items()}
    if any(codes.values()):
        raise Failed(f"exit codes after a stop: {codes}")


def main() -> None:
    loopback_up()
    with step("images: no program but ours, no root, and every function starts"):
        functions = json.loads((TREE / "infra/terraform/functions.json").read_text())
        if found := problems(sorted(functions)) + functions_start(sorted(functions)):
            raise Failed("\n".join(found))
    keys = {name: new_secret() for name in ("BATON_PROCESSOR_SECRETS", "BATON_WEBHOOK_SECRETS")}
    variables = keys | {"VALKEY_IMAGE": "localhost/baton-store"}
    compose = Compose(TREE / "compose.yaml", f"baton-images-{os.getpid()}", variables)
    environments = [service.get("environment", {}) for service in compose.services.values()]
    manager = next("http://" + one["BATON_BIND"] for one in environments if "BATON_BIND" in one)
    workers = sorted(one["PROCESSOR_ID"] for one in environments if "PROCESSOR_ID" in one)
    receiver = Receiver(keys["BATON_WEBHOOK_SECRETS"])
    try:
        with step("compose.yaml starts"):
            start(compose, manager, workers)
        with step(f"one action goes through {' and '.join(workers)}, and is delivered"):
            action = one_action(manager, workers, receiver)
        with step("what runs is what compose.yaml says: services, variables, ports, privileges"):
            if found := compose.compare(compose.services):
                raise Failed("\n".join(found))
        with step("one altered word of it is noticed, and so is a container that is none of this"):
            if found := mistakes.unnoticed(compose):
                raise Failed("\n".join(found))
        with step("all of them stop when they are told to, and the action is still there after a start"):
            compose("stop")
            ended_by_themselves(compose)
            start(compose, manager, workers)
            if (status := ask(f"{manager}/action/{action}")["status"]) != "succeeded":
                raise Failed(f"the action is {status}")
    except BaseException:
        print(compose.logs(), file=sys.stderr)
        raise
    finally:
        compose.down()
        receiver.stop()


def stop(number: int, _: object) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        main()
    except Failed as failed:
        sys.exit(f"images: {failed}")
