"""Models that a verb may choose from: the flag --models and what it names.

A file of gin_configs/models/ binds one shape under a scope of its own, like
`sequential_14k/ModelShape.width = 16`; each scope is a model.
"""

import argparse
import dataclasses
import pathlib
import re

from codelaw import accounting
from codelaw import errors
from codelaw.cli import gin_config

_SCOPE = re.compile(r'^([\w./-]+)/ModelShape\.', re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class ModelChoice:
  """Models to choose from.

  Attributes:
    models: their shapes.
  """

  models: tuple[accounting.ModelShape, ...]


def add_flag(parser: argparse.ArgumentParser, purpose: str) -> None:
  """Adds --models.

  Args:
    parser: of the verb.
    purpose: of the models, to go on with "gin files of models".
  """
  parser.add_argument(
    '--models',
    metavar='FILE.gin[,FILE.gin]',
    help=f'gin files of models {purpose}; their FLOPs are counted exactly',
  )


def read(args: argparse.Namespace) -> list[accounting.ModelShape]:
  """The models that --models names, from the smallest; empty without it.

  Raises:
    UserError: for a file that cannot be read or binds no scoped ModelShape.
  """
  if args.models is None:
    return []
  files = [name for name in args.models.split(',') if name]
  scopes = [scope for name in files for scope in _scopes(name, args)]
  references = ', '.join(f'@{scope}/ModelShape()' for scope in scopes)
  choice = gin_config.load(
    argparse.Namespace(
      gin_file=files,
      gin_search_paths=args.gin_search_paths,
      gin_bindings=[f'ModelChoice.models = [{references}]'],
    ),
    ModelChoice,
    [accounting.ModelShape],
  )
  return sorted(choice.models, key=accounting.num_params)


def _scopes(name: str, args: argparse.Namespace) -> list[str]:
  for folder in ('', *gin_config.search_paths(args)):
    file = pathlib.Path(folder, name)
    if file.is_file():
      found = list(dict.fromkeys(_SCOPE.findall(file.read_text())))
      if not found:
        raise errors.UserError(
          f'{name} binds no NAME/ModelShape; expected a file like'
          ' gin_configs/models/sequential_108k.gin.'
        )
      return found
  raise errors.UserError(
    f'--models names {name}, which is no file here or in gin_configs/.'
  )
