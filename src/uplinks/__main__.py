"""Run the command line as ``python -m uplinks``."""

from __future__ import annotations

import sys

from uplinks.cli import main

if __name__ == "__main__":
    sys.exit(main())
