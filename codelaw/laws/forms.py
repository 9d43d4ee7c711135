"""The forms of scaling laws, each written once as a function in JAX.

Symbols owned here: L loss, N parameters of the model, D tokens seen, r_j the
share of source j in those tokens; upper and lower case letters and Greek
names are the parameters of a law. A form takes its parameters as one array
[P] and its columns as one array [C, n] and returns losses [n], so that laws
of one form and size share one compiled solver. All parameters are positive
unless marked as signed.

A new law is one formula with its `Law`-building function, registered in
`_BUILDERS`.
"""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from codelaw import errors
from codelaw.laws import results

Scales = Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class Parameter:
  """One parameter of a law, in scaled units.

  In scaled units N, D and the loss are divided by their geometric means, so
  ranges hold for runs of any size.

  Attributes:
    name: in estimates, like `alpha` or `tau/code/java`.
    start: range in which starting points are drawn.
    bounds: range of the solver; an estimate at its end is reported.
    unit: of the unscaled estimate, in words.
    signed: whether it may be negative; others are solved as logarithms.
  """

  name: str
  start: tuple[float, float]
  bounds: tuple[float, float]
  unit: str = '1'
  signed: bool = False


@dataclasses.dataclass(frozen=True)
class Law:
  """A law for one target: its formula and what it needs.

  Attributes:
    name: of the form, like `chinchilla`.
    parameter_table: the parameters, in the order the formula takes them.
    columns: of the run table, in the order the formula takes them.
    formula: (parameters [P], columns [C, n]) -> losses [n].
    unscale: (scaled estimates, scales) -> estimates in raw units. `scales`
      holds what N (`num_params`), D (`num_tokens`) and the loss (`loss`) were
      divided by.
  """

  name: str
  parameter_table: tuple[Parameter, ...]
  columns: tuple[str, ...]
  formula: Callable[[jax.Array, jax.Array], jax.Array]
  unscale: Callable[[Mapping[str, Any], Scales], dict[str, Any]]

  @property
  def parameters(self) -> tuple[str, ...]:
    """Names of the parameters, in order."""
    return tuple(parameter.name for parameter in self.parameter_table)

  def predict(
    self, estimates: Mapping[str, Any], columns: Mapping[str, Any]
  ) -> jax.Array:
    """Losses [n] at the given points; differentiable in both arguments.

    Precision follows JAX's setting: call inside `solver.float64()`, which raw
    units need.

    Args:
      estimates: parameter -> scalar, in the units of the columns.
      columns: column -> values [n]; broadcast against each other.

    Raises:
      UserError: when a parameter or a column is missing.
    """
    for kind, wanted, given in (
      ('parameter', self.parameters, estimates),
      ('column', self.columns, columns),
    ):
      missing = [name for name in wanted if name not in given]
      if missing:
        raise errors.UserError(
          f'Law {self.name} needs the {kind} {", ".join(missing)}; got'
          f' {", ".join(map(str, given))}.'
        )
    values = jnp.stack([jnp.asarray(estimates[p]) for p in self.parameters])
    points = jnp.broadcast_arrays(
      *(jnp.atleast_1d(jnp.asarray(columns[c])) for c in self.columns)
    )
    return self.formula(values, jnp.stack(points).astype(values.dtype))


def _power(base: jax.Array, exponent: jax.Array) -> jax.Array:
  """Returns base ** exponent for base >= 0, gradient 0 at base 0."""
  positive = base > 0
  logarithm = jnp.log(jnp.where(positive, base, 1.0))
  return jnp.where(positive, jnp.exp(exponent * logarithm), 0.0)


def _decay(base: jax.Array, exponent: jax.Array) -> jax.Array:
  """Returns base ** -exponent for base >= 0; infinite at base 0."""
  return jnp.exp(-exponent * jnp.log(base))


def chinchilla(parameters: jax.Array, columns: jax.Array) -> jax.Array:
  """L = E + A / N^alpha + B / D^beta.

  Source: arXiv:2203.15556 Eq. 2; with N_c^alpha_N = A and D_c^alpha_D = B it
  is arXiv:2512.13472 Eq. 1, per programming language.

  >>> chinchilla(jnp.array([1.0, 2.0, 3.0, 1.0, 0.5]),
  ...            jnp.array([[2.0], [9.0]])).tolist()
  [3.0]
  """
  E, A, B, alpha, beta = parameters
  N, D = columns
  return E + A * _decay(N, alpha) + B * _decay(D, beta)


