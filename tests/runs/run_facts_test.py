import pytest

from codelaw import errors
from codelaw.runs import run_facts


def _read(tmp_path, text, name='facts.csv'):
  (tmp_path / name).write_text(text)
  return run_facts.read(tmp_path / name)


def test_csv_and_json_say_the_same(tmp_path):
  table = _read(
    tmp_path, 'note,run,N,num_steps,share/a\nx,r1,1e6,10,1\n,r2,2000000,,1\n'
  )
  listed = _read(
    tmp_path,
    '[{"run_id": "r1", "num_params": 1e6, "num_steps": 10, "share/a": 1},'
    ' {"run": "r2", "N": 2000000, "share/a": 1}]',
    'facts.json',
  )
  named = _read(
    tmp_path,
    '{"r1": {"num_params": 1e6, "num_steps": 10, "share/a": 1},'
    ' "r2": {"N": 2000000, "share/a": 1}}',
    'named.json',
  )
  for run_id in ('r1', 'r2'):
    facts = [
      run_facts.facts(run_id, rows[run_id], {})
      for rows in (table, listed, named)
    ]
    assert facts[0] == facts[1] == facts[2]
  assert facts[0] == run_facts.RunFacts(
    num_params=2_000_000,
    num_params_no_embed=None,
    tokens_per_step=None,
    num_steps=None,
    unique_tokens=None,
    flops_per_token=12e6,
    seed=None,
    shares={'a': 1.0},
  )


def test_the_table_counts_before_the_events():
  found = run_facts.facts(
    'r',
    {'num_params': '10', 'num_tokens': '600', 'num_steps': '3'},
    {'num_params': '99', 'flops_per_token': '7', 'seed': '0'},
  )
  assert found.num_params == 10
  assert found.tokens_per_step == 200
  assert found.flops_per_token == 7
  assert found.seed == 0


@pytest.mark.parametrize(
  ('text', 'words'),
  [
    ('run,N\nb,1\na,1\nb,1\na,2\n', 'several rows for a, b'),
    ('run,N\na,1\n,2\n', 'row 2: expected a run_id'),
    ('N\n1\n', 'row 1: expected a run_id'),
  ],
)
def test_run_ids_that_cannot_be_joined(tmp_path, text, words):
  with pytest.raises(errors.UserError, match=words):
    _read(tmp_path, text)


def test_json_of_another_shape(tmp_path):
  with pytest.raises(errors.UserError, match='list of objects with run_id'):
    _read(tmp_path, '{"r1": 3}', 'facts.json')


@pytest.mark.parametrize(
  ('given', 'words'),
  [
    ({'num_params': 'many'}, "run r: expected a number for num_params.*'many'"),
    ({'num_params': '-1'}, 'run r: expected a positive num_params'),
    ({'share/a': '0.5', 'share/b': '0.4'}, 'run r: shares .* sum of 0.9'),
    ({'share/a': '1.5', 'share/b': '-0.5'}, 'run r: shares must be at least 0'),
  ],
)
def test_facts_that_cannot_be(given, words):
  with pytest.raises(errors.UserError, match=words):
    run_facts.facts('r', given, {})
