"""What a reader must know before trusting a fit, in words.

One sentence part each, without a capital or a full stop: what was found, and
where it helps what to do about it.
"""

from collections.abc import Mapping
from collections.abc import Sequence

from codelaw.laws import influence as influence_lib

# With columns of the Jacobian of unit length a relative error of 1% in the
# loss can, beyond this, move a combination of parameters by a factor.
_HIGH_CONDITION = 1e3
_FEW_DEGREES_OF_FREEDOM = 3
_WIDE_INTERVAL = 5.0
_EXPONENTS = ('alpha', 'beta')
_AMPLITUDES = ('A', 'B', 'N_c', 'D_c')  # They follow their exponents.
# A fit's error beyond its points counts as large from three times the one
# inside it, and never below 2%.
_LARGE_ERROR = 0.02
_LARGER_ERROR = 3.0
_LARGEST_IN_WORDS = {
  'compute': 'the largest runs',
  'num_params': 'the largest models',
  'num_tokens': 'the largest token budgets',
}
_DRIVEN_STANDARD_ERRORS = 2.0
_DRIVEN_EXPONENT = 1 / 3
# Where points carry most of what is known of a parameter, noise alone moves it
# by standard errors. Of 200 simulated fits each of a true law to 48 runs, 1%
# (least squares) and 13% (log-Huber) still name a driver.
_DRIVEN_BEYOND_NOISE = 3.0
_MAX_DRIVERS = 3


def asymptote_warning(asymptote: float, lowest_loss: float) -> str | None:
  """Says so when a limit of the loss exceeds a loss that was observed."""
  if asymptote <= lowest_loss:
    return None
  return (
    f'the limit of the loss, {asymptote:.4g}, exceeds the lowest observed loss'
    f' {lowest_loss:.4g}, which this law cannot reach'
  )


def warnings(
  *,
  estimates: Mapping[str, float],
  intervals: Mapping[str, tuple[float, float]],
  profiles: Mapping[str, tuple[float | None, float | None]],
  at_bound: Sequence[str],
  condition: float,
  degrees_of_freedom: float,
  lowest_loss: float,
  fit_error: float,
  extrapolation: Mapping[str, float | None],
  agreeing_starts: float,
  converged: bool,
  influence: Sequence[influence_lib.Change],
) -> list[str]:
  """All warnings that apply, the gravest first."""
  found = []
  if not converged:
    found.append('the solver did not converge; the estimates are provisional')
  if agreeing_starts < 0.05:
    found.append(
      f'only {agreeing_starts:.1%} of the starts followed to the end reached'
      ' the optimum; a better one may exist: raise num_starts'
    )
  if at_bound:
    found.append(
      f'{", ".join(at_bound)} ended at a bound: the runs do not determine it,'
      ' or the law does not describe them'
    )
  if condition > _HIGH_CONDITION:
    found.append(
      f'the parameters are poorly separated by these runs (condition number'
      f' {condition:.2g}); trust predictions inside their range, not single'
      ' parameters'
    )
  if degrees_of_freedom < _FEW_DEGREES_OF_FREEDOM:
    found.append(
      f'the noise of a run is known with {degrees_of_freedom:.2g} degrees of'
      ' freedom alone: add runs, or fit a smaller law'
    )
  for name in ('E', 'c'):
    if name in estimates:
      warning = asymptote_warning(estimates[name], lowest_loss)
      if warning:
        found.append(warning)
  found += _width(intervals, profiles, at_bound)
  found += _drivers(estimates, influence)
  found += _beyond(extrapolation, fit_error)
  return found


def _width(intervals, profiles, at_bound) -> list[str]:
  found = []
  wide = [
    name
    for name in _EXPONENTS
    if name in intervals
    and name not in at_bound
    and intervals[name][1] > _WIDE_INTERVAL * intervals[name][0]
  ]
  if wide:
    found.append(
      f'the interval of {" and ".join(wide)} spans more than a factor of'
      f' {_WIDE_INTERVAL:g}'
    )
  for end, side in enumerate(('lower', 'upper')):
    names = [
      name
      for name, ends in profiles.items()
      if ends[end] is None and name not in at_bound
    ]
    if names:
      found.append(
        f'the runs set no {side} limit to {", ".join(names)}: its profile'
        ' interval is open there'
      )
  return found


def _drivers(
  estimates: Mapping[str, float], influence: Sequence[influence_lib.Change]
) -> list[str]:
  """Names what each estimate hangs on most, the strongest case first."""
  most: dict[str, influence_lib.Change] = {}
  for change in influence:  # Largest first.
    if change.parameter in _AMPLITUDES and 'alpha' in estimates:
      continue
    ratio = change.estimate / estimates[change.parameter]
    large = abs(change.standard_errors) > _DRIVEN_STANDARD_ERRORS or (
      change.parameter in _EXPONENTS and abs(ratio - 1) > _DRIVEN_EXPONENT
    )
    beyond = _DRIVEN_BEYOND_NOISE * change.expected
    if large and abs(change.standard_errors) > beyond:
      most.setdefault(change.parameter, change)
  found = []
  for change in list(most.values())[:_MAX_DRIVERS]:
    name, count, where = change.parameter, change.num_points, change.left_out
    if count > 1 and not where.startswith('run '):
      where = f'the {count} points at {where}'
    found.append(
      f'{name} is driven by {where}: {estimates[name]:.3g} with'
      f' {"them" if count > 1 else "it"}, {change.estimate:.3g} without'
    )
  return found


def _beyond(
  extrapolation: Mapping[str, float | None], fit_error: float
) -> list[str]:
  if all(error is None for error in extrapolation.values()):
    return [
      'too few sizes to test extrapolation by leaving out the largest runs'
    ]
  missed = [
    f'{_LARGEST_IN_WORDS[kind]} by {error:.1%}'
    for kind, error in extrapolation.items()
    if error is not None
    and error > max(_LARGE_ERROR, _LARGER_ERROR * fit_error)
  ]
  if not missed:
    return []
  return [
    f'fitted without them, the law misses {", ".join(missed)}, against'
    f' {fit_error:.1%} inside the fit: do not trust it far beyond these runs'
  ]