def kaplan(parameters: jax.Array, columns: jax.Array) -> jax.Array:
  """L = [(N_c / N)^(alpha / beta) + D_c / D]^beta.

  Source: arXiv:2001.08361 Eq. 1.5, where alpha is alpha_N and beta alpha_D.

  >>> kaplan(jnp.array([4.0, 3.0, 1.0, 1.0]),
  ...        jnp.array([[2.0], [3.0]])).tolist()
  [3.0]
  """
  N_c, D_c, alpha, beta = parameters
  N, D = columns
  return _power(_power(N_c / N, alpha / beta) + D_c / D, beta)


def transfer(parameters: jax.Array, columns: jax.Array) -> jax.Array:
  """L_k = E + A / N^alpha + B / D_eff^beta, D_eff = (r_k + sum_j tau_j r_j) D.

  A token of source j != k is worth tau_j tokens of the target's own source k;
  tau_j = 0 means that it neither helps nor harms. With r_k = 1 it is
  `chinchilla`. Source: the effective data of arXiv:2512.13472 Eq. 7, made
  linear in the shares and given one coefficient per pair, so that it is
  identified by runs on mixtures.

  Columns: N, D, r_k, then r_j in the order of tau_j.

  >>> transfer(jnp.array([1.0, 2.0, 3.0, 1.0, 0.5, 0.5]),
  ...          jnp.array([[2.0], [12.0], [0.5], [0.5]])).tolist()
  [3.0]
  """
  E, A, B, alpha, beta = parameters[:5]
  N, D, own = columns[:3]
  effective = D * (own + parameters[5:] @ columns[3:])
  return E + A * _decay(N, alpha) + B * _decay(effective, beta)


def additive(parameters: jax.Array, columns: jax.Array) -> jax.Array:
  """L = E + 1 / sum_i C_i r_i^gamma_i + A / N^alpha + B / D^beta.

  Source: arXiv:2507.09404, the additive law; r_i are all sources' shares.

  Columns: N, D, then r_i in the order of C_i and of gamma_i.

  >>> additive(jnp.array([1.0, 2.0, 3.0, 1.0, 0.5, 0.5, 0.25, 1.0, 1.0]),
  ...          jnp.array([[2.0], [9.0], [1.0], [0.0]])).tolist()
  [5.0]
  """
  E, A, B, alpha, beta = parameters[:5]
  C, gamma = jnp.split(parameters[5:], 2)
  N, D = columns[:2]
  mixture = jnp.sum(C[:, None] * _power(columns[2:], gamma[:, None]), axis=0)
  return E + 1 / mixture + A * _decay(N, alpha) + B * _decay(D, beta)


def exponential(parameters: jax.Array, columns: jax.Array) -> jax.Array:
  """L_k = c + k exp(sum_j t_j r_j), at one N and one D.

  Source: arXiv:2403.16952. Shares sum to one, so only differences of the t_j
  count: t of the target's own source is 0 here. The t_j are signed.

  Columns: r_j of the other sources, in the order of t_j.

  >>> exponential(jnp.array([1.0, 2.0, 0.0]), jnp.array([[0.3]])).tolist()
  [3.0]
  """
  c, k = parameters[:2]
  return c + k * jnp.exp(parameters[2:] @ columns)


_E = Parameter('E', (0.05, 1.0), (1e-4, 1e2), 'loss')
_SIZE_AND_TOKENS = (
  _E,
  Parameter('A', (0.01, 1.0), (1e-8, 1e4), 'loss * num_params^alpha'),
  Parameter('B', (0.01, 1.0), (1e-8, 1e4), 'loss * num_tokens^beta'),
  Parameter('alpha', (0.05, 1.5), (1e-3, 10.0)),
  Parameter('beta', (0.05, 1.5), (1e-3, 10.0)),
)


def _unscale_powers(scaled: Mapping[str, Any], scales: Scales) -> dict:
  loss = scales['loss']
  raw = dict(scaled)
  raw['E'] = scaled['E'] * loss
  raw['A'] = scaled['A'] * loss * scales['num_params'] ** scaled['alpha']
  raw['B'] = scaled['B'] * loss * scales['num_tokens'] ** scaled['beta']
  for name, value in scaled.items():
    if name.startswith('C/'):
      raw[name] = value / loss
  return raw


def _unscale_kaplan(scaled: Mapping[str, Any], scales: Scales) -> dict:
  loss = scales['loss']
  return {
    **scaled,
    'N_c': scaled['N_c'] * scales['num_params'] * loss ** (1 / scaled['alpha']),
    'D_c': scaled['D_c'] * scales['num_tokens'] * loss ** (1 / scaled['beta']),
  }


