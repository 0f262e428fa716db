#!/usr/bin/env python3
"""Stands in for `baton serve` where the manager is a deployment: started with the same variables, it has the deployment
take them over, and writes where to reach it and what it signs with into the data directory.

  attach.py       lives as long as the manager would
  attach.py log   prints what the functions have logged since the last of them was started
"""

import json
import os
import signal
import sys
import urllib.error
import urllib.request
from pathlib import Path

# What a manager is configured by besides BATON_ variables, and how often the stand-in of the schedule beats.
OTHERS = ("REDIS_URL", "REDIS_PASSWORD", "SSL_CERT_FILE", "CLOUD_CRON_MS")


def ask(method: str, body: bytes | None = None) -> bytes:
    request = urllib.request.Request(os.environ["KIT_CLOUD_CONTROL"], body, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        sys.exit(f"cloud: {error.read().decode()}")


def main() -> None:
    if sys.argv[1:] == ["log"]:
        print(ask("GET").decode())
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    variables = {name: value for name, value in os.environ.items() if name.startswith("BATON_") or name in OTHERS}
    told = json.loads(ask("PUT", json.dumps(variables).encode()))
    folder = Path(os.environ["BATON_DATA_DIR"])
    (folder / "processor.secret").write_text(told["BATON_PROCESSOR_SECRETS"])
    (folder / "webhook.secret").write_text(told["BATON_WEBHOOK_SECRETS"])
    (folder / "operator.keys").write_text(told["BATON_OPERATOR_KEYS"])
    aside = folder / "url.new"
    aside.write_text(told["url"])
    aside.rename(folder / "url")
    while True:
        signal.pause()


main()
