"""The verb: the runs to do next as a study that `codelaw study` takes."""

import argparse
import dataclasses

import pandas as pd
import pytest

from codelaw import accounting
from codelaw.cli import main
from codelaw.cli import study as study_verb
from codelaw.laws import results
from codelaw.studies import sweep

_RUN = """
include 'models/sequential_108k.gin'
include 'mixtures/python_only.gin'
include 'schedules/wsd.gin'
include 'runs/pretrain.gin'
MODEL = @sequential_108k/ModelShape()
SHARDS_DIR = 'shards'
MODEL_DIR = 'final'
TRAIN_TOKENS = 4_000_000
PEAK_LEARNING_RATE = 0.02
SEED = 3
"""


@pytest.fixture
def folder(tmp_path, make_fit, monkeypatch):
  monkeypatch.chdir(tmp_path)
  fits = [
    make_fit(
      f'loss/{source}',
      {'E': 1.0, 'A': 9.0, 'B': B, 'alpha': 0.4, 'beta': 0.3, tau: 0.1},
      spread=0.03,
      count=60,
      seed=seed,
    )
    for seed, (source, B, tau) in enumerate(
      (
        ('code/c', 300.0, 'tau/code/java'),
        ('code/java', 900.0, 'tau/code/c'),
      )
    )
  ]
  results.write(
    'fit.json',
    [
      dataclasses.replace(
        fit, diagnostics={**fit.diagnostics, 'residual_log_sd': 0.01}
      )
      for fit in fits
    ],
  )
  (tmp_path / 'run.gin').write_text(_RUN)
  return tmp_path


def _design(*flags):
  return main.main(
    [
      'design',
      '--fit=fit.json',
      '--gin_file=run.gin',
      '--models=models/sequential_14k.gin,models/sequential_108k.gin',
      '--token_budgets=262144,1e6',
      '--flop_budget=4e12',
      '--max_runs=5',
      '--out=next',
      *flags,
    ]
  )


def _planned(file):
  """The runs of the study that a gin file describes, by name."""
  args = argparse.Namespace(
    gin_file=[file], gin_search_paths=[], gin_bindings=[]
  )
  runs = sweep.planned_runs(study_verb.load(args))
  return {run.run_id: run for run in runs}


def test_the_runs_are_written_as_a_study_that_trains_them(folder, capsys):
  assert _design() == 0
  shown = capsys.readouterr().out
  assert 'Expected regret of the allocation' in shown
  assert 'codelaw study --gin_file=next/design.gin' in shown
  table = pd.read_csv(folder / 'next' / 'design.csv')
  assert 1 <= len(table) <= 5
  assert table['train_flops'].sum() <= 4e12
  assert table['run_id'].is_unique
  shares = table.filter(like='share/')
  assert shares.sum(axis=1).tolist() == pytest.approx([1.0] * len(table))
  planned = _planned('next/design.gin')
  assert sorted(planned) == sorted(table['run_id'])
  for _, row in table.iterrows():
    run = planned[row['run_id']]
    plan = run.plan
    assert run.purposes == ('mixture',)
    assert accounting.num_params(plan.model) == row['num_params']
    assert plan.num_tokens == row['num_tokens']
    assert row['train_flops'] == pytest.approx(
      accounting.train_flops_per_token(plan.model, plan.sequence_length)
      * plan.num_tokens
    )
    for stage in plan.schedule.stages:
      assert stage.mixture.shares() == pytest.approx(
        {
          name.removeprefix('share/'): share
          for name, share in row.filter(like='share/').items()
          if share > 0
        }
      )
    # The pattern's stages and settings, its learning rate carried over.
    assert [stage.name for stage in plan.schedule.stages] == [
      'main',
      'cooldown',
    ]
    assert plan.batch_size == 16
    assert plan.seed == row['seed'] >= 3
    assert plan.optimizer.peak_learning_rate == pytest.approx(
      0.02 * 48 / plan.model.width
    )


def test_a_study_takes_what_was_written_as_it_is(folder, capsys):
  assert _design() == 0
  capsys.readouterr()
  flags = ['--gin_file=next/design.gin', '--dry_run', '--out=rows.csv']
  assert main.main(['study', *flags]) == 0
  assert 'next: ' in capsys.readouterr().out
  designed = pd.read_csv('next/design.csv').set_index('run_id').sort_index()
  rows = pd.read_csv('rows.csv').set_index('run_id').sort_index()
  assert list(rows.index) == list(designed.index)
  for name in ('num_params', 'seed'):
    assert rows[name].tolist() == designed[name].tolist()
  # Tokens are rounded to whole batches, FLOPs with them.
  assert rows['train_flops'].tolist() == pytest.approx(
    designed['train_flops'].tolist(), rel=0.02
  )


def test_a_run_that_is_chosen_twice_has_two_seeds(folder):
  assert _design('--token_budgets=262144', '--max_runs=32') == 0
  table = pd.read_csv(folder / 'next' / 'design.csv')
  alike = ['num_params', 'num_tokens', *table.filter(like='share/')]
  again = table[table.duplicated(alike, keep=False)]
  assert len(again) >= 2  # the fits of the fixture ask for repetitions
  for _, rows in again.groupby(alike):
    assert sorted(rows['seed']) == list(range(3, 3 + len(rows)))
  assert sorted(_planned('next/design.gin')) == sorted(table['run_id'])


def test_supply_and_settings_of_the_allocation_count(folder, capsys):
  assert (
    _design(
      '--supply=code/c=30000',
      '--gin.DesignSettings.allocation=@AllocationSettings()',
      "--gin.AllocationSettings.weights={'code/java': 1}",
    )
    == 0
  )
  table = pd.read_csv(folder / 'next' / 'design.csv')
  assert (table['share/code/c'] * table['num_tokens'] <= 4 * 30000).all()
  # Java alone gets everything, whatever the fit: no rate is in doubt.
  assert 'Variance of the predicted objective' in capsys.readouterr().out


@pytest.mark.parametrize(
  ('flags', 'message'),
  [
    (['--flop_budget=10'], 'the cheapest of'),
    (['--token_budgets=many'], '--token_budgets takes numbers'),
    (['--models=nowhere.gin'], '--models names nowhere.gin'),
    (['--models=runs/plan.gin'], 'binds no NAME/ModelShape'),
    (['--supply=code/c'], '--supply takes'),
  ],
)
def test_mistakes_end_in_one_sentence(folder, capsys, flags, message):
  assert _design(*flags) == 2
  error = capsys.readouterr().err
  assert message in error
  assert 'Traceback' not in error
  assert not (folder / 'next').exists()