def _unscale_exponential(scaled: Mapping[str, Any], scales: Scales) -> dict:
  loss = scales['loss']
  return {**scaled, 'c': scaled['c'] * loss, 'k': scaled['k'] * loss}


def _chinchilla(target: str, sources: Sequence[str]) -> Law:
  del target, sources  # The law of one stream of data.
  columns = ('num_params', 'num_tokens')
  return Law(
    'chinchilla', _SIZE_AND_TOKENS, columns, chinchilla, _unscale_powers
  )


def _kaplan(target: str, sources: Sequence[str]) -> Law:
  del target, sources  # The law of one stream of data.
  parameters = (
    Parameter('N_c', (1e-3, 1e1), (1e-12, 1e12), 'num_params'),
    Parameter('D_c', (1e-3, 1e1), (1e-12, 1e12), 'num_tokens'),
    Parameter('alpha', (0.02, 1.0), (1e-2, 10.0)),
    Parameter('beta', (0.02, 1.0), (1e-2, 10.0)),
  )
  columns = ('num_params', 'num_tokens')
  return Law('kaplan', parameters, columns, kaplan, _unscale_kaplan)


def _transfer(target: str, sources: Sequence[str]) -> Law:
  own, others = _own_and_others('transfer', target, sources)
  parameters = _SIZE_AND_TOKENS + tuple(
    Parameter(f'tau/{source}', (0.01, 2.0), (1e-4, 1e2)) for source in others
  )
  columns = ('num_params', 'num_tokens', *_shares([own, *others]))
  return Law('transfer', parameters, columns, transfer, _unscale_powers)


def _additive(target: str, sources: Sequence[str]) -> Law:
  own, others = _own_and_others('additive', target, sources)
  every = [own, *others]
  parameters = (
    _SIZE_AND_TOKENS
    + tuple(
      Parameter(f'C/{source}', (0.3, 30.0), (1e-4, 1e6), '1 / loss')
      for source in every
    )
    + tuple(
      Parameter(f'gamma/{source}', (0.05, 1.5), (1e-3, 10.0))
      for source in every
    )
  )
  columns = ('num_params', 'num_tokens', *_shares(every))
  return Law('additive', parameters, columns, additive, _unscale_powers)


def _exponential(target: str, sources: Sequence[str]) -> Law:
  _, others = _own_and_others('exponential', target, sources)
  parameters = (
    Parameter('c', (0.05, 1.0), (1e-4, 1e2), 'loss'),
    Parameter('k', (0.01, 1.0), (1e-8, 1e4), 'loss'),
    *(
      Parameter(f't/{source}', (-2.0, 4.0), (-30.0, 30.0), signed=True)
      for source in others
    ),
  )
  return Law(
    'exponential',
    parameters,
    _shares(others),
    exponential,
    _unscale_exponential,
  )


def _shares(sources: Sequence[str]) -> tuple[str, ...]:
  return tuple(f'share/{source}' for source in sources)


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
      ' loss/<source>, or the law chinchilla.'
    )
  return own, others


_BUILDERS: dict[str, Callable[[str, Sequence[str]], Law]] = {
  'chinchilla': _chinchilla,
  'kaplan': _kaplan,
  'transfer': _transfer,
  'additive': _additive,
  'exponential': _exponential,
}
NAMES = tuple(_BUILDERS)
MIXTURE_LAWS = ('transfer', 'additive', 'exponential')
FIXED_SIZE_LAWS = ('exponential',)


def source_of(target: str) -> str:
  """The source a target column is about.

  >>> source_of('loss/code/python')
  'code/python'
  """
  return target.partition('/')[2]


def law(name: str, target: str = 'loss', sources: Sequence[str] = ()) -> Law:
  """The law `name` for one target.

  Args:
    name: one of `NAMES`.
    target: column of losses, like `loss/code/python`.
    sources: all sources with a share column; laws of one stream ignore them.

  Raises:
    UserError: for an unknown name, or a mixture law whose target's own
      source is not among the sources.
  """
  if name not in _BUILDERS:
    raise errors.UserError(
      f'There is no law {name!r}; the laws are {", ".join(NAMES)}.'
    )
  return _BUILDERS[name](target, sources)


def law_of(fit: results.Fit) -> Law:
  """The law a fit belongs to, with its sources."""
  sources = {name.partition('/')[2] for name in fit.estimates if '/' in name}
  if sources:
    sources.add(source_of(fit.target))
  return law(fit.law, fit.target, sorted(sources))
