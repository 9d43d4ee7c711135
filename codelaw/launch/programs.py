"""Client programs of engines: found on PATH, run with a limit, heard out."""

import json
import re
import shutil
import subprocess
from typing import Any

from codelaw import errors
from codelaw.launch import job as job_lib

LOOK_SECONDS = 120.0  # of looking at what is there
CHANGE_SECONDS = 900.0  # of handing in or removing, which may wait for machines
_LINES_SHOWN = 3

_SOURCES = {
  'gcloud': 'install the Google Cloud CLI'
  ' (https://cloud.google.com/sdk/docs/install) and log in: gcloud auth login',
  'kubectl': 'install it (gcloud components install kubectl) and fetch the'
  " cluster's credentials: gcloud container clusters get-credentials",
  'xpk': 'install it in an environment of its own (python3 -m venv, then pip'
  ' install xpk), beside gcloud and kubectl',
}
# What Google's APIs (https://cloud.google.com/apis/design/errors) and
# Kubernetes' say where the same request may succeed later.
_TRANSIENT = re.compile(
  r'RESOURCE_EXHAUSTED|UNAVAILABLE|DEADLINE_EXCEEDED|ABORTED|\bINTERNAL\b'
  r'|\b(429|500|502|503|504)\b|quota|rate limit|too many requests'
  r'|tim(ed|e) ?out|connection (refused|reset)|unable to connect'
  r'|network is unreachable|name resolution|no such host|try again'
  r'|etcdserver|leader changed',
  re.IGNORECASE,
)


def submit(job: job_lib.Job, engine: job_lib.Engine) -> None:
  """Hands a job in, unless a job of that name and content is there.

  Raises:
    TransientError: when it may be tried again later.
    UserError: when a job of that name with another content is there, and when
      the client is missing or refuses.
  """
  if job_lib.is_due(job, engine):
    for command in engine.commands(job):
      run(command, CHANGE_SECONDS)


def run(command: job_lib.Command, seconds: float) -> str:
  """What a command prints.

  Args:
    command: to run.
    seconds: after which it is ended.

  Raises:
    TransientError: when it takes too long, or fails for a reason that may pass.
    UserError: when the program is missing or refuses.
  """
  program = command.arguments[0]
  if shutil.which(program) is None:
    raise errors.UserError(
      f'{program} is not on PATH;'
      f' {_SOURCES.get(program, "install it, or add its folder to PATH")}.'
    )
  try:
    done = subprocess.run(
      command.arguments,
      input=command.input,
      capture_output=True,
      text=True,
      errors='replace',
      timeout=seconds,
      check=False,
    )
  except subprocess.TimeoutExpired as error:
    raise job_lib.TransientError(
      f'{_brief(command)} had not ended after {seconds:.0f} s; look at the'
      ' network, and try again.'
    ) from error
  except OSError as error:
    raise errors.UserError(
      f'{_brief(command)} cannot be run: {error.strerror or error}.'
    ) from error
  if done.returncode:
    # xpk says what is wrong on its standard output.
    said = done.stderr.strip() or done.stdout.strip()
    transient = _TRANSIENT.search(said)
    kind = job_lib.TransientError if transient else errors.UserError
    raise kind(
      f'{_brief(command)} ended with {done.returncode}:'
      f' {_gist(said).rstrip(".") or "it said nothing"}.'
    )
  return done.stdout


def read(command: job_lib.Command) -> Any:
  """The JSON that a command prints; see `run`."""
  text = run(command, LOOK_SECONDS)
  try:
    return json.loads(text)
  except json.JSONDecodeError as error:
    raise errors.UserError(
      f'{_brief(command)} did not print JSON ({error}) but {text[:80]!r}; is'
      f' {command.arguments[0]} the program of that name?'
    ) from error


def _gist(said: str) -> str:
  """The lines of a client's complaint that matter, as one line."""
  lines = [line.strip() for line in said.splitlines() if line.strip()]
  # Behind what went wrong, gcloud says where to complain.
  first = [at for at, line in enumerate(lines) if line.startswith('ERROR:')]
  start = first[0] if first else max(0, len(lines) - _LINES_SHOWN)
  return ' '.join(lines[start : start + _LINES_SHOWN])


def _brief(command: job_lib.Command) -> str:
  """A command without its flags."""
  words = [word for word in command.arguments if not word.startswith('-')]
  return f'`{" ".join(words)}`'
