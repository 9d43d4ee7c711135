"""Which law describes a target best: all applicable laws on the same rows.

The order is that of the held-out error alone. Where two laws cannot be told
apart the smaller one is named and not preferred: that zero lies in an interval
is no evidence for it, the order must not depend on the level of an interval,
and a law without shares, preferred for being small, would leave nothing to
allocate.
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
  difference to the first as `held_out_difference`. Laws of one stream see
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
  fits: dict[str, results.Fit] = {}
  for name in selection.applicable(table, target, only_final=only_final):
    law, rows = selection.select(
      name, table, target, only_final=only_final, all_rows=True
    )
    try:
      optimum = fitting.optimise(law, rows, target, settings)
      fit = fitting.describe(optimum, target, settings, group)
      tests = [
        *held_out.fold_tests(optimum),
        *held_out.extrapolation_tests(optimum),
      ]
      if not tests:
        raise errors.UserError(
          f'{fit.num_points} points are too few to test the law {name} of'
          f' {target} on runs it was fitted without.'
        )
    except errors.UserError as error:
      report(str(error))
      continue
    optima[name] = optimum
    fits[name] = fit
    tested[name] = held_out.errors(optimum, tests)
  if not fits:
    raise errors.UserError(
      f'No law can be fitted to {target} with these runs: its source must be'
      ' trained on, and each law needs more runs than parameters.'
    )
  common = held_out.in_common(tested)
  by_kind = {name: held_out.means(found) for name, found in common.items()}
  scores = {name: held_out.overall(found) for name, found in by_kind.items()}
  order = sorted(fits, key=scores.__getitem__)
  first = order[0]
  labels = held_out.groups(optima[first].data)
  ranked = []
  for name in order:
    noted = {
      **fits[name].diagnostics,
      'held_out_mean_relative_error': scores[name],
      'held_out': {k: by_kind[name].get(k) for k in held_out.KINDS},
    }
    apart = held_out.difference(
      common[first], common[name], labels, settings.interval_level
    )
    if name != first and apart is not None:
      noted['held_out_difference'] = {
        'to': first,
        **dataclasses.asdict(apart),
      }
      noted['warnings'] = [
        *noted['warnings'],
        *_cannot_tell(fits[first], fits[name], apart),
      ]
    ranked.append(dataclasses.replace(fits[name], diagnostics=noted))
  return ranked


def _cannot_tell(
  first: results.Fit, other: results.Fit, apart: held_out.Difference
) -> list[str]:
  """Says so when the interval of the difference holds zero."""
  if apart.low > 0:
    return []
  smaller = min(first, other, key=lambda fit: len(fit.estimates))
  fewer = (
    f'; {smaller.law} has fewer parameters'
    if len(first.estimates) != len(other.estimates)
    else ''
  )
  return [
    f'these runs cannot tell {other.law} from {first.law}, the first: its'
    f' held-out error is higher by {apart.mean:.2%}, {first.interval_level:.0%}'
    f' interval {apart.low:.2%} to {apart.high:.2%}{fewer}'
  ]
