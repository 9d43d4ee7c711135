"""The one exception that stands for a mistake a user can mend."""


class UserError(ValueError):
  """One clear sentence: what was got, what was expected, where, what next.

  The command line prints the message alone, without a traceback, and exits
  with code 2. Library callers can catch it as a `ValueError`.
  """
