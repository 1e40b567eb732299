"""`python -m flows` is `questmill`."""

import sys

from flows.cli import main

if __name__ == "__main__":
    sys.exit(main())
