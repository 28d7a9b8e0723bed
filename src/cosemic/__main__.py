"""``python -m cosemic``: the command line."""

import sys

from cosemic.cli import main

if __name__ == "__main__":
    sys.exit(main())
