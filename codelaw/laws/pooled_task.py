"""One law for several targets, as one problem of the solver.

Definitions owned here:
  member: a target of one group, with its law and rows.
  shared parameter: has one value for all members.
  partially pooled parameter: has a value for each member, drawn towards their
    mean as `codelaw.laws.population` says.
  free parameter: has a value for each member; all that are neither.

All members are scaled by the same N, D and loss, so a common coordinate means
the same for each: A and B are the terms of a run of the mean size and tokens.
Raw A has the unit loss * num_params^alpha, so it is one value for all only
where alpha is shared too, and sharing it alone is refused; partially pooled, A
is compared at the mean size. Exponents have no unit and are the natural ones
to share. E is a limit of the loss itself: shared, all members have the same
one, which different languages rarely have.

The pooled law is a `forms.Law`: its first column says whose row it is, its
parameters are gathered by row, and its formula is the members' own.
"""

from collections.abc import Callable
from collections.abc import Sequence
import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from codelaw import errors
from codelaw.laws import forms
from codelaw.laws import points
from codelaw.laws import solver
from codelaw.laws import units

_INDEX = 'member'


@dataclasses.dataclass(frozen=True)
class Member:
  """A target with the law and the rows it is fitted to.

  Attributes:
    law: of `forms.law`; one form for all members.
    rows: of a run table.
    target: column of losses.
    group: label of the rows.
  """

  law: forms.Law
  rows: pd.DataFrame
  target: str
  group: str = ''

  @property
  def label(self) -> str:
    """Target and group, to be named in a message."""
    return f'{self.target} {self.group}'.strip()


@dataclasses.dataclass(frozen=True)
class Pooled:
  """The pooled problem.

  Attributes:
    members: M of them.
    data: points of each member.
    task: of the pooled law; the members' points follow each other.
    places: [M, P] which pooled coordinate is which parameter of a member.
    shared: names of shared parameters.
    partial: names of partially pooled ones.
  """

  members: tuple[Member, ...]
  data: tuple[points.Points, ...]
  task: solver.Problem
  places: np.ndarray
  shared: tuple[str, ...]
  partial: tuple[str, ...]

  @property
  def names(self) -> tuple[str, ...]:
    """Parameters of the first member, in order."""
    return self.members[0].law.parameters

  @property
  def slices(self) -> list[slice]:
    """Points of each member."""
    ends = np.cumsum([data.losses.size for data in self.data])
    return [
      slice(int(end) - data.losses.size, int(end))
      for end, data in zip(ends, self.data, strict=True)
    ]

  def places_of(self, name: str) -> np.ndarray:
    """[M] pooled coordinates of one parameter."""
    return self.places[:, self.names.index(name)]

  def alone(self, index: int = 0) -> solver.Problem:
    """All points under the law of one member, to be weighted by `marks`."""
    return dataclasses.replace(
      self.task,
      law=self.members[index].law,
      columns=self.task.columns[1:],
    )

  def marks(self) -> np.ndarray:
    """[M, n] weights that keep the points of one member."""
    marks = np.zeros((len(self.members), self.task.losses.size))
    for mark, part in zip(marks, self.slices, strict=True):
      mark[part] = 1.0
    return marks


