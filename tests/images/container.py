"""A running container, as the kernel sees it."""

import errno
import os
import re
from ipaddress import ip_address
from pathlib import Path

# What podman adds to the root file system of every container: devices, kernel interfaces, names of the host.
PODMANS = re.compile(r"/(dev|proc|sys|etc/(hosts|hostname|resolv\.conf)|run/(\.containerenv|secrets))(/.*)?")


class Container:
    """The first process of a container, and what was said when it was made."""

    def __init__(self, inspected: dict) -> None:
        self.inspected = inspected
        self.proc = Path("/proc") / str(inspected["State"]["Pid"])

    def environment(self) -> dict[str, str]:
        """A program may write over it, as Redis does to name itself: what is left then is no variable."""
        words = (self.proc / "environ").read_bytes().decode().split("\0")
        return dict(word.split("=", 1) for word in words if "=" in word)

    def status(self) -> dict[str, list[str]]:
        lines = (self.proc / "status").read_text().splitlines()
        return {name: value.split() for name, value in (line.split(":", 1) for line in lines)}

    def uid_of(self, user: str) -> int:
        """Of a user by number, or by the name that the image has for it."""
        user = user.split(":")[0]
        if user.isdigit():
            return int(user)
        lines = (self.proc / "root/etc/passwd").read_text().splitlines()
        return next(int(line.split(":")[2]) for line in lines if line.split(":")[0] == user)

    def root_is_read_only(self) -> bool:
        """We are root, so that nothing but the file system itself can refuse."""
        try:
            os.close(os.open(self.proc / "root/written", os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        except OSError as error:
            return error.errno == errno.EROFS
        return False

    def writable(self) -> set[str]:
        """Where it may write: what is mounted read-write, but for what podman itself has mounted."""
        mounts = (line.split() for line in (self.proc / "mountinfo").read_text().splitlines())
        return {fields[4] for fields in mounts if "rw" in fields[5].split(",") and not PODMANS.fullmatch(fields[4])}

    def shares_our_network(self) -> bool:
        return os.readlink(self.proc / "ns/net") == os.readlink("/proc/self/ns/net")

    def listens(self) -> set[str]:
        """The addresses on which it accepts TCP connections."""
        mine = {os.readlink(link) for link in (self.proc / "fd").iterdir()}
        found = set()
        for table in ("tcp", "tcp6"):
            for line in (self.proc / "net" / table).read_text().splitlines()[1:]:
                local, state, inode = (line.split()[i] for i in (1, 3, 9))
                if state == "0A" and f"socket:[{inode}]" in mine:
                    found.add(address(local))
        return found


def address(text: str) -> str:
    """`0100007F:1F90`, as the kernel writes 127.0.0.1:8080: each 32 bits in the order of the machine."""
    host, port = text.split(":")
    words = (bytes.fromhex(host[i:i + 8])[::-1] for i in range(0, len(host), 8))
    return f"{ip_address(b''.join(words))}:{int(port, 16)}"
