"""`python -m server` is `riverrun`, for places without the installed command."""

import sys

from server.cli import main

sys.exit(main())
