"""Errors of scores over the items of a task, also where none was made.

A share p of n right answers has the standard error sqrt(p (1 - p) / n), which
is 0 where all answers are right or all are wrong, as if the score were known
exactly. What stays meaningful is the dispersion:

  dispersion: d = standard_error^2 / (p (scale - p)), 1 / n for shares of n
    items; the inverse is the number of items that a score is worth.
  scale: the greatest value of a metric: 100 for BLEU and chrF, 1 for shares.
"""

import numpy as np
from numpy import typing as np_typing

_SCALES = {'bleu': 100.0, 'chrf': 100.0}
_UNBOUNDED = ('nats_per_token', 'bits_per_byte', 'perplexity')


def scale_of(column: str) -> float:
  """The greatest value of a column of scores, by its metric.

  >>> scale_of('score/translation/python-java/bleu')
  100.0
  >>> scale_of('score/reasoning/piqa/accuracy')
  1.0
  """
  return _SCALES.get(metric_of(column), 1.0)


def is_bounded(column: str) -> bool:
  """Whether a column holds scores between 0 and a scale; losses are none."""
  return metric_of(column) not in _UNBOUNDED


def metric_of(column: str) -> str:
  """`score/<task>/<metric>` -> `<metric>`."""
  return column.rpartition('/')[2]


def dispersions(
  scores: np_typing.ArrayLike, errors: np_typing.ArrayLike, scale: float
) -> np.ndarray:
  """Dispersions of scores, with the median of the others where one has none.

  Args:
    scores: [n] from 0 to `scale`.
    errors: [n] standard errors over items; NaN where not known.
    scale: of the metric.

  Returns:
    [n]; NaN everywhere when no score has a dispersion.

  >>> dispersions([0.5, 0.0, 0.2], [0.05, 0.0, 0.04], 1.0).round(4).tolist()
  [0.01, 0.01, 0.01]
  """
  p, error = np.asarray(scores, float), np.asarray(errors, float)
  room = p * (scale - p)
  known = (error > 0) & (room > 0)
  found = np.full(p.shape, np.nan)
  found[known] = error[known] ** 2 / room[known]
  if known.any():
    found[~known] = np.median(found[known])
  return found


def variances(
  scores: np_typing.ArrayLike, dispersion: np.ndarray, scale: float
) -> np.ndarray:
  """Variance over items [n]; half an item counts as the least right or wrong.

  >>> variances([0.5, 0.0], np.array([0.01, 0.01]), 1.0).round(6).tolist()
  [0.0025, 5e-05]
  """
  half = 0.5 * np.minimum(dispersion, 1.0) * scale
  p = np.clip(np.asarray(scores, float), half, scale - half)
  return dispersion * p * (scale - p)
