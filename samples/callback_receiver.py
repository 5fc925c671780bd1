"""Takes callbacks of Chorus, and believes those that are signed: CHORUS_CALLBACK_SECRET=whsec_… python FILE [PORT]."""

import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

WEBHOOK = Webhook(os.environ["CHORUS_CALLBACK_SECRET"].split()[0])


class Receiver(BaseHTTPRequestHandler):
    """Answers 204 to a callback that it believes, 401 to any other."""

    def do_POST(self) -> None:
        """Check the signature over the body as it came; then answer, and do what takes time afterwards."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            run = WEBHOOK.verify(body, dict(self.headers))["data"]
        except WebhookVerificationError:
            self.send_error(401)
            return
        self.send_response(204)
        self.end_headers()
        print(self.headers["webhook-id"], run["status"], run["result_url"], flush=True)  # noqa: T201 - what it is for


HTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8080), Receiver).serve_forever()
