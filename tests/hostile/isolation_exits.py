"""A module whose import ends the interpreter."""

import sys

sys.exit("usage: no such option")
