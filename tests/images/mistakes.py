"""The comparison itself: what is altered in compose.yaml must be noticed, and so must a container without any care."""

import copy
from collections.abc import Callable

from compose import Compose, hazards, inspect, run
from container import Container
from processes import await_true

# By what a comparison calls it: an alteration of what is said of the services.
ALTERED: dict[str, Callable[[dict], object]] = {
    "services": lambda said: said.pop("worker-2"),
    "valkey: keys": lambda said: said["valkey"].update(privileged=True),
    "manager: image": lambda said: said["manager"].update(image="baton-worker"),
    "worker-1: user": lambda said: said["worker-1"].update(user="1000:1000"),
    "valkey: command": lambda said: said["valkey"]["command"].remove("noeviction"),
    "worker-1: variables": lambda said: said["worker-1"]["environment"].update(CAPACITY="1"),
    "manager: variables": lambda said: said["manager"]["environment"].pop("REDIS_URL"),
    "worker-2: network": lambda said: said["worker-2"].update(network_mode="bridge"),
    "worker-2: ports": lambda said: said["worker-2"]["environment"].update(BIND="127.0.0.1:9003"),
    "manager: ports": lambda said: said["manager"]["environment"].update(BATON_BIND="127.0.0.1:80"),
    "manager: read-only": lambda said: said["manager"].update(read_only=False),
    "manager: writable": lambda said: said["manager"]["tmpfs"].append("/run"),
    "valkey: writable": lambda said: said["valkey"].pop("volumes"),
    "worker-1: capabilities": lambda said: said["worker-1"].update(cap_drop=["NET_RAW"]),
    "worker-1: privileges": lambda said: said["worker-1"].update(security_opt=[]),
    "worker-1: restart": lambda said: said["worker-1"].update(restart="no"),
}
HAZARDS = {"is root", "has capabilities", "may gain privileges", "may write to its root file system",
           "listens beyond loopback"}


def unnoticed(compose: Compose) -> list[str]:
    found = []
    for problem, alter in ALTERED.items():
        said = copy.deepcopy(compose.services)
        alter(said)
        if not any(line.startswith(problem + ": ") for line in compose.compare(said)):
            found.append(f"an alteration is not noticed: {problem}")
    return found + [f"it is not noticed that a container without any care {what}" for what in HAZARDS - careless()]


def careless() -> set[str]:
    """The hazards of a store that is root, with what podman gives, and listens everywhere."""
    name = run(["podman", "run", "--detach", "--rm", "--network=host", "baton-store", "valkey-server", "--port", "6380",
                "--bind", "0.0.0.0", "--save", ""]).strip()
    try:
        container = Container(inspect([name])[0])
        await_true("it listens", lambda: bool(container.listens()))
        return set(hazards(container))
    finally:
        run(["podman", "rm", "--force", name])
