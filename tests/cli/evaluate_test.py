"""Tasks from gin files, for checkpoints and in training."""

import dataclasses
import json
import pathlib
import shutil
import sys

import jax
import pandas as pd
import pytest

from codelaw import errors
from codelaw import records
from codelaw import scores
from codelaw.cli import main
from codelaw.cli import train
from codelaw.evaluation import task as task_lib
from tests.interop import models_to_export
from tests.train import loop_test

OWN = pathlib.Path(__file__).parent / 'own_tasks.py'
GIN = """import own_tasks
Preferences.items = [
    ('def first(', 'self', '%%%%'),
    ('for value in ', 'range', 'qqqqq'),
    ('import ', 'os', '</h1>'),
]
Evaluation.tasks = [@Preferences()]
"""
SCORE = 'code/preferences/accuracy'


def run(*arguments):
  return main.main(list(arguments))


def own(folder, text=GIN):
  shutil.copy(OWN, folder)
  (folder / 'own.gin').write_text(text)


@pytest.fixture(autouse=True)
def paths(monkeypatch):
  monkeypatch.setattr(sys, 'path', [*sys.path])
  monkeypatch.setattr(sys, 'dont_write_bytecode', True)


def steps_of(folder, part, tag):
  return loop_test.scalars(folder / part).get(tag, {})


def test_scores_of_a_run_as_it_trains_and_of_its_checkpoints(
  example_copy, capsys
):
  own(example_copy)
  earlier = max((example_copy / 'results/quickstart/runs').glob('*'))
  again = example_copy / 'again'
  training = (
    *('train', f'--gin_file={earlier}/operative_config.gin'),
    *("--gin.TrainSettings.model_dir='again'", '--gin_file=own.gin'),
    '--gin.RunPlan.checkpoint_steps_kept=[10]',
    '--gin.TrainSettings.downstream=@Evaluation()',
    '--gin.Evaluation.every_steps=25',
  )
  assert run(*training) == 0
  record = records.read_run_record(again)
  last = record.step
  due = [*range(25, last, 25), last]
  found = scores.read(again)
  assert list(found) == due
  assert record.scores_step == last
  assert record.scores == {SCORE: found[last][0].value}
  logged = steps_of(again, 'eval_downstream', f'eval_downstream/{SCORE}')
  assert list(logged) == due
  # The training is the same, bit for bit.
  tag = 'train/loss_nats_per_token'
  assert steps_of(again, 'train', tag) == steps_of(earlier, 'train', tag)
  # The verb finds the last checkpoint done, and does the others.
  capsys.readouterr()
  verb = ('evaluate', '--model_dir=again', '--gin_file=own.gin')
  assert run(*verb) == 0
  told = capsys.readouterr()
  assert '1 of 1 tasks were done before; skipped' in told.err
  assert SCORE in told.out
  assert run(*verb, '--every-checkpoint') == 0
  assert sorted(scores.read(again)) == [10, *due]
  assert records.read_run_record(again) == record
  capsys.readouterr()
  assert run('collect', '--runs=again', '--out=runs.csv') == 0
  assert (
    'scores of downstream tasks at step 10, but no' in capsys.readouterr().err
  )
  row = pd.read_csv('runs.csv').set_index('step').loc[last]
  assert row[f'score/{SCORE}'] == found[last][0].value
  assert row[f'score_standard_error/{SCORE}'] == found[last][0].standard_error
  samples = again / f'downstream/samples/step_{last}/preferences.jsonl'
  assert [json.loads(s)['item'][1] for s in samples.read_text().splitlines()]


@pytest.mark.parametrize(
  ('arguments', 'reason'),
  [
    ((), 'Evaluation.tasks must be set'),
    (('--gin.Evaluation.tasks=[]',), 'must be a list of references'),
    (('--gin.Evaluation.tasks=[3]',), 'like @HarnessTasks(); got 3'),
    (
      ('--gin_file=own.gin', '--gin.Evaluation.tasks=[@Preferences]'),
      'references with parentheses',
    ),
    (('--gin_file=own.gin',), 'nowhere/run.json'),
    (('--gin_file=own.gin', '--step=3', '--every_checkpoint'), 'not allowed'),
    (('--gin_file=own.gin', '--gin.Evaluation.every_steps=-1'), 'every_steps'),
    (
      (
        '--gin_file=own.gin',
        '--gin.Evaluation.tasks=[@Preferences(), @Preferences()]',
      ),
      'different names',
    ),
    (
      ('--gin_file=own.gin', "--gin.Preferences.name='a/b'"),
      'begin with a letter',
    ),
  ],
)
def test_a_mistake_is_one_sentence(
  arguments, reason, tmp_path, monkeypatch, capsys
):
  monkeypatch.chdir(tmp_path)
  own(tmp_path)
  assert run('evaluate', '--model_dir=nowhere', *arguments) == 2
  error = capsys.readouterr().err
  assert reason in error
  assert 'Traceback' not in error


@dataclasses.dataclass(frozen=True)
class Toolless:
  name: str = 'toolless'

  def check(self):
    raise errors.UserError('no compiler for brainfuck')

  def evaluate(self, model, report):
    raise AssertionError


def test_what_a_run_evaluates_is_checked_before_it_begins(
  tmp_path, monkeypatch
):
  model = models_to_export.model(
    models_to_export.shape('parallel_grouped'), tmp_path / 'shards'
  )
  evaluation = task_lib.Evaluation([Toolless()])
  train._check_downstream(None, model.record)
  with pytest.raises(errors.UserError, match='no compiler for brainfuck'):
    train._check_downstream(evaluation, model.record)
  with monkeypatch.context() as others:
    # Programs run on the machine of the first process alone.
    others.setattr(jax, 'process_index', lambda: 1)
    train._check_downstream(evaluation, model.record)
  (tmp_path / 'shards' / 'tokenizer.json').unlink()
  with pytest.raises(errors.UserError, match=r'tokenizer'):
    train._check_downstream(evaluation, model.record)
