"""`python -m local_host`: the command line of the local host."""

import sys
import time

STARTED = time.monotonic()

if __name__ == "__main__":
    from local_host.cli import main

    sys.exit(main(started=STARTED))
