"""`python -m mltest`."""

import sys

from mltest.cli import main

if __name__ == "__main__":  # processes of a sweep import this module again
    sys.exit(main())
