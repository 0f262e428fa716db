#!/usr/bin/env python3
"""Writes functions/src/aws/login_vectors.json: tokens for Redis, signed by botocore.

    pip install botocore && tests/checks/redis_iam_vectors.py

The test of the functions' own tokens compares them with these. The keys are nobody's.
"""

import datetime
import json
import unittest.mock
from pathlib import Path
from urllib.parse import urlencode

import botocore.auth
import botocore.awsrequest
import botocore.credentials

NOW_SECS = 1_750_000_000
SESSION = "FwoGZXIvYXdzEJr//////////wEaDExample+Token/With=Odd&Characters=="
CASES = [
    {"kind": "elasticache", "user": "baton", "cache": "orders-cache", "region": "eu-west-1"},
    {"kind": "elasticache", "user": "baton", "cache": "orders-cache", "region": "us-east-1", "session_token": SESSION},
    {"kind": "elasticache-serverless", "user": "baton-user", "cache": "orders", "region": "eu-central-1",
     "session_token": SESSION},
    {"kind": "memorydb", "user": "baton-01", "cache": "orders-db", "region": "ap-southeast-2"},
]


def token(case: dict) -> str:
    query = {"Action": "connect", "User": case["user"]}
    if case["kind"] == "elasticache-serverless":
        query["ResourceType"] = "ServerlessCache"
    service = "memorydb" if case["kind"] == "memorydb" else "elasticache"
    request = botocore.awsrequest.AWSRequest("GET", f"http://{case['cache']}/?{urlencode(query)}")
    keys = botocore.credentials.Credentials(case["access_key"], case["secret_key"], case["session_token"])
    then = datetime.datetime.fromtimestamp(case["now_secs"], datetime.timezone.utc)
    with unittest.mock.patch.object(botocore.auth, "get_current_datetime", lambda *_, **__: then):
        botocore.auth.SigV4QueryAuth(keys, service, case["region"], expires=900).add_auth(request)
    return request.url.removeprefix("http://")


def main() -> None:
    vectors = []
    for case in CASES:
        case = {"session_token": None, **case, "access_key": "AKIDEXAMPLE", "now_secs": NOW_SECS}
        case["secret_key"] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
        vectors.append({**case, "token": token(case)})
    path = Path(__file__).parents[2] / "functions/src/aws/login_vectors.json"
    path.write_text(json.dumps(vectors, indent=2) + "\n")


main()
