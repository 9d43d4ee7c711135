"""Which law describes a target best: all applicable laws on the same rows.

The order is that of the held-out error alone. Laws that cannot be told from
the first are named in its warnings; a smaller one among them is not preferred:
that zero lies in an interval is no evidence for it, the order must not depend
on the level of an interval, and a law without shares, preferred for being
small, would leave nothing to allocate.
"""

from collections.abc import Callable
from collections.abc import Mapping
import dataclasses

import numpy as np
import pandas as pd

from codelaw import errors
from codelaw.laws import fitting
from codelaw.laws import held_out
from codelaw.laws import refits
from codelaw.laws import results
from codelaw.laws import selection


def compare(
  table: pd.DataFrame,
  target: str,
  settings: fitting.FitSettings,
  *,
  group: str = '',
  only_final: bool = True,
  report: Callable[[str], None],
) -> list[results.Fit]:
  """Fits all applicable laws to the same rows, best first.

  The order is that of the held-out error (`held_out`), in the diagnostics as
  `held_out_mean_relative_error`, with its parts as `held_out` and each law's
  difference to the first as `held_out_difference`. Profile intervals and
  influence are found for the first alone, and the bootstrap of the others
  starts from their optimum alone. Laws of one stream see
  mixed runs too and ignore their shares, so that they show what the mixture
  laws add.

  Args:
    table: run table.
    target: column of losses.
    settings: how to fit.
    group: label of the rows.
    only_final: leave out evaluations before a run's end.
    report: called with one sentence for each law that these runs cannot fit.

  Raises:
    UserError: when they can fit none.
  """
  optima: dict[str, refits.Optimum] = {}
  tested: dict[str, Mapping[str, np.ndarray]] = {}
  for name in selection.applicable(table, target, only_final=only_final):
    law, rows = selection.select(
      name, table, target, only_final=only_final, all_rows=True
    )
    try:
      optimum = fitting.optimise(law, rows, target, settings)
      tests = [
        *held_out.fold_tests(optimum),
        *held_out.extrapolation_tests(optimum),
      ]
      if not tests:
        raise errors.UserError(
          f'{optimum.task.num_points} points are too few to test the law'
          f' {name} of {target} on runs it was fitted without.'
        )
    except errors.UserError as error:
      report(str(error))
      continue
    optima[name] = optimum
    tested[name] = held_out.errors(optimum, tests)
  if not optima:
    raise errors.UserError(
      f'No law can be fitted to {target} with these runs: its source must be'
      ' trained on, and each law needs more runs than parameters.'
    )
  common = held_out.in_common(tested)
  by_kind = {name: held_out.means(found) for name, found in common.items()}
  scores = {name: held_out.overall(found) for name, found in by_kind.items()}
  order = sorted(optima, key=scores.__getitem__)
  first = order[0]
  labels = held_out.groups(optima[first].data)
  brief = dataclasses.replace(
    settings,
    bootstrap_further_starts=0,
    profile_intervals=False,
    influence=False,
  )
  fits: list[results.Fit] = []
  doubts = []
  for name in order:
    fit = fitting.describe(
      optima[name], target, settings if name == first else brief, group
    )
    noted = {
      **fit.diagnostics,
      'held_out_mean_relative_error': scores[name],
      'held_out': {k: by_kind[name].get(k) for k in held_out.KINDS},
    }
    apart = held_out.difference(
      common[first], common[name], labels, settings.interval_level
    )
    if name != first and apart is not None:
      noted['held_out_difference'] = {'to': first, **dataclasses.asdict(apart)}
      if apart.low <= 0:
        doubts.append(_cannot_tell(fits[0], fit, apart))
    fits.append(dataclasses.replace(fit, diagnostics=noted))
  noted = dict(fits[0].diagnostics)
  noted['warnings'] = [*noted['warnings'], *doubts]
  return [dataclasses.replace(fits[0], diagnostics=noted), *fits[1:]]


def _cannot_tell(
  first: results.Fit, other: results.Fit, apart: held_out.Difference
) -> str:
  fewer = len(first.estimates) - len(other.estimates)
  size = f', with {fewer} parameters fewer' if fewer > 0 else ''
  return (
    f'these runs cannot tell it from {other.law}{size}: that one has a'
    f' held-out error higher by {apart.mean:.2%},'
    f' {first.interval_level:.0%} interval {apart.low:.2%} to {apart.high:.2%}'
  )