def build(
  members: Sequence[Member], shared: Sequence[str], partial: Sequence[str]
) -> Pooled:
  """The pooled problem of several members.

  Args:
    members: at least two, of one law.
    shared: parameters with one value for all.
    partial: parameters drawn towards their mean.

  Raises:
    UserError: for one member, different laws, names that are not parameters
      of all members, a parameter both shared and pooled, and a shared one
      whose unit depends on a parameter that is not; when a member has fewer
      points than free parameters, or all together fewer than parameters.
  """
  _check(members, shared, partial)
  data = tuple(points.read(m.law, m.rows, m.target) for m in members)
  names = members[0].law.parameters
  count = len(members)
  places = np.zeros((count, len(names)), dtype=int)
  table: list[forms.Parameter] = []
  for column, parameter in enumerate(members[0].law.parameter_table):
    times = 1 if parameter.name in shared else count
    places[:, column] = np.arange(len(table), len(table) + times)
    for k in range(times):
      # In units of 1: members go back to raw units by their own laws.
      name = parameter.name if times == 1 else f'{parameter.name} {k}'
      table.append(dataclasses.replace(parameter, name=name, unit='1'))
  first = members[0].law
  law = forms.Law(
    first.name,
    tuple(table),
    (_INDEX, *first.columns),
    _gathered(first.formula, tuple(map(tuple, places.tolist()))),
    unscaled=first.unscaled,
  )
  losses = np.concatenate([each.losses for each in data])
  index = np.repeat(np.arange(count), [each.losses.size for each in data])
  columns = np.concatenate([each.columns for each in data], axis=1)
  num_free = len(names) - len(shared) - len(partial)
  for member, each in zip(members, data, strict=True):
    if each.losses.size <= num_free:
      raise errors.UserError(
        f'{member.label} has {each.losses.size} points and {num_free}'
        ' parameters of its own; it needs more points than those. Add runs, or'
        ' share or pool more parameters.'
      )
  if losses.size <= len(table) - (count - 1) * len(partial):
    raise errors.UserError(
      f'The {count} targets have {losses.size} points for'
      f' {len(table)} parameters; add runs, or share more parameters.'
    )
  task = solver.problem(law, np.concatenate([index[None], columns]), losses)
  return Pooled(
    tuple(members), data, task, places, tuple(shared), tuple(partial)
  )


def _check(
  members: Sequence[Member], shared: Sequence[str], partial: Sequence[str]
) -> None:
  labels = ', '.join(member.label for member in members) or '(none)'
  if len(members) < 2:
    raise errors.UserError(
      'Sharing or pooling parameters needs at least two targets or groups;'
      f' got {labels}. Leave --share and --pool out for one.'
    )
  laws = [member.law for member in members]
  kinds = {(law.name, len(law.parameters), len(law.columns)) for law in laws}
  if len(kinds) > 1 or len({law.formula for law in laws}) > 1:
    raise errors.UserError(
      'Targets that share or pool parameters need one law over the same number'
      f' of sources; got {", ".join(sorted({law.name for law in laws}))} for'
      f' {labels}.'
    )
  common = [
    parameter
    for place, parameter in enumerate(laws[0].parameters)
    if all(law.parameters[place] == parameter for law in laws)
  ]
  for flag, given in (('share', shared), ('pool', partial)):
    unknown = [name for name in given if name not in common]
    if unknown:
      raise errors.UserError(
        f'--{flag} names {", ".join(unknown)}, which is no parameter that all'
        f' targets have; those of {laws[0].name} are {", ".join(common)}.'
      )
  both = sorted(set(shared) & set(partial))
  if both:
    raise errors.UserError(
      f'{", ".join(both)} is both in --share and in --pool; choose one.'
    )
  for parameter in laws[0].parameter_table:
    needed = units.names(parameter.unit) & set(laws[0].parameters)
    loose = sorted(needed - set(shared))
    if parameter.name in shared and loose:
      raise errors.UserError(
        f'{parameter.name} has the unit {parameter.unit}: one value for all'
        f' targets needs {", ".join(loose)} in --share too. Or give'
        f' {parameter.name} to --pool.'
      )


@functools.cache
def _gathered(
  formula: Callable[[jax.Array, jax.Array], jax.Array],
  places: tuple[tuple[int, ...], ...],
) -> Callable[[jax.Array, jax.Array], jax.Array]:
  """The formula of each row's own member; one function per arrangement."""

  def pooled(parameters, columns):
    mine = parameters[jnp.array(places)[columns[0].astype(int)]]

    def at(values, column):
      return formula(values, column[:, None])[0]

    return jax.vmap(at)(mine, columns[1:].T)

  return pooled
