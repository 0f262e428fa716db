"""What a scenario may change about the deployment: which Redis it runs on, and the functions' variables.

Answers `PUT /` with the variables of one manager, as `baton serve` would be started with them, by where to reach it and
what it signs with, and `GET /` by what the functions have logged since. While a scenario runs, `tick` gets a beat each
second, or as often as it says, so that what waits for the schedule does not take minutes; the schedule itself is proved
apart.
"""

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from deployment import Deployment
from forwarder import Forwarder

SECRETS = ("BATON_PROCESSOR_SECRETS", "BATON_WEBHOOK_SECRETS",
           "BATON_CALLER_KEYS", "BATON_OPERATOR_KEYS", "BATON_PROCESSOR_KEYS")
# What makes sense to one process only.
OWN = ("BATON_BIND", "BATON_DATA_DIR", "BATON_PUBLIC_URL", "CLOUD_CRON_MS")
BEAT = {"source": "aws.scheduler", "detail-type": "Scheduled Event", "detail": {}}
BEAT_EACH_MS = 1_000


class Control:
    """Serves one scenario at a time."""

    def __init__(self, deployment: Deployment, forwarder: Forwarder, group: int) -> None:
        self.deployment, self.forwarder, self.group = deployment, forwarder, group
        self.lock, self.ended = threading.Lock(), threading.Event()
        self.since_ms, self.beat_each_ms = 0, 0
        control = self

        class Handler(BaseHTTPRequestHandler):
            # The names that the base class looks for.
            def do_PUT(self) -> None:
                length = int(self.headers.get("content-length", 0))
                self.answer(lambda: json.dumps(control.configure(json.loads(self.rfile.read(length)))))

            def do_GET(self) -> None:
                self.answer(lambda: "\n".join(control.deployment.log(control.since_ms)))

            def answer(self, work: Callable[[], str]) -> None:
                try:
                    status, answer = 200, work()
                except Exception as error:  # whatever it is, the scenario is to see it
                    status, answer = 500, f"{type(error).__name__}: {error}"
                body = answer.encode()
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        for work in (self.server.serve_forever, self._beat):
            threading.Thread(target=work, daemon=True).start()

    def configure(self, variables: dict[str, str]) -> dict[str, str]:
        """Gives every function these variables, and a process made ready with them."""
        # A scenario that failed may have left all of it standing still.
        os.killpg(self.group, signal.SIGCONT)
        every = int(variables.get("CLOUD_CRON_MS", BEAT_EACH_MS))
        variables = {name: value for name, value in variables.items() if name not in OWN}
        store = urlsplit(variables.get("REDIS_URL", ""))
        with self.lock:
            if store.scheme == "redis" and store.hostname == "127.0.0.1" and store.path in ("", "/"):
                self.forwarder.switch(store.port)
                login, at, _ = store.netloc.rpartition("@")
                if at:
                    variables["REDIS_URL"] = f"redis://{login}@127.0.0.1:{self.forwarder.port}"
                else:
                    del variables["REDIS_URL"]
            secrets = self.deployment.secrets()
            if any(variables.get(name, secrets[name]) != secrets[name] for name in SECRETS):
                # The secret in the cloud and a variable may not say the same thing: the variables say it all.
                variables = secrets | variables
            else:
                variables = {name: value for name, value in variables.items() if name not in SECRETS}
            self.since_ms = time.time_ns() // 1_000_000
            self.deployment.configure(variables)
            self.beat_each_ms = every
        return {"url": self.deployment.url} | secrets | {k: v for k, v in variables.items() if k in SECRETS}

    def stop(self) -> None:
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()

    def _beat(self) -> None:
        while not self.ended.wait((self.beat_each_ms or BEAT_EACH_MS) / 1_000):
            with self.lock:
                try:
                    if self.beat_each_ms:
                        self.deployment.invoke("tick", BEAT)
                except (BotoCoreError, ClientError):
                    pass  # a beat may be lost, as the schedule's may: the next is never far
