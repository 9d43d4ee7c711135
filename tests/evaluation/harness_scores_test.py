import math

import numpy as np
import pytest

from codelaw.evaluation import harness_scores


def _mean(items):
  return sum(items) / len(items)


def test_error_of_a_mean():
  items = [0, 1, 1, 0, 1, 1, 1]
  got = harness_scores.standard_error(items, _mean, is_mean=True)
  assert got == pytest.approx(np.std(items, ddof=1) / math.sqrt(7))


def test_the_jackknife_of_a_mean_is_its_error():
  items = np.random.default_rng(0).normal(size=60).tolist()
  exact = harness_scores.standard_error(items, _mean, is_mean=True)
  got = harness_scores.standard_error(items, _mean, is_mean=False)
  assert got == pytest.approx(exact, rel=1e-9)


def test_the_jackknife_of_a_ratio():
  """Against the delta method, and with more items than groups."""
  generator = np.random.default_rng(1)
  lengths = generator.integers(20, 60, size=5000)
  nats = lengths * generator.normal(2, 0.3, size=5000)

  def per_byte(items):
    return sum(n for n, _ in items) / sum(b for _, b in items)

  items = list(zip(nats.tolist(), lengths.tolist(), strict=True))
  got = harness_scores.standard_error(items, per_byte, is_mean=False)
  residuals = nats - per_byte(items) * lengths
  exact = residuals.std(ddof=1) / math.sqrt(5000) / lengths.mean()
  # Of an error from 100 groups one standard error is 7%; this is three.
  assert got == pytest.approx(exact, rel=0.21)


@pytest.mark.parametrize('items', [[], [1.0]])
@pytest.mark.parametrize('is_mean', [True, False])
def test_one_item_has_no_error(items, is_mean):
  assert harness_scores.standard_error(items, _mean, is_mean) is None


@pytest.mark.parametrize(
  ('wanted', 'want'),
  [
    ('', 'a,x'),
    ('b', 'b,x'),
    ('a,y', 'a,y'),
    ('a', 'a,x'),
    ('c', None),
  ],
)
def test_counted_metric(wanted, want):
  metrics = {'a,x': 1.0, 'b,x': 2.0, 'a,y': 3.0}
  assert harness_scores.counted_metric(metrics, wanted) == want


@pytest.mark.parametrize(
  ('category', 'task', 'want'),
  [('', 'boolq', 'boolq'), ('x', 'a b/c', 'x/a_b_c'), ('x', 'g::t', 'x/g::t')],
)
def test_score_names(category, task, want):
  assert harness_scores.score_name(category, task) == want


def test_samples_have_what_json_has():
  row = {
    'doc_id': np.int64(3),
    'filter': 'none',
    'doc': {'a': np.float32(0.5), 'b': b'x', 'c': float('inf'), 1: {2}},
    'target': np.array([1, 2]),
    'arguments': [('x', {'until': ['y']})],
    'resps': [[(np.float64(-1.5), np.bool_(True))]],
    'filtered_resps': ['x'],
    'metrics': ['m'],
    'm': (1, float('nan')),
  }
  (got,) = harness_scores.samples({'samples': {'t': [row]}})
  assert got == {
    'task': 't',
    'item': 3,
    'filter': 'none',
    'document': {'a': 0.5, 'b': "b'x'", 'c': None, '1': [2]},
    'target': [1, 2],
    'requests': [['x', {'until': ['y']}]],
    'responses': [[[-1.5, True]]],
    'filtered': ['x'],
    'metrics': {'m': [1, None]},
  }
  assert isinstance(got['item'], int)
  assert got['responses'][0][0][1] is True
