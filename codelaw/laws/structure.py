"""What a law is made of: parameters, columns, a formula.

Definitions owned here:
  scaled units: N, D and the loss divided by their geometric means, so that
    ranges hold for runs of any size.
  mixture law: a law with shares among its columns.
"""

from collections.abc import Callable
from collections.abc import Mapping
import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from codelaw import errors
from codelaw.laws import units

Scales = Mapping[str, float]
SHARE = 'share/'
_SIZES = ('num_params', 'num_params_no_embed', 'num_tokens', 'train_flops')
# Tokens of one run are divided alike, so that their ratios keep their meaning.
_SCALE_OF = {**{name: name for name in _SIZES}, 'unique_tokens': 'num_tokens'}


@dataclasses.dataclass(frozen=True)
class Parameter:
  """One parameter of a law, in scaled units.

  Attributes:
    name: in estimates, like `alpha` or `tau/code/java`.
    start: range in which starting points are drawn.
    bounds: range of the solver; an estimate at its end is reported.
    unit: of the unscaled estimate, as `codelaw.laws.units` reads it: of the
      scales `loss`, `num_params`, `num_tokens` and of parameters.
    signed: whether it may be negative; others are solved as logarithms.
  """

  name: str
  start: tuple[float, float]
  bounds: tuple[float, float]
  unit: str = '1'
  signed: bool = False

  def __post_init__(self):
    (first, last), (low, high) = self.start, self.bounds
    if not low <= first < last <= high or (low <= 0 and not self.signed):
      raise errors.UserError(
        f'The parameter {self.name} starts in {self.start} within the bounds'
        f' {self.bounds}: expected increasing ranges, the first inside the'
        ' second, of positive numbers unless signed=True.'
      )


@dataclasses.dataclass(frozen=True)
class Law:
  """A law for one target: its formula and what it needs.

  Attributes:
    name: of the form, like `chinchilla`.
    parameter_table: the parameters, in the order the formula takes them.
    columns: of the run table, in the order the formula takes them.
    formula: (parameters [P], columns [C, n]) -> losses [n], a pure function
      in JAX. Laws with one formula share its compiled solvers, so it should
      be a module's function and not be made anew for each law.
    constant_columns: columns that must not vary among the runs, whether or
      not the formula takes them: a law at one N says `num_params`.
    positive_shares: share columns for which the formula needs more than 0.
    unscaled: columns the formula takes in their own units.
    sources: that the law was built for.
    module: Python module that registered a law of the user's own, else ''.
  """

  name: str
  parameter_table: tuple[Parameter, ...]
  columns: tuple[str, ...]
  formula: Callable[[jax.Array, jax.Array], jax.Array]
  constant_columns: tuple[str, ...] = ()
  positive_shares: tuple[str, ...] = ()
  unscaled: tuple[str, ...] = ()
  sources: tuple[str, ...] = ()
  module: str = ''

  def __post_init__(self):
    if len(set(self.parameters)) < len(self.parameters):
      raise errors.UserError(
        f'Law {self.name} has two parameters of one name; got'
        f' {", ".join(self.parameters)}.'
      )
    known = {'loss', *self.parameters, *map(self.scale_of, self.columns)}
    for parameter in self.parameter_table:
      strange = sorted(units.names(parameter.unit) - known)
      if strange:
        raise errors.UserError(
          f'The unit {parameter.unit!r} of {parameter.name} in law {self.name}'
          f' mentions {", ".join(strange)}; expected loss, the scale of one of'
          ' its columns, or a parameter.'
        )

  @property
  def parameters(self) -> tuple[str, ...]:
    """Names of the parameters, in order."""
    return tuple(parameter.name for parameter in self.parameter_table)

  @property
  def shares(self) -> tuple[str, ...]:
    """Share columns, in order; none for a law of one stream of data."""
    return tuple(name for name in self.columns if name.startswith(SHARE))

  @property
  def sizes(self) -> tuple[str, ...]:
    """Columns of sizes, which the runs must vary to determine the law."""
    return tuple(name for name in self.columns if name in _SIZES)

  def scale_of(self, column: str) -> str | None:
    """Name of the scale by which a column is divided; None for none."""
    return None if column in self.unscaled else _SCALE_OF.get(column)

  def unscale(
    self, scaled: Mapping[str, Any], scales: Scales
  ) -> dict[str, Any]:
    """Estimates in raw units.

    Args:
      scaled: parameter -> scaled estimate (a number or an array).
      scales: what N (`num_params`), D (`num_tokens`) and the loss (`loss`)
        were divided by.
    """
    values = {**scales, **scaled}
    return {
      parameter.name: scaled[parameter.name]
      * units.factor(parameter.unit, values)
      for parameter in self.parameter_table
    }

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
