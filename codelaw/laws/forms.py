"""Laws by name: those of the literature, and those a user adds.

A law of the user's own is a formula and a builder in a Python module:

  from codelaw.laws import forms

  def square_root(parameters, columns):
    '''L = E + B / sqrt(D).'''
    E, B = parameters
    return E + B / columns[0] ** 0.5

  @forms.register('square_root')
  def _square_root(target, sources):
    return forms.Law('square_root', (
        forms.Parameter('E', (0.05, 1.0), (1e-4, 1e2), 'loss'),
        forms.Parameter('B', (0.01, 1.0), (1e-8, 1e4),
                        'loss * num_tokens^(1/2)'),
    ), ('num_tokens',), square_root)

`codelaw fit --law=square_root --gin_file=FILE` finds it when a line of FILE
imports the module. Its fits remember the module, and load it again.
"""

from collections.abc import Callable
from collections.abc import Sequence
import dataclasses
import importlib

from codelaw import errors
from codelaw.laws import published
from codelaw.laws import results
from codelaw.laws import score_law
from codelaw.laws import structure

Law = structure.Law
Parameter = structure.Parameter
Builder = published.Builder
source_of = published.source_of

NAMES = tuple(published.BUILDERS)
MIXTURE_LAWS = tuple(
  name
  for name, build in published.BUILDERS.items()
  if build('loss/one', ['one', 'two']).shares
)
_registered: dict[str, tuple[Builder, str]] = {}


def register(name: str) -> Callable[[Builder], Builder]:
  """Decorates a builder: (target, sources) -> `Law`, to be found by name.

  The module in which the builder is defined must be importable by name where
  its fits are read again. Importing it twice is fine.

  Raises:
    UserError: when a law of the literature or of another module has the name.
  """

  def decorate(builder: Builder) -> Builder:
    module = builder.__module__
    taken = _registered.get(name)
    reserved = (*NAMES, 'all', score_law.NAME)
    if name in reserved or (taken and taken[1] != module):
      owner = f'the module {taken[1]}' if taken else 'codelaw'
      raise errors.UserError(
        f'The module {module} registers the law {name!r}, which {owner} has;'
        ' choose another name.'
      )
    _registered[name] = builder, module
    return builder

  return decorate


def names() -> tuple[str, ...]:
  """Names of all laws, registered ones last."""
  return (*NAMES, *_registered)


def check_name(name: str) -> None:
  """Raises `UserError` for a name that no law has."""
  if name not in names():
    raise errors.UserError(
      f'There is no law {name!r}; the laws are {", ".join(names())}. A law of'
      ' your own needs the line `import MODULE` in a --gin_file.'
    )


def law(name: str, target: str = 'loss', sources: Sequence[str] = ()) -> Law:
  """The law `name` for one target.

  Args:
    name: one of `names()`.
    target: column of losses, like `loss/code/python`.
    sources: all sources with a share column; laws of one stream ignore them.

  Raises:
    UserError: for an unknown name, or a law that cannot have this target.
  """
  check_name(name)
  if name in published.BUILDERS:
    built, module = published.BUILDERS[name](target, sources), ''
  else:
    builder, module = _registered[name]
    built = builder(target, sources)
    if not isinstance(built, Law) or built.name != name:
      raise errors.UserError(
        f'The builder of the law {name!r} in the module {module} must return a'
        f' forms.Law of that name; got {built!r}.'
      )
  kept = tuple(sorted(sources)) if built.shares else ()
  return dataclasses.replace(built, sources=kept, module=module)


def law_of(fit: results.Fit) -> Law:
  """The law a fit belongs to, with its sources.

  Raises:
    UserError: when its module cannot be imported.
  """
  if fit.law_module and fit.law not in _registered:
    try:
      importlib.import_module(fit.law_module)
    except ImportError as error:
      raise errors.UserError(
        f'The law {fit.law} of {fit.target} was registered by the Python'
        f' module {fit.law_module}, which cannot be imported here ({error}).'
        ' Run in the folder that holds it, or name that folder with'
        ' --gin_search_paths.'
      ) from error
  sources = set(fit.sources)
  if not sources:  # Written by a version that did not keep them.
    sources = {name.partition('/')[2] for name in fit.estimates if '/' in name}
    if sources:
      sources.add(source_of(fit.target))
  return law(fit.law, fit.target, sorted(sources))
