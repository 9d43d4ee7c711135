"""Which law describes a target best: all applicable laws on the same rows."""

from collections.abc import Callable
import dataclasses

import pandas as pd

from codelaw import errors
from codelaw.laws import fitting
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

  The order is that of the held-out error, `held_out_mean_relative_error` in
  the diagnostics: of the runs of largest compute, and of whole mixtures. Laws
  of one stream see mixed runs too and ignore their shares, so that they show
  what the mixture laws add.

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
  fits = []
  for name in selection.applicable(table, target, only_final=only_final):
    law, rows = selection.select(
      name, table, target, only_final=only_final, all_rows=True
    )
    try:
      held_out = fitting.held_out_error(law, rows, target, settings)
      fit = fitting.fit(law, rows, target, settings, group)
    except errors.UserError as error:
      report(str(error))
      continue
    noted = {**fit.diagnostics, 'held_out_mean_relative_error': held_out}
    fits.append(dataclasses.replace(fit, diagnostics=noted))
  if not fits:
    raise errors.UserError(
      f'No law can be fitted to {target} with these runs: its source must be'
      ' trained on, and each law needs more runs than parameters.'
    )
  return sorted(
    fits, key=lambda fit: fit.diagnostics['held_out_mean_relative_error']
  )
