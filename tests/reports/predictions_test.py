"""The rows behind the figures."""

import numpy as np

from codelaw.reports import predictions


def test_single_source_rows_leave_mixtures_out(found):
  rows = predictions.single_source_rows(found.table, 'loss/markup')
  assert np.all(rows['share/markup'] == 1)
  assert len(rows) == 11
  assert not len(predictions.single_source_rows(found.table, 'loss/text'))
