"""The laws of the literature: parameters, ranges and columns per formula.

Each builder takes a target and the sources of a run table and returns a
`structure.Law`. `BUILDERS` is what `codelaw.laws.forms` offers by name.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import functools
import itertools

import jax.numpy as jnp

from codelaw import errors
from codelaw.laws import formulas
from codelaw.laws import structure

Builder = Callable[[str, Sequence[str]], structure.Law]

_SIZE = ('num_params', 'num_tokens')
_A = 'loss * num_params^alpha'
_B = 'loss * num_tokens^beta'
_TERM = ((0.01, 1.0), (1e-8, 1e4))
_EXPONENT = ((0.05, 1.5), (1e-3, 10.0))
_LIMIT = ((0.05, 1.0), (1e-4, 1e2))
_SIZE_AND_TOKENS = (
  structure.Parameter('E', *_LIMIT, 'loss'),
  structure.Parameter('A', *_TERM, _A),
  structure.Parameter('B', *_TERM, _B),
  structure.Parameter('alpha', *_EXPONENT),
  structure.Parameter('beta', *_EXPONENT),
)
# Epochs that a repeated token, or N*-fold that an excess parameter, is worth;
# arXiv:2305.16264 found 15.4 and 5.3.
_REPEATS = ((1.0, 60.0), (1e-2, 1e5))


def source_of(target: str) -> str:
  """The source a target column is about.

  >>> source_of('loss/code/python')
  'code/python'
  """
  return target.partition('/')[2]


def _chinchilla(target: str, sources: Sequence[str]) -> structure.Law:
  del target, sources  # The law of one stream of data.
  return structure.Law(
    'chinchilla', _SIZE_AND_TOKENS, _SIZE, formulas.chinchilla
  )


def _kaplan(target: str, sources: Sequence[str]) -> structure.Law:
  del target, sources  # The law of one stream of data.
  parameters = tuple(
    structure.Parameter(name, (1e-3, 1e1), (1e-12, 1e12), unit)
    for name, unit in (
      ('N_c', 'num_params * loss^(1 / alpha)'),
      ('D_c', 'num_tokens * loss^(1 / beta)'),
    )
  ) + tuple(
    structure.Parameter(name, (0.02, 1.0), (1e-2, 10.0))
    for name in ('alpha', 'beta')
  )
  return structure.Law('kaplan', parameters, _SIZE, formulas.kaplan)


def _data_repeated(target: str, sources: Sequence[str]) -> structure.Law:
  del target, sources  # The law of one stream of data.
  return structure.Law(
    'data_repeated',
    (*_SIZE_AND_TOKENS, structure.Parameter('R_D', *_REPEATS)),
    (*_SIZE, 'unique_tokens'),
    formulas.data_repeated,
  )


def _data_constrained(target: str, sources: Sequence[str]) -> structure.Law:
  del target, sources  # The law of one stream of data.
  return structure.Law(
    'data_constrained',
    (
      *_SIZE_AND_TOKENS,
      structure.Parameter('R_N', *_REPEATS),
      structure.Parameter('R_D', *_REPEATS),
    ),
    (*_SIZE, 'unique_tokens'),
    formulas.data_constrained,
  )


def _transfer(target: str, sources: Sequence[str]) -> structure.Law:
  own, others = _own_and_others('transfer', target, sources)
  tau = _per_source('tau', others, (0.01, 2.0), (1e-4, 1e2))
  return structure.Law(
    'transfer',
    (*_SIZE_AND_TOKENS, *tau),
    (*_SIZE, *_shares([own, *others])),
    formulas.transfer,
  )


def _additive(target: str, sources: Sequence[str]) -> structure.Law:
  every = _several('additive', target, sources)
  return structure.Law(
    'additive',
    (*_SIZE_AND_TOKENS, *_mixture_term(every)),
    (*_SIZE, *_shares(every)),
    formulas.additive,
  )


def _joint(target: str, sources: Sequence[str]) -> structure.Law:
  every = _several('joint', target, sources)
  scalars = {parameter.name: parameter for parameter in _SIZE_AND_TOKENS}
  return structure.Law(
    'joint',
    (
      *(scalars[name] for name in ('E', 'alpha', 'beta')),
      *(
        structure.Parameter(name, (-1.0, 2.0), (-20.0, 20.0), signed=True)
        for name in ('q_A', 'q_B')
      ),
      *_mixture_term(every),
      *_per_source('A', every, *_TERM, _A),
      *_per_source('B', every, *_TERM, _B),
    ),
    (*_SIZE, *_shares(every)),
    formulas.joint,
  )


def _exponential(target: str, sources: Sequence[str]) -> structure.Law:
  every = _several('exponential', target, sources)
  own = source_of(target)
  first = own if own in every else every[0]
  others = [source for source in every if source != first]
  return structure.Law(
    'exponential',
    (
      structure.Parameter('c', *_LIMIT, 'loss'),
      structure.Parameter('k', *_TERM, 'loss'),
      *(
        structure.Parameter(
          f't/{source}', (-2.0, 4.0), (-30.0, 30.0), signed=True
        )
        for source in others
      ),
    ),
    _shares([first, *others]),
    formulas.exponential,
    constant_columns=_SIZE,
  )


def _bimix(target: str, sources: Sequence[str]) -> structure.Law:
  own, _ = _own_and_others('bimix', target, sources)
  return structure.Law(
    'bimix',
    (
      structure.Parameter('B', *_TERM, _B),
      structure.Parameter('C', *_LIMIT, 'loss'),
      structure.Parameter('alpha', (0.01, 0.5), (1e-4, 10.0)),
      structure.Parameter('beta', *_EXPONENT),
    ),
    ('num_tokens', *_shares([own])),
    formulas.bimix,
    constant_columns=('num_params',),
    positive_shares=_shares([own]),
  )


def _paper_a(target: str, sources: Sequence[str]) -> structure.Law:
  every = _several('paper_a', target, sources)
  pairs = tuple(
    structure.Parameter(
      f'tau/{first}+{second}', (-0.5, 1.5), (-30.0, 30.0), signed=True
    )
    for first, second in itertools.combinations(every, 2)
  )
  return _averages('paper_a', every, pairs, formulas.paper_a)


def paper_a_given(name: str, tau: Mapping[tuple[str, str], float]) -> Builder:
  """A builder of `paper_a` with the synergies of a table, to be registered.

  >>> tau = {('python', 'java'): 0.02, ('java', 'python'): 0.05}
  >>> law = paper_a_given('paper_a_table', tau)('loss', ['java', 'python'])
  >>> law.parameters[-1]
  'gamma'

  Args:
    name: of the law that the builder makes.
    tau: (target, auxiliary) -> synergy; 0 for pairs that are not there.
  """

  @functools.cache
  def formula(sources: tuple[str, ...]) -> Callable:
    table = [[tau.get((i, j), 0.0) for j in sources] for i in sources]

    def given(parameters, columns):
      values = jnp.array(table, parameters.dtype)
      return formulas.paper_a_given(values, parameters, columns)

    return given

  def build(target: str, sources: Sequence[str]) -> structure.Law:
    every = _several(name, target, sources)
    gamma = structure.Parameter('gamma', (-1.0, 3.0), (-1e4, 1e4), signed=True)
    return _averages(name, every, (gamma,), formula(tuple(every)))

  return build


def _averages(
  name: str,
  sources: Sequence[str],
  synergies: tuple[structure.Parameter, ...],
  formula: Callable,
) -> structure.Law:
  return structure.Law(
    name,
    (
      structure.Parameter('A', *_TERM, 'loss'),
      structure.Parameter('B', *_TERM, 'loss'),
      *_per_source('alpha', sources, *_EXPONENT),
      *_per_source('beta', sources, *_EXPONENT),
      *_per_source('E', sources, *_LIMIT, 'loss'),
      *synergies,
    ),
    (*_SIZE, *_shares(sources)),
    formula,
    unscaled=_SIZE,
  )


def _mixture_term(sources: Sequence[str]) -> tuple[structure.Parameter, ...]:
  return (
    *_per_source('C', sources, (0.3, 30.0), (1e-4, 1e6), '1 / loss'),
    *_per_source('gamma', sources, *_EXPONENT),
  )


def _per_source(
  letter: str,
  sources: Iterable[str],
  start: tuple[float, float],
  bounds: tuple[float, float],
  unit: str = '1',
) -> tuple[structure.Parameter, ...]:
  return tuple(
    structure.Parameter(f'{letter}/{source}', start, bounds, unit)
    for source in sources
  )


def _shares(sources: Sequence[str]) -> tuple[str, ...]:
  return tuple(structure.SHARE + source for source in sources)


def _several(name: str, target: str, sources: Sequence[str]) -> list[str]:
  if len(set(sources)) < 2:
    raise errors.UserError(
      f'Law {name} relates a target to the shares of several sources; got'
      f' target {target} and the sources'
      f' {", ".join(sorted(sources)) or "(none)"}. Give the run table the'
      ' columns share/<source>, or choose the law chinchilla.'
    )
  return sorted(set(sources))


def _own_and_others(
  name: str, target: str, sources: Sequence[str]
) -> tuple[str, list[str]]:
  own = source_of(target)
  others = sorted(set(sources) - {own})
  if own not in sources or not others:
    raise errors.UserError(
      f'Law {name} relates a target to the shares of its own source and of'
      f' others; got target {target} and the sources'
      f' {", ".join(sorted(sources)) or "(none)"}. Choose a target like'
      ' loss/<source>, or a law that takes any target: additive, joint,'
      ' chinchilla.'
    )
  return own, others


BUILDERS: dict[str, Builder] = {
  'chinchilla': _chinchilla,
  'kaplan': _kaplan,
  'data_repeated': _data_repeated,
  'data_constrained': _data_constrained,
  'transfer': _transfer,
  'additive': _additive,
  'joint': _joint,
  'exponential': _exponential,
  'bimix': _bimix,
  'paper_a': _paper_a,
}
