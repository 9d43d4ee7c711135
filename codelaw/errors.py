"""The exceptions that stand for what a user can mend, or start again."""


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
