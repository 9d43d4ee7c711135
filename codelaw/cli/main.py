"""`codelaw VERB`: finds the verb's module, parses its flags, runs it.

Each verb is a module of this package with `EXAMPLE` (a command line that a
test runs after a study), `add_flags(parser)` and `run(args)`, which may return
an exit code. A mistake that a user can mend ends with one sentence and exit
code 2.
"""

import argparse
from collections.abc import Sequence
import importlib
import os
import sys
from typing import NoReturn

import codelaw
from codelaw import errors
from codelaw.cli import gin_config
from codelaw.train import topology

VERBS = {
  'corpus': 'build or inspect typed, filtered, deduplicated documents',
  'cache': 'train or load the tokenizer, pack, write shards and manifest',
  'mixture': "print a schedule's exact tokens before anything is spent",
  'train': 'train one run',
  'compile': 'compile a run for a TPU slice without one: memory, time, cost',
  'launch': 'run it on Cloud TPU: queued resources, GKE JobSets or xpk',
  'study': 'plan, run, resume, collect, fit, allocate and confirm a sweep',
  'evaluate': 'give downstream tasks to checkpoints of runs',
  'collect': 'read run directories into a run table',
  'fit': 'fit scaling laws to a run table',
  'predict': 'predict losses, with intervals, for new rows',
  'allocate': 'find the best rates and write them as a gin file',
  'design': 'propose the next runs, which make the allocation surest',
  'export': 'write a run as a Hugging Face folder',
  'import': 'make a run from a Hugging Face folder, to start others from',
  'judge': "let a language model judge two checkpoints' answers: win rates",
  'report': 'write the HTML report and its TensorBoard figures',
}


class _Parser(argparse.ArgumentParser):
  """A parser whose errors are one sentence, as all of ours are."""

  def error(self, message: str) -> NoReturn:
    """Raises `UserError` instead of printing the usage."""
    raise errors.UserError(f'{message}; `{self.prog} --help` shows the flags.')


def build_parser(verb: str) -> argparse.ArgumentParser:
  """The parser of one verb, with its description and example."""
  module = importlib.import_module(f'codelaw.cli.{verb}')
  parser = _Parser(
    prog=f'codelaw {verb}',
    description=module.__doc__,
    epilog=f'example:\n  {module.EXAMPLE}',
    formatter_class=argparse.RawDescriptionHelpFormatter,
    allow_abbrev=False,
  )
  module.add_flags(parser)
  gin_config.add_flags(parser)
  return parser


def _usage() -> str:
  width = max(map(len, VERBS))
  rows = '\n'.join(f'  {verb:<{width}}  {does}' for verb, does in VERBS.items())
  return (
    f'codelaw {codelaw.__version__}: scaling laws and mixtures for'
    ' pre-training on code.\n\nusage: codelaw VERB [flags]\n\nverbs:\n'
    f'{rows}\n\n`codelaw VERB --help` shows the flags and an example.'
  )


def main(argv: Sequence[str] | None = None) -> int:
  """Runs one verb.

  Args:
    argv: arguments without the program's name; `sys.argv[1:]` by default.

  Returns:
    The exit code: 0, what the verb returns (1 for a finding), 2 for a mistake
    a user can mend, 130 after Ctrl-C.
  """
  arguments = list(sys.argv[1:] if argv is None else argv)
  if not arguments or arguments[0] in ('-h', '--help', 'help'):
    print(_usage())
    return 0
  if arguments[0] == '--version':
    print(codelaw.__version__)
    return 0
  verb, *rest = arguments
  if verb not in VERBS:
    print(
      f'codelaw: there is no verb {verb!r}; the verbs are {", ".join(VERBS)}.',
      file=sys.stderr,
    )
    return 2
  topology.hide_absent_tpu()
  try:
    others, bindings = gin_config.split_bindings(rest)
    args = build_parser(verb).parse_args(others)
    args.gin_bindings = bindings
    gin_config.add_import_paths(args)
    code = importlib.import_module(f'codelaw.cli.{verb}').run(args)
  except errors.UserError as error:
    print(f'codelaw {verb}: {error}', file=sys.stderr)
    return 2
  except errors.TemporaryError as error:
    print(f'codelaw {verb}: {error}', file=sys.stderr)
    return error.EXIT_CODE
  except KeyboardInterrupt:
    print(f'codelaw {verb}: stopped.', file=sys.stderr)
    return errors.STOPPED_EXIT_CODE
  except BrokenPipeError:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
  return code or 0
