"""Gin at the border: files and bindings in, one frozen record out.

Gin builds frozen dataclasses; nothing below `codelaw.cli` imports gin. A
verb names the classes and functions that a file may bind, and the class that
is its entry point; `load` parses, builds it before any work starts, and
refuses bindings that nothing used, because gin accepts a misspelled scope or
macro silently.
"""

import argparse
import ast
from collections.abc import Callable
from collections.abc import Iterable
import logging
import os
import pathlib
import re
import sys
from typing import Any
from typing import TypeVar

import gin

import codelaw
from codelaw import errors

_Entry = TypeVar('_Entry')
_BINDING = re.compile(r'^([\w./-]+) = ', re.MULTILINE)
_registered: dict[str, Callable[..., Any]] = {}


def config_root() -> pathlib.Path:
  """The folder `gin_configs/` of this installation."""
  package = pathlib.Path(codelaw.__file__).parent
  inside = package / 'gin_configs'
  return inside if inside.is_dir() else package.parent / 'gin_configs'


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Adds the gin flags that every verb takes."""
  group = parser.add_argument_group('gin')
  group.add_argument(
    '--gin_file',
    action='append',
    default=[],
    metavar='FILE',
    help='gin file to read; repeatable, later files win',
  )
  group.add_argument(
    '--gin_search_paths',
    action='append',
    default=[],
    metavar='DIR[,DIR]',
    help='folders in which gin files and their includes are looked for',
  )
  group.add_argument(
    '--gin.NAME',
    dest='gin_name_help',
    metavar='VALUE',
    help='one binding, as in a gin file: --gin.TRAIN_TOKENS=65536;'
    ' strings keep their quotes',
  )


def split_bindings(argv: list[str]) -> tuple[list[str], list[str]]:
  """Takes `--gin.NAME=VALUE` out of `argv`: (other arguments, bindings)."""
  others, bindings = [], []
  arguments = iter(argv)
  for argument in arguments:
    if not argument.startswith('--gin.'):
      others.append(argument)
      continue
    text = argument.removeprefix('--gin.')
    if '=' not in text:
      value = next(arguments, None)
      if value is None:
        raise errors.UserError(
          f'{argument} needs a value: --gin.NAME=VALUE, like'
          ' --gin.TRAIN_TOKENS=65536.'
        )
      text = f'{text}={value}'
    bindings.append(text.replace('=', ' = ', 1))
  return others, bindings


def refuse(args: argparse.Namespace) -> None:
  """Raises `UserError` when a verb without gin settings was given some."""
  given = [*args.gin_file, *args.gin_bindings]
  if given:
    raise errors.UserError(
      f'This verb has no gin settings; got {", ".join(given)}. Its flags are'
      ' listed by --help.'
    )


def add_import_paths(args: argparse.Namespace) -> None:
  """Lets Python modules of the user's own be imported, after all others.

  They are looked for in the working directory, in the folders of
  `--gin_search_paths` and beside the gin files.
  """
  beside = [os.path.dirname(name) for name in args.gin_file]
  for folder in ('', *_given_folders(args), *beside):
    folder = os.path.abspath(folder)
    if folder not in sys.path:
      sys.path.append(folder)


def load(
  args: argparse.Namespace,
  entry: type[_Entry],
  parts: Iterable[Callable[..., Any]] = (),
  overrides: Iterable[str] = (),
  defaults: Iterable[str] = (),
) -> _Entry:
  """Builds `entry` from the verb's gin files and bindings.

  Args:
    args: with `gin_file`, `gin_search_paths` and `gin_bindings`.
    entry: dataclass to build; bound in gin by its class name.
    parts: other classes and functions that the files may bind.
    overrides: further bindings, which win over all others; they need not be
      used.
    defaults: bindings that the files may replace.

  Returns:
    The built record.

  Raises:
    UserError: for a file that cannot be read or parsed, a name that nothing
      has, a required value that is missing, a value a record refuses, and a
      binding that nothing used.
  """
  kinds: list[Any] = [entry, *parts]
  for kind in kinds:
    if _registered.setdefault(kind.__name__, kind) is not kind:
      raise TypeError(f'two parts are called {kind.__name__}')
    if kind not in _wrapped:
      _wrapped[kind] = gin.external_configurable(kind)
  gin.clear_config()
  # Gin can only add to its search paths, and its own reader also takes any
  # folder below the working directory for a Python package and fails on it.
  gin.config._LOCATION_PREFIXES[:] = ['', *search_paths(args)]
  gin.config._FILE_READERS[:] = [(open, os.path.isfile)]
  bindings = [*args.gin_bindings, *overrides]
  # Gin logs an error for every search path that an include is not in.
  logging.disable(logging.ERROR)
  try:
    gin.parse_config(list(defaults))
    gin.parse_config_files_and_bindings(
      args.gin_file, bindings, finalize_config=False
    )
    _check_required()
    record = _wrapped[entry]()
  except errors.UserError as error:
    raise errors.UserError(_first_line(error)) from None
  except (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    RuntimeError,
    AttributeError,
    ImportError,
  ) as error:
    raise errors.UserError(_explain(error, args)) from error
  finally:
    logging.disable(logging.NOTSET)
  set_here = {override.partition(' = ')[0] for override in overrides}
  unused = [name for name in _unused_bindings() if name not in set_here]
  if unused:
    raise errors.UserError(
      f'Nothing uses the gin binding{"s" if len(unused) > 1 else ""}'
      f' {", ".join(unused)}; check the spelling of scope, name and macro,'
      ' or remove it.'
    )
  return record


_wrapped: dict[Callable[..., Any], Any] = {}


def search_paths(args: argparse.Namespace) -> list[str]:
  """Folders in which gin files are looked for.

  Raises:
    UserError: when --gin_search_paths names something else.
  """
  folders = _given_folders(args)
  for folder in folders:
    if not os.path.isdir(folder):
      raise errors.UserError(
        f'--gin_search_paths names {folder}, which is not a folder.'
      )
  return [*folders, str(config_root()), str(config_root().parent)]


def _given_folders(args: argparse.Namespace) -> list[str]:
  return [
    folder
    for paths in args.gin_search_paths
    for folder in paths.split(',')
    if folder
  ]


def _check_required() -> None:
  names = re.findall(
    r'^([\w./-]+) = %gin\.REQUIRED$', gin.config_str(), re.MULTILINE
  )
  if names:
    raise errors.UserError(
      f'{", ".join(names)} must be set, in a gin file or as'
      f' --gin.{names[0]}=VALUE.'
    )


def _first_line(error: BaseException) -> str:
  return str(error).strip().split('\n  In call to configurable')[0].strip()


def _explain(error: BaseException, args: argparse.Namespace) -> str:
  text = ' '.join(_first_line(error).split())
  absent = re.search(r'^(\w+)\..* for arguments: (\[[^]]*\])', text)
  literal = re.search(r"Failed to parse token '([^']*)' (.*)", text)
  if absent:
    names = ', '.join(
      f'{absent.group(1)}.{name}' for name in ast.literal_eval(absent.group(2))
    )
    text = f'{names} must be set'
  elif literal:
    text = (
      f'{literal.group(1)} {literal.group(2)} is not a gin value; a string'
      ' needs quotes'
    )
  files = ', '.join(args.gin_file) or 'no --gin_file'
  return f'The gin configuration ({files}) does not build: {text.rstrip(".")}.'


def _names(text: str) -> set[tuple[str, str]]:
  """(scope, Class.parameter) of every binding in gin's own rendering."""
  found = set()
  for name in _BINDING.findall(text):
    scope, _, rest = name.rpartition('/')
    found.add((scope, rest))
  return found


def _unused_bindings() -> list[str]:
  used = _names(gin.operative_config_str(max_line_length=10**6))
  unused = []
  for scope, name in _names(gin.config_str(max_line_length=10**6)):
    if not any(
      name == other and (not scope or f'{inner}/'.startswith(f'{scope}/'))
      for inner, other in used
    ):
      unused.append(f'{scope}/{name}' if scope else name)
  return sorted(unused)
