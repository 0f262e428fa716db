"""The programs of the tests, as they are built for all other tests too."""

import json
import subprocess
from pathlib import Path

from processes import Failed

# The workspace as a whole: one package alone has its dependencies with fewer features, and builds them anew.
BUILD = ("cargo", "test", "--locked", "--quiet", "--workspace", "--test", "it", "--test", "cloud", "--no-run",
         "--message-format=json")


def programs(tree: Path) -> dict[str, Path]:
    """Builds the tests of `tests/`; answers the programs by name."""
    built = subprocess.run(BUILD, cwd=tree, stdout=subprocess.PIPE, text=True, check=False)
    if built.returncode:
        raise Failed("the tests do not build")
    artifacts = [json.loads(line) for line in built.stdout.splitlines() if line.startswith("{")]
    return {artifact["target"]["name"]: Path(artifact["executable"]) for artifact in artifacts
            if artifact.get("executable") and artifact["target"]["kind"] == ["test"]
            and artifact["manifest_path"] == str(tree / "tests/Cargo.toml")}
