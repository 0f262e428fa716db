#!/usr/bin/env python3
"""The suites of infra/terraform find mistakes: each is put into a copy, and the suite that guards it must fail."""

import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from terraform_root import ROOT, Copy


class Mistake(NamedTuple):
    """An edit of the root, the suite that must fail, and what it must say."""

    what: str
    file: str
    old: str
    new: str
    suite: str
    says: str


LEAST = "Each role grants what its function does, and nothing else: meta alone starts no tick."
TWO_ZONES = "The store is encrypted in transit and at rest."
ALONE = "Nothing but the functions is let in."
MISTAKES = [
    Mistake("a grant of every action", "iam.tf",
            'Action   = ["secretsmanager:GetSecretValue"]', 'Action   = ["secretsmanager:*"]', "external", LEAST),
    Mistake("a grant on every secret", "iam.tf",
            "Resource = [aws_secretsmanager_secret.baton.arn]", 'Resource = ["*"]', "external", LEAST),
    Mistake("a grant to whom it is not due", "functions.json", '"nudges": false', '"nudges": true', "external", LEAST),
    Mistake("a schedule that may invoke every function", "iam.tf",
            'Action   = ["lambda:InvokeFunction"]\n      Resource = [local.function_arns.tick]',
            'Action   = ["lambda:InvokeFunction"]\n      Resource = values(local.function_arns)', "external",
            "The schedule may invoke tick, and nothing else."),
    Mistake("a route that is missing", "api.tf",
            "for route in function.routes : route => name }",
            'for route in function.routes : route => name if route != "GET /readyz" }', "api",
            "The API has these routes"),
    Mistake("a route that catches all others", "functions.json", '"GET /metrics",', '"GET /metrics", "$default",', "api",
            "The API has these routes"),
    Mistake("a route that wants a signature where the key is", "api.tf",
            'authorization_type = "NONE"', 'authorization_type = "AWS_IAM"', "api", "The API has these routes"),
    Mistake("a store that speaks plaintext", "redis.tf",
            "transit_encryption_enabled = true\n  transit_encryption_mode    = \"required\"",
            "transit_encryption_enabled = true\n  transit_encryption_mode    = \"preferred\"", "durable", TWO_ZONES),
    Mistake("a store that is not encrypted at rest", "redis.tf",
            "at_rest_encryption_enabled = true", "at_rest_encryption_enabled = false", "durable", TWO_ZONES),
    Mistake("functions that speak plaintext", "redis.tf",
            '${var.redis_plaintext ? "redis" : "rediss"}://', "redis://", "serverless",
            "Every function speaks TLS, and logs in with a token."),
    Mistake("plaintext anywhere", "variables_redis.tf",
            "!var.redis_plaintext || local.is_loopback", "!var.redis_plaintext || var.endpoint != null", "refusals",
            "var.redis_plaintext, was expected to report an error"),
    Mistake("a store that is open to the internet", "firewall.tf",
            "  to_port                      = local.redis_port\n"
            "  referenced_security_group_id = aws_security_group.functions[0].id",
            '  to_port                      = local.redis_port\n  cidr_ipv4                    = "0.0.0.0/0"',
            "durable", ALONE),
    Mistake("a schedule that comes too seldom", "schedule.tf", "rate(1 minute)", "rate(1 hour)", "external",
            "The beat is each minute."),
]


def found(copies: SimpleQueue, mistake: Mistake) -> str:
    """What is wrong with the suites, or ""."""
    right = (ROOT / mistake.file).read_text()
    if right.count(mistake.old) != 1:
        return f"{mistake.file} has {right.count(mistake.old)} times {mistake.old!r}, not once"
    copy = copies.get()
    path = copy.folder / mistake.file
    path.write_text(right.replace(mistake.old, mistake.new))
    done = copy.run("test", "-no-color", f"-filter=tests/{mistake.suite}.tftest.hcl")
    path.write_text(right)
    copies.put(copy)
    if not done.returncode:
        return f"passes {mistake.suite}"
    said = " ".join(done.stdout.split())
    return "" if mistake.says in said else f"fails {mistake.suite}, but not with {mistake.says!r}:\n{done.stdout}"


def main() -> int:
    missed, copies, workers = 0, SimpleQueue(), min(4, os.cpu_count() or 1)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(workers) as pool:
        for worker in range(workers):
            (Path(folder) / str(worker)).mkdir()
            copies.put(Copy(Path(folder) / str(worker)))
        for mistake, problem in zip(MISTAKES, pool.map(lambda m: found(copies, m), MISTAKES), strict=True):
            missed += bool(problem)
            print(f"{mistake.what}: {problem or 'found'}", flush=True)
    return 1 if missed else 0


sys.exit(main())
