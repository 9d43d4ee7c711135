"""The table of translation: averages of runs; a download of all directions."""

from collections.abc import Sequence

import pandas as pd

from codelaw.reports import tables
from codelaw.reports import translation_rows

_FORMS = {'bleu': '.1f', 'execution': '.1%'}


def averages(
  by_metric: Sequence[Sequence[translation_rows.Matrix]],
) -> tables.Table:
  """Means over directions seen, unseen and all, a row per run.

  Args:
    by_metric: for every metric its matrices, one per run.
  """
  runs = list(dict.fromkeys(m.name for one in by_metric for m in one))
  cells = {
    (matrix.name, matrix.metric, kind): _cell(matrix, kind)
    for found in by_metric
    for matrix in found
    for kind in translation_rows.AVERAGES
  }
  columns = [
    (found[0].metric, kind)
    for found in by_metric
    for kind in translation_rows.AVERAGES
    if any(cells[matrix.name, matrix.metric, kind] for matrix in found)
  ]
  return tables.Table(
    'Translation',
    'Means over directions that were trained on (seen), over the others'
    ' (unseen) and over all, with the standard error over programs below;'
    ' the download has every direction.',
    (
      'run',
      *(f'{translation_rows.shown(name)}, {kind}' for name, kind in columns),
    ),
    tuple(
      (run, *(cells.get((run, *column), '') for column in columns))
      for run in runs
    ),
    pd.concat(
      [translation_rows.long(found) for found in by_metric], ignore_index=True
    ),
  )


def _cell(matrix: translation_rows.Matrix, kind: str) -> str:
  score = matrix.averages.get(kind)
  if score is None:
    return ''
  form = _FORMS.get(translation_rows.kind(matrix.metric), '.3f')
  text = format(score.value, form)
  if score.standard_error is None:
    return text
  return f'{text}\n± {format(score.standard_error, form)}'
