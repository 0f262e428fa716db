"""Where the outcome is posted to: takes deliveries that are signed by Standard Webhooks with the one secret."""

import base64
import hashlib
import hmac
import json
import queue
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from processes import PATIENCE_S, Failed


def signature(secret: str, headers: Mapping[str, str], body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


class Receiver:
    """Answers 401 to what it does not believe."""

    def __init__(self, secret: str) -> None:
        self.deliveries: queue.Queue[dict] = queue.Queue()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # the name that the base class looks for
                body = self.rfile.read(int(self.headers["content-length"]))
                believed = self.headers["webhook-signature"] == signature(secret, self.headers, body)
                if believed:
                    receiver.deliveries.put(json.loads(body))
                self.send_response(204 if believed else 401)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def next(self) -> dict:
        try:
            return self.deliveries.get(timeout=PATIENCE_S)
        except queue.Empty:
            raise Failed(f"nothing with a right signature was delivered within {PATIENCE_S:g} s") from None

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
