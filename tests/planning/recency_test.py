"""The recency of a stage, planted and found again; what does not tell it."""

import numpy as np
import pandas as pd
import pytest

from codelaw import errors
from codelaw.laws import fitting
from codelaw.laws import forms
from codelaw.laws import solver
from codelaw.planning import recency
from tests.planning import planted

_SOURCES = ('code/c', 'code/java')
_SETTINGS = fitting.FitSettings(num_starts=8)
_TARGET = 'loss/code/c'


def _table(planted_recency, noise, apart=True):
  """Runs of two stages whose law sees shares of a planted recency."""
  generator = np.random.default_rng(0)
  count = 40
  early = generator.uniform(0.05, 0.95, count)
  late = generator.uniform(0.05, 0.95, count) if apart else early
  tokens = np.geomspace(1e6, 1e8, count)[generator.permutation(count)]
  shares = {'main': early, 'cooldown': late}
  parts = {'main': 0.8, 'cooldown': 0.2}
  table = pd.DataFrame(
    {
      'run_id': [f'run-{i}' for i in range(count)],
      'num_params': np.geomspace(1e5, 1e7, count),
      'num_tokens': tokens,
      **{f'share/{s}': 0.0 for s in _SOURCES},
      **{f'stage_tokens/{s}': part * tokens for s, part in parts.items()},
    }
  )
  for stage, own in shares.items():
    table[f'stage_share/{stage}/code/c'] = own
    table[f'stage_share/{stage}/code/java'] = 1 - own
  seen = recency.effective(table, 'cooldown', planted_recency)
  expected = (0.8 * early + 0.2 * planted_recency * late) / (
    0.8 + 0.2 * planted_recency
  )
  assert seen['share/code/c'].to_numpy() == pytest.approx(expected)
  law = forms.law('transfer', _TARGET, _SOURCES)
  estimates = planted.estimates('code/c', {'code/java': 0.2})
  with solver.float64():
    losses = np.asarray(law.predict(estimates, seen[list(law.columns)]))
  table[_TARGET] = losses * np.exp(noise * generator.standard_normal(count))
  for source in _SOURCES:
    table[f'share/{source}'] = recency.effective(table, 'cooldown', 1.0)[
      f'share/{source}'
    ]
  return table


@pytest.mark.slow
def test_a_planted_recency_is_found_within_its_interval():
  found = recency.fit(
    _table(3.0, noise=0.003), 'cooldown', [_TARGET], settings=_SETTINGS
  )
  assert found.low < 3.0 < found.high
  assert found.low > 1.0  # Tokens of the cooldown are told apart from others.
  assert found.value == pytest.approx(3.0, rel=0.2)
  assert 'cooldown: ' in str(found)


def test_equal_stages_tell_nothing_and_are_refused():
  table = _table(3.0, noise=0.003, apart=False)
  with pytest.raises(errors.UserError, match='the same ones throughout'):
    recency.fit(table, 'cooldown', [_TARGET], settings=_SETTINGS)


def test_missing_columns_are_named():
  table = _table(1.0, noise=0.0)
  with pytest.raises(errors.UserError, match='got the stages main, cooldown'):
    recency.fit(table, 'end', [_TARGET], settings=_SETTINGS)
  less = table.drop(columns='stage_share/main/code/c')
  with pytest.raises(errors.UserError, match='without stage_share/main/code/c'):
    recency.fit(less, 'cooldown', [_TARGET], settings=_SETTINGS)
