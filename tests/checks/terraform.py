#!/usr/bin/env python3
"""Checks infra/terraform without an account, or shows a plan.

  terraform.py check            format, validation, and the suites of tests/
  terraform.py plan TIER        what would be made for a tier: serverless, durable or external
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from terraform_root import ROOT, Copy

# An account that is asked nothing, and what a tier cannot be planned without.
NOWHERE = [
    "-var=region=eu-west-1", "-var=account_id=123456789012",
    '-var=availability_zones=["eu-west-1a","eu-west-1b"]',
]
TIERS = {
    "serverless": [],
    "durable": [],
    "external": [
        "-var=redis_url=rediss://cache.example.com:6379",
        '-var=redis_iam={kind="elasticache-serverless",cache="cache",user="baton"}',
    ],
}


def check() -> int:
    """The exit status of the first that fails, with what it said."""
    unformatted = subprocess.run(["terraform", "fmt", "-check", "-diff", "-recursive", ROOT], check=False).returncode
    if unformatted:
        return unformatted
    with tempfile.TemporaryDirectory() as folder:
        copy = Copy(Path(folder))
        for arguments in (["validate", "-no-color"], ["test", "-no-color"]):
            done = copy.run(*arguments)
            print(done.stdout, end="", flush=True)
            if done.returncode:
                return done.returncode
        return 0


def plan(tier: str) -> int:
    with tempfile.TemporaryDirectory() as folder:
        done = Copy(Path(folder)).run("plan", *NOWHERE, f"-var=tier={tier}", *TIERS[tier])
        print(done.stdout, end="", flush=True)
        return done.returncode


match sys.argv[1:]:
    case ["check"]:
        sys.exit(check())
    case ["plan", tier] if tier in TIERS:
        sys.exit(plan(tier))
    case _:
        sys.exit(__doc__)
