#!/usr/bin/env python3
"""Stands in for `baton serve` where the manager is a deployment: started with the same variables, it has the deployment
take them over, and writes where to reach it and what it signs with into the data directory.

It lives as long as the manager would; what it prints is the manager's log.
"""

import json
import os
import signal
import sys
import urllib.error
import urllib.request
from pathlib import Path


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    variables = {name: value for name, value in os.environ.items() if name.startswith("BATON_") or name == "REDIS_URL"}
    request = urllib.request.Request(os.environ["KIT_CLOUD_CONTROL"], json.dumps(variables).encode(), method="PUT")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            told = json.load(answer)
    except urllib.error.HTTPError as error:
        sys.exit(f"cloud: {error.read().decode()}")
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
