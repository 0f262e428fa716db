"""compose.yaml: what it says, what podman-compose makes of it, and that the two are the same."""

import json
import os
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path

import yaml

from container import Container
from processes import Failed

# What a service may say: each is compared below, or has been used to start it. Another key needs a comparison first.
COMPARED = {"image", "user", "command", "environment", "network_mode", "read_only", "cap_drop", "security_opt", "tmpfs",
            "volumes", "restart"}
USED = {"build", "depends_on", "healthcheck", "stop_grace_period"}
# Said to every podman.
SETTINGS = {"CONTAINERS_CONF": str(Path(__file__).with_name("containers.conf"))}
# What comes from the image, or from podman.
GIVEN = {"PATH", "HOSTNAME", "HOME", "TERM", "container"}


class Compose:
    """One project, from its start to its end."""

    def __init__(self, file: Path, project: str, variables: dict[str, str]) -> None:
        self.file, self.project, self.variables = file, project, variables
        # Where systemd does not run, nobody runs health checks but who asks for one.
        without_systemd = {} if Path("/run/systemd/system").exists() else {"DISABLE_HC_SYSTEMD": "true"}
        self.env = os.environ | variables | without_systemd | SETTINGS
        self.services: dict[str, dict] = yaml.safe_load(self("config"))["services"]

    def __call__(self, *arguments: str) -> str:
        program = Path(sys.executable).with_name("podman-compose")
        return run([str(program), "--file", str(self.file), "--project-name", self.project, *arguments], self.env)

    def up(self, *services: str) -> None:
        # As with docker, what may be written is what the file says.
        self("--podman-run-args=--read-only-tmpfs=false", "up", "--detach", "--no-build", *services)

    def down(self) -> None:
        """By what is there, and not by the file: a container that is about to start again goes too."""
        if found := self._ours("container", "--all"):
            run(["podman", "container", "rm", "--force", "--depend", "--ignore", *found])
        if found := self._ours("volume"):
            run(["podman", "volume", "rm", "--force", *found])

    def containers(self) -> dict[str, dict]:
        """Every container of the project, by service."""
        found = inspect(self._ours("container", "--all"))
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in found}

    def _ours(self, kind: str, *options: str) -> list[str]:
        label = f"label=com.docker.compose.project={self.project}"
        return run(["podman", kind, "ls", "--quiet", "--filter", label, *options]).split()

    def logs(self) -> str:
        names = [one["Name"] for one in self.containers().values()]
        return "".join(f"--- {name} ---\n" + run(["podman", "logs", "--tail", "40", name], merged=True) for name in names)

    def compare(self, services: dict[str, dict]) -> list[str]:
        """What differs between what is said of the services and what runs, and what of it may not be so in any case."""
        running = {name: Container(inspected) for name, inspected in self.containers().items()}
        if running.keys() != services.keys():
            return [f"services: {sorted(services)} are said, {sorted(running)} run"]
        return [f"{name}: {problem}" for name, said in services.items()
                for problem in differences(said, running[name]) + hazards(running[name])]


def differences(said: dict, container: Container) -> list[str]:
    inspected, status = container.inspected, container.status()
    environment = container.environment()
    pairs = {
        "keys": (said.keys() - COMPARED - USED, set()),
        "image": (said["image"].split("/")[-1], inspected["ImageName"].split("/")[-1].removesuffix(":latest")),
        "user": ({str(container.uid_of(said["user"]))}, set(status["Uid"])),
        "command": (said.get("command", []), inspected["Config"]["Cmd"] if "command" in said else []),
        "variables": (said.get("environment", {}), {k: v for k, v in environment.items() if k not in GIVEN}),
        "network": (said["network_mode"] == "host", container.shares_our_network()),
        "ports": (ports(said), container.listens()),
        "read-only": (said["read_only"], container.root_is_read_only()),
        "writable": (targets(said), container.writable()),
        "capabilities": (said["cap_drop"] == ["ALL"], capabilities(status) == 0),
        "privileges": (said["security_opt"] == ["no-new-privileges:true"], status["NoNewPrivs"] == ["1"]),
        "restart": (said["restart"], inspected["HostConfig"]["RestartPolicy"]["Name"]),
    }
    return [f"{what}: {wanted!r} is said, and it is {found!r}"
            for what, (wanted, found) in pairs.items() if wanted != found]


def hazards(container: Container) -> list[str]:
    """What may not be so, whatever the file says."""
    status = container.status()
    checks = {
        "is root": "0" in status["Uid"] + status["Gid"] + status["Groups"],
        "has capabilities": capabilities(status) != 0,
        "may gain privileges": status["NoNewPrivs"] != ["1"],
        "may write to its root file system": not container.root_is_read_only(),
        "listens beyond loopback": not all(is_loopback(port) for port in container.listens()),
    }
    return [problem for problem, found in checks.items() if found]


def ports(said: dict) -> set[str]:
    """Where a service is told to listen: by a variable, or as Redis is, by its arguments."""
    environment, command = said.get("environment", {}), said.get("command", [])
    told = {environment[name] for name in ("BATON_BIND", "BIND") if name in environment}
    if "--port" in command:
        told.add(":".join(command[command.index(option) + 1] for option in ("--bind", "--port")))
    return told


def targets(said: dict) -> set[str]:
    return {*said.get("tmpfs", []), *(volume.split(":")[1] for volume in said.get("volumes", []))}


def capabilities(status: dict[str, list[str]]) -> int:
    return sum(int(status[name][0], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"))


def is_loopback(port: str) -> bool:
    return ip_address(port.rsplit(":", 1)[0]).is_loopback


def inspect(containers: list[str]) -> list[dict]:
    return json.loads(run(["podman", "inspect", *containers])) if containers else []


def run(command: list[str], env: dict[str, str] | None = None, merged: bool = False) -> str:
    done = subprocess.run(command, env=env or os.environ | SETTINGS, text=True, check=False, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT if merged else subprocess.PIPE)
    if done.returncode:
        raise Failed(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}{done.stderr or ''}")
    return done.stdout
