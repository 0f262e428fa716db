"""What the images hold."""

import json
import os
import re
import stat
import subprocess
from pathlib import Path

from compose import SETTINGS, run

# Libraries, and the loader that the kernel starts programs with.
LIBRARY = re.compile(r".*\.so(\.[0-9.]+)?")
WHERE = "/usr/local/bin/"


def problems(functions: list[str]) -> list[str]:
    """Programs other than ours, a shell for one, ours that are missing, and images that start as root."""
    ours = {"baton-manager": ["baton"], "baton-worker": ["worker"], "baton-functions": functions}
    found = []
    for image, names in ours.items():
        wanted, there = {WHERE + name for name in names}, programs(image)
        if wanted != there:
            found.append(f"{image}: {sorted(there - wanted)} too many, {sorted(wanted - there)} missing")
        if not re.fullmatch(r"[1-9]\d*:[1-9]\d*", user := config(image).get("User", "")):
            found.append(f"{image}: its user is {user!r}")
    return found


def programs(image: str) -> set[str]:
    """Every file that may be executed and is no library; a link to one is found by where it leads."""
    root = Path(run(["podman", "image", "mount", image]).strip())
    try:
        files = (Path(folder) / name for folder, _, names in os.walk(root) for name in names)
        modes = ((file, file.lstat().st_mode) for file in files)
        found = {file for file, mode in modes if stat.S_ISREG(mode) and mode & 0o111}
        return {f"/{file.relative_to(root)}" for file in found if not LIBRARY.fullmatch(file.name)}
    finally:
        run(["podman", "image", "unmount", image])


def config(image: str) -> dict:
    return json.loads(run(["podman", "image", "inspect", image]))[0]["Config"]


def functions_start(names: list[str]) -> list[str]:
    """Each as Lambda would start it, by its own entry point; told nothing, it says what it misses."""
    found = []
    for name in names:
        command = ["podman", "run", "--rm", "--network=host", "--read-only", "--cap-drop=ALL",
                   "--security-opt=no-new-privileges", f"--entrypoint={WHERE}{name}", "baton-functions"]
        done = subprocess.run(command, env=os.environ | SETTINGS, capture_output=True, text=True, check=False)
        if not done.returncode or "AWS_LAMBDA_RUNTIME_API is missing" not in done.stderr:
            found.append(f"{name}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return found
