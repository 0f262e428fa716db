"""infra/terraform, applied to the local cloud from a copy, so that nothing of it stays in the tree."""

import json
import os
import shutil
import subprocess
import urllib.request
from pathlib import Path

from processes import MARK, Failed

REGISTRY = "https://registry.terraform.io/.well-known/terraform.json"


def terraform_command(tree: Path) -> list[str]:
    """Terraform as it is; where its registry cannot be reached, with a stand-in for the provider, if one is there."""
    stand_in = tree.parent / "shared/terraform-offline/tf-offline"
    try:
        with urllib.request.urlopen(REGISTRY, timeout=10):
            return ["terraform"]
    except OSError:
        return [str(stand_in), "run", "--", "terraform"] if stand_in.is_file() else ["terraform"]


class Root:
    """One copy, with a state of its own."""

    def __init__(self, tree: Path, folder: Path, run: str, endpoint: str, variables: list[str]) -> None:
        self.command, self.folder, self.variables = terraform_command(tree), folder, variables
        shutil.copytree(tree / "infra/terraform", folder, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
        if len(self.command) > 1:
            # The lock of the real provider is not the stand-in's.
            (folder / ".terraform.lock.hcl").unlink(missing_ok=True)
        self.env = os.environ | {
            MARK: run, "TF_OFFLINE_ENDPOINT": endpoint, "TF_IN_AUTOMATION": "1", "TF_INPUT": "0",
            "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}
        self.terraform("init", "-no-color")

    def terraform(self, *arguments: str, status: int = 0) -> str:
        """A command's output; its exit status must be the given one."""
        command = [*self.command, f"-chdir={self.folder}", *arguments]
        done = subprocess.run(command, env=self.env, check=False, capture_output=True, text=True)
        if done.returncode != status:
            end = "\n".join(done.stdout.splitlines()[-60:])
            raise Failed(f"terraform {' '.join(arguments)}: exit status {done.returncode}, not {status}\n"
                         f"{done.stderr or end}")
        return done.stdout + done.stderr

    def apply(self, *variables: str) -> None:
        self.terraform("apply", "-auto-approve", "-no-color", *self.variables, *variables)

    def plan_is_empty(self, *variables: str) -> None:
        self.terraform("plan", "-detailed-exitcode", "-no-color", *self.variables, *variables)

    def refuses(self, reasons: list[str], *variables: str) -> None:
        """A plan with these variables alone must fail, for all of these reasons."""
        said = " ".join(self.terraform("plan", "-no-color", *variables, status=1).replace("│", " ").split())
        for reason in reasons:
            if reason not in said:
                raise Failed(f"refused, but not in the words {reason!r}:\n{said}")

    def destroy(self) -> None:
        self.terraform("destroy", "-auto-approve", "-no-color", *self.variables)

    def outputs(self) -> dict:
        return {name: output["value"] for name, output in json.loads(self.terraform("output", "-json")).items()}

    def state(self) -> str:
        return (self.folder / "terraform.tfstate").read_text()
