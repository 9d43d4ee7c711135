"""The exceptions that stand for what a user can mend, or start again."""

# Of a program that was told to stop and has saved where it was: that of shells
# for SIGINT, whichever signal it was.
STOPPED_EXIT_CODE = 130


class UserError(ValueError):
  """One clear sentence: what was got, what was expected, where, what next.

  The command line prints the message alone, without a traceback, and exits
  with code 2. Library callers can catch it as a `ValueError`.
  """


class TemporaryError(RuntimeError):
  """What the work needs is gone for now; started again, it goes on.

  The command line prints the message alone and exits with `EXIT_CODE`, so that
  what restarts programs knows it from a mistake.
  """

  EXIT_CODE = 75  # EX_TEMPFAIL of sysexits.h
