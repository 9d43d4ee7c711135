"""Runs pipelines of Apache Beam, and tells their mistakes as our own.

Apache Beam is an extra. It is imported when a function here is called, not
before.
"""

from collections.abc import Callable
from collections.abc import Sequence
import dataclasses
import logging
import re
from typing import Any

from codelaw import errors

# Runs in this process, or in as many as --direct_num_workers says. Beam's own
# default, DirectRunner, first tries to fetch a program from the network.
DEFAULT_RUNNER = 'FnApiRunner'
# As it stands in the trace that a worker's error carries.
_USER_ERROR = re.compile(
  r'codelaw\.errors\.UserError: (.+?)(?: \[while running |\\n|\n|$)'
)


@dataclasses.dataclass(frozen=True)
class Options:
  """Options of a pipeline.

  Attributes:
    runner: its name.
    parsed: Beam's `PipelineOptions`.
  """

  runner: str
  parsed: Any


def run(build: Callable[[Any, Any], None], settings: Options) -> None:
  """Runs a pipeline to its end.

  Args:
    build: called with the package `apache_beam` and the pipeline, to which it
      adds its steps.
    settings: of the pipeline.

  Raises:
    UserError: when a worker raised one.
  """
  beam = _beam()
  log = logging.getLogger('apache_beam.runners')
  level = log.level
  try:
    # It would print the trace of every mistake, which is told below.
    log.setLevel(logging.CRITICAL)
    with beam.Pipeline(options=settings.parsed) as root:
      build(beam, root)
  except Exception as error:  # A runner raises what it likes.
    mistake = _USER_ERROR.search(
      f'{type(error).__module__}.{type(error).__name__}: {error}'
    )
    if mistake is None:
      raise
    raise errors.UserError(mistake[1]) from error
  finally:
    log.setLevel(level)


def _beam() -> Any:
  """Apache Beam, imported without its remarks on what else is missing."""
  logging.disable(logging.WARNING)
  try:
    import apache_beam
  except ImportError as error:
    raise errors.UserError(
      'Apache Beam is not installed; install the extra `beam`, or leave out'
      ' --beam.'
    ) from error
  finally:
    logging.disable(logging.NOTSET)
  return apache_beam


def options(flags: Sequence[str]) -> Options:
  """Beam's options from flags, with our runner unless they name one.

  Args:
    flags: whatever Beam's `PipelineOptions` take, like
      `--direct_num_workers=8`.

  Raises:
    UserError: when Beam is not installed; for a runner that is not there, a
      value that is none, or a flag that the local runner does not know.
  """
  _beam()
  from apache_beam.options import pipeline_options
  from apache_beam.runners import runner as beam_runner

  if not any(flag.split('=')[0] == '--runner' for flag in flags):
    flags = [*flags, f'--runner={DEFAULT_RUNNER}']
  try:
    parsed = pipeline_options.PipelineOptions(list(flags))
    known = parsed.get_all_options()
    every = parsed.get_all_options(retain_unknown_options=True)
    beam_runner.create_runner(known['runner'])
  except SystemExit as error:
    raise errors.UserError(
      f'Apache Beam does not take {" ".join(flags)!r} (see above).'
    ) from error
  except (AttributeError, ImportError, ValueError) as error:
    raise errors.UserError(
      f'Apache Beam has no runner {known["runner"]} here ({error}).'
    ) from error
  unknown = sorted(every.keys() - known.keys())
  # Runners elsewhere have options that are not known here.
  if unknown and known['runner'] == DEFAULT_RUNNER:
    raise errors.UserError(
      f'Apache Beam has no option --{unknown[0]}; its documentation lists them'
      ' under PipelineOptions.'
    )
  return Options(known['runner'], parsed)
