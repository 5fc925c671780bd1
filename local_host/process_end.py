"""`leave`: ends a process in order, unless something of it cannot be ended in order."""

from __future__ import annotations

import concurrent.futures.thread
import logging
import os
import sys
import threading
import time

_GRACE_S = 0.2


def leave(code: int) -> int:
    """Return the exit code, or end at once when a thread that cannot be interrupted would hold up the exit."""
    # The interpreter waits for the threads of every pool, whether daemons or not, and for those that are no daemons.
    pooled = set(concurrent.futures.thread._threads_queues)
    waited_for = [t for t in threading.enumerate() if t in pooled or not t.daemon]
    deadline = time.monotonic() + _GRACE_S
    for thread in waited_for:
        if thread is not threading.main_thread():
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                logging.shutdown()
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
    return code
