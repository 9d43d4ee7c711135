"""`python -m codelaw VERB`, the same as the `codelaw` console script."""

import sys

from codelaw.cli import main

if __name__ == '__main__':
  sys.exit(main.main())
