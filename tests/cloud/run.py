#!/usr/bin/env python3
"""Deploys infra/terraform to a local cloud, runs the scenarios and what only a deployment can show, and takes it down.

  run.py [PHASE...]   phases: refusals tiers scenarios nudges schedule kill (all of them when none is named)

Needs the zips of `PROFILE=local make package`, cargo, terraform, and MiniStack beside this interpreter.
Nothing is left: every process is stopped by its id, also after a failure or Ctrl-C.
"""

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from control import Control
from deployment import Cloud, Deployment, resources
from forwarder import Forwarder
from processes import MARK, Failed, Server, start_cloud, start_redis, sweep, tail
from programs import programs
from root import Root
from rotation import rotate
from scenarios import report, skips

TREE = Path(__file__).resolve().parents[2]
SETTINGS = TREE / "localstack"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", TREE / "target")).resolve()
ZIPS = TARGET / "lambda/local"
TIERS = ("serverless", "durable", "external")
PHASES = ("refusals", "tiers", "scenarios", "nudges", "schedule", "kill")
# The tests of main.rs beside this file, by the beginnings of their names.
NUDGES_ALONE = "without_the_schedule_nudges_alone"
SCHEDULE_ALONE = "without_nudges_the_schedule_alone"
KILLED_TICK = "what_a_killed_tick_held"


class Run:
    """One local cloud, from its start to its end."""

    def __init__(self, stack: ExitStack) -> None:
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="baton-cloud-")))
        self.id = self.folder.name
        stack.callback(self.sweep)
        self.redis, self.redis_port = start_redis(self.folder, self.id)
        stack.callback(self.redis.stop)
        self.forwarder = Forwarder(self.redis_port)
        stack.callback(self.forwarder.stop)
        program = Path(sys.executable).with_name("ministack")
        self.server, endpoint = start_cloud(program, self.folder, self.id, self.forwarder.port)
        stack.callback(self.server.stop)
        self.cloud, self.endpoint = Cloud(endpoint), endpoint
        self.programs = programs(TREE)
        self.roots = 0
        self.deployment: Deployment | None = None

    def sweep(self) -> None:
        for left in sweep(self.id):
            print(f"cloud: killed what was left: {left}", file=sys.stderr)

    def root(self, tier: str) -> Root:
        variables = [f"-var-file={SETTINGS}/local.tfvars", f"-var-file={SETTINGS}/{tier}.tfvars",
                     f"-var=endpoint={self.endpoint}", f"-var=package_dir={ZIPS}",
                     f"-var=redis_port={self.forwarder.port}"]
        if tier == "external":
            variables.append(f"-var=redis_url=redis://127.0.0.1:{self.forwarder.port}")
        self.roots += 1
        return Root(TREE, self.folder / f"root-{self.roots}", self.id, self.endpoint, variables)

    def describe(self, root: Root) -> Deployment:
        """The deployment of a root, as the tests are told of it by a file."""
        said = root.outputs()
        self.deployment = Deployment(self.cloud, said["url"], said["function_names"], said["secret_arn"])
        secrets = self.deployment.secrets()
        (self.folder / "deployed.json").write_text(json.dumps({
            "url": said["url"], "redis_url": f"redis://127.0.0.1:{self.redis_port}",
            "tick": said["function_names"]["tick"], "pid": self.server.pid, "log": str(self.server.log),
            "processor_secrets": secrets["BATON_PROCESSOR_SECRETS"],
            "webhook_secrets": secrets["BATON_WEBHOOK_SECRETS"], "operator_keys": secrets["BATON_OPERATOR_KEYS"]}))
        return self.deployment

    def test(self, program: str, *arguments: str, **variables: str) -> None:
        """Runs tests; what they print is shown, with a sign of life from time to time."""
        env = os.environ | {MARK: self.id, "KIT_CLOUD": str(self.folder / "deployed.json")} | variables
        command = [str(self.programs[program]), "--quiet", *arguments]
        # In a group of its own: on Ctrl-C this program decides what ends when.
        tests = Server("tests", command, env, TREE / "tests", self.folder)
        try:
            status = tests.process.wait()
        finally:
            tests.stop()
            print(tail(tests.log, 400), flush=True)
            tests.log.unlink()
        if status:
            raise Failed(f"{' '.join(command)}: exit status {status}")

    def show_logs(self) -> None:
        if self.deployment:
            print(self.deployment.logs(), file=sys.stderr)
        for server in (self.server, self.redis):
            print(f"--- {server.name} ---\n{tail(server.log)}", file=sys.stderr)


