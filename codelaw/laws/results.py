"""The result of fitting a law, and `fit.json`, the file that holds it.

`Fit` is what every later step reads: predictions, allocation, reports. It
carries its own uncertainty (`bootstrap_estimates`), so that a decision made
from it can carry that uncertainty too.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
from typing import Any

from codelaw import errors
from codelaw import records
from codelaw import storage


@dataclasses.dataclass(frozen=True)
class Fit:
  """A law with estimated parameters, for one target and one group.

  Attributes:
    law: name of the law, one of `forms.names()`.
    target: column of the run table that was fitted, like `loss/code/python`.
    group: value of the grouping column, like `Python`; empty without one.
    estimates: parameter -> estimate, in the units of the table's columns.
    intervals: parameter -> (low, high), bootstrap percentiles.
    interval_level: of the intervals, like 0.9.
    objective: value of the objective at the optimum, summed over points.
    objective_name: one of `objectives.NAMES`.
    num_points: rows of the run table that were fitted.
    num_starts: starting points of the solver.
    num_starts_at_optimum: starts that ended at the optimum, to the tolerance
      that `fitting.OPTIMUM_TOLERANCE` states, of the `num_starts_followed` of
      the diagnostics; those given up early never count.
    converged: whether the solver met its own criterion at the optimum.
    termination: why it stopped, one of `fitting.TERMINATIONS`.
    diagnostics: `rmse`, `r2`, `mean_relative_error`, `condition_number`,
      `at_bound`, `standard_errors`, `ranges`, `lowest_loss`, `num_runs`;
      `noise_sd` of one run (of the log loss or the loss, as the objective) and
      its `noise_degrees_of_freedom`; `extrapolation` (errors on the largest
      `compute`, `num_params` and `num_tokens`, None where they have no value)
      and `extrapolation_mean_relative_error`, the first of them;
      `profile_intervals` (parameter -> [low, high], None where open);
      `influence` (see `influence.Change`); `residual_points`; after a
      comparison `held_out`, `held_out_mean_relative_error` and
      `held_out_difference`; and `warnings`, in words.
    units: parameter -> unit in words.
    table_fingerprint: of the rows that were fitted.
    codelaw_version: of the software that fitted.
    bootstrap_estimates: parameter -> one estimate per bootstrap fit, in the
      same order for all parameters.
    sources: that a mixture law was fitted for; empty for other laws.
    law_module: Python module that registers the law, where a user added it.
  """

  law: str
  target: str
  group: str
  estimates: Mapping[str, float]
  intervals: Mapping[str, tuple[float, float]]
  interval_level: float
  objective: float
  objective_name: str
  num_points: int
  num_starts: int
  num_starts_at_optimum: int
  converged: bool
  termination: str
  diagnostics: Mapping[str, Any]
  units: Mapping[str, str]
  table_fingerprint: str
  codelaw_version: str
  bootstrap_estimates: Mapping[str, tuple[float, ...]]
  sources: tuple[str, ...] = ()
  law_module: str = ''


def write(path: storage.PathLike, fits: Sequence[Fit]) -> None:
  """Writes `{"fits": [...]}`, whole or not at all."""
  storage.write_json(path, {'fits': [records.to_json(fit) for fit in fits]})


def read(path: storage.PathLike) -> list[Fit]:
  """Reads the fits of a `fit.json`, in the order in which they were written.

  Raises:
    UserError: when the file is missing or holds no fits.
  """
  content = storage.read_json(path)
  entries = content.get('fits') if isinstance(content, dict) else None
  if not isinstance(entries, list) or not entries:
    raise errors.UserError(
      f'{path} holds no list of fits under "fits"; write it with `codelaw fit`.'
    )
  return [records.from_json(entry, Fit) for entry in entries]
