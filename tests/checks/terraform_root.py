"""A copy of infra/terraform to run terraform in: the tree itself stays as it is."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TREE / "tests/cloud"))
from root import terraform_command  # noqa: E402 - whether the registry is reached is found out in one place

ROOT = TREE / "infra/terraform"


class Copy:
    """One copy, initialised. Its functions' packages are stand-ins: plans are of names, rights and sizes."""

    def __init__(self, folder: Path) -> None:
        self.command, self.folder = terraform_command(TREE), folder / "root"
        shutil.copytree(ROOT, self.folder, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
        packages = folder / "packages"
        packages.mkdir()
        for name in json.loads((ROOT / "functions.json").read_text()):
            with zipfile.ZipFile(packages / f"{name}.zip", "w") as file:
                file.writestr("bootstrap", "")
        # Nobody's credentials: neither a plan nor a suite asks AWS anything.
        nobody = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_EC2_METADATA_DISABLED": "true"}
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_VAR_"))}
        self.env |= nobody | {"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "TF_VAR_package_dir": str(packages)}
        done = self.run("init", "-no-color", "-backend=false")
        if done.returncode:
            sys.exit(done.stdout)

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        """A command, with all that it says in `stdout`."""
        return subprocess.run(
            [*self.command, *arguments], cwd=self.folder, env=self.env, check=False, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