@contextmanager
def step(name: str) -> Iterator[None]:
    start = time.monotonic()
    yield
    print(f"ok    {time.monotonic() - start:4.0f} s  {name}", flush=True)


def refusals(run: Run) -> None:
    """Plaintext goes with a cloud on the loopback interface alone."""
    root = run.root("external")
    plaintext = "A store without TLS is for a local cloud only"
    account = "-var=account_id=123456789012"
    with step("plaintext Redis is refused where the endpoint is not on the loopback interface"):
        root.refuses([plaintext], *root.variables, account, "-var=endpoint=http://203.0.113.1:4566")
    aws = run.folder / "aws.tfvars"
    aws.write_text("endpoint = null\n")
    with step("plaintext Redis is refused on AWS itself"):
        root.refuses([plaintext], *root.variables, account, f"-var-file={aws}")
    with step("a redis:// URL is refused where plaintext is not asked for"):
        root.refuses(["Write `rediss://`"], *root.variables, "-var=redis_plaintext=false")


def deployed(run: Run, tier: str, *variables: str) -> Root:
    root = run.root(tier)
    with step(f"{tier}: apply"):
        root.apply(*variables)
    run.describe(root)
    return root


def destroyed(run: Run, root: Root, tier: str, before: set[str]) -> None:
    with step(f"{tier}: destroy leaves nothing"):
        root.destroy()
        left = resources(run.cloud) - before
        if left:
            raise Failed("left behind: " + ", ".join(sorted(left)))


def cycle(run: Run, tier: str, before: set[str]) -> None:
    """Apply, a second plan without changes, and a destroy that leaves nothing."""
    root = deployed(run, tier)
    with step(f"{tier}: a second plan is empty"):
        root.plan_is_empty()
    if tier == "external":
        with step("keys change side by side, and none is in the state"):
            rotate(root, run.deployment)
    destroyed(run, root, tier, before)


def scenarios(run: Run) -> None:
    """The scenarios of tests/it, each on a Redis of its own behind the store's endpoint."""
    assert run.deployment
    control = Control(run.deployment, run.forwarder, run.server.pid)
    try:
        with step("scenarios"):
            print(report(), flush=True)
            # One at a time: there is one deployment, and each takes it over.
            run.test("it", "--test-threads=1", *skips(), KIT_FORM="deployed",
                     KIT_CLOUD_CONTROL=control.url, KIT_CLOUD_ATTACH=str(TREE / "tests/cloud/attach.py"))
    finally:
        control.stop()
    run.forwarder.switch(run.redis_port)
    run.deployment.configure({})


def show(run: Run, root: Root, name: str, *variables: str) -> None:
    """One of the tests of main.rs, on a deployment with these variables."""
    with step(f"apply {' '.join(variables) or 'as it was'}"):
        root.apply(*variables)
    with step(name):
        run.test("cloud", name)


def main(phases: list[str]) -> None:
    with ExitStack() as stack:
        with step("the tests are built; MiniStack and Redis"):
            run = Run(stack)
        try:
            before = resources(run.cloud)
            if "refusals" in phases:
                refusals(run)
            if "tiers" in phases:
                for tier in ("external", "durable"):
                    cycle(run, tier, before)
            if set(phases) & {"tiers", "scenarios", "nudges", "schedule", "kill"}:
                root = deployed(run, "serverless")
                if "tiers" in phases:
                    with step("serverless: a second plan is empty"):
                        root.plan_is_empty()
                if "scenarios" in phases:
                    scenarios(run)
                if "nudges" in phases:
                    show(run, root, NUDGES_ALONE, "-var=schedule_enabled=false")
                if "schedule" in phases:
                    show(run, root, SCHEDULE_ALONE, "-var=nudges_enabled=false")
                if "kill" in phases:
                    show(run, root, KILLED_TICK)
                destroyed(run, root, "serverless", before)
        except BaseException:
            run.show_logs()
            raise


def stop(number: int, _: object) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    unknown = set(sys.argv[1:]) - set(PHASES)
    if unknown:
        sys.exit(__doc__)
    # The first ends the run in order; what comes while it does changes nothing.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        main(sys.argv[1:] or list(PHASES))
    except Failed as failed:
        sys.exit(f"cloud: {failed}")
