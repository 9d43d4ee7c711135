import numpy as np

from codelaw.laws import forms
from codelaw.laws import points
from tests.laws import simulated


def test_laws_find_the_rows_of_one_table_in_one_order():
  law, table = simulated.runs('transfer', 5, 5, noise=0.01)
  plain = forms.law('chinchilla')
  first = points.read(law, table, simulated.TARGET)
  for seed in (0, 1):
    mixed = table.sample(frac=1, random_state=seed)
    other = points.read(plain, mixed, simulated.TARGET)
    assert other.run_ids == first.run_ids
    np.testing.assert_array_equal(other.losses, first.losses)
    np.testing.assert_array_equal(other.mixtures, first.mixtures)


def test_runs_and_mixtures_are_counted():
  law, table = simulated.runs('transfer', 5, 4, noise=0.01)
  whole = points.read(law, table, simulated.TARGET)
  assert whole.num_runs == 20
  # Three single sources among them, the others all different.
  assert whole.mixtures.max() + 1 == 20
  pairs = table.assign(run_id=[f'run-{i // 2}' for i in range(20)])
  halved = points.read(law, pairs, simulated.TARGET)
  assert halved.num_runs == 10
  # Mixtures that one run passed through are one.
  assert halved.mixtures.max() + 1 == 10
  for label in range(10):
    assert len(set(halved.runs[halved.mixtures == label])) == 1


def test_mixtures_are_joined_along_chains_of_runs():
  law, table = simulated.runs('transfer', 3, 4)
  same = table.iloc[[0, 1, 2, 3]].copy()
  same['run_id'] = ['a', 'a', 'b', 'b']
  for name in [c for c in law.columns if c.startswith('share/')]:
    shares = same[name].to_numpy()
    same[name] = shares[[0, 1, 1, 3]]  # b begins on the mixture a ends on.
  found = points.read(law, same, simulated.TARGET)
  assert found.mixtures.tolist() == [0, 0, 0, 0]
  assert found.num_runs == 2


def test_rows_without_run_ids_are_runs_of_their_own():
  law, table = simulated.runs('chinchilla', 4, 4)
  found = points.read(law, table.drop(columns='run_id'), simulated.TARGET)
  assert found.num_runs == 16
  assert sorted(found.run_ids)[:2] == ['row 1', 'row 10']
  assert not found.mixtures.any()
