"""The files of the repository, for the checks beside this one."""

import shutil
import subprocess
import sys
from pathlib import Path

SKIPPED = {".baton", ".git", ".terraform", "__pycache__", "node_modules", "target"}


def root() -> Path:
    """The tree to check: the first argument, or the repository that this file belongs to."""
    return Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]


def files(base: Path) -> list[Path]:
    """Every file that is or would be committed, relative to `base`; all of them outside of git."""
    listed = subprocess.run(
        ["git", "-C", base, "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        capture_output=True, check=False,
    ) if (base / ".git").exists() and shutil.which("git") else None
    if listed is not None and listed.returncode == 0:
        found = (Path(name.decode()) for name in listed.stdout.split(b"\0") if name)
    else:
        found = (path.relative_to(base) for path in base.rglob("*"))
    return sorted(
        path for path in set(found) if (base / path).is_file() and SKIPPED.isdisjoint(path.parts)
    )


def report(problems: list[str]) -> None:
    """Prints what was found and ends the check."""
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)
