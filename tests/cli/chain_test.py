"""Paper B's chain of runs, scaled down, by its own gin files."""

import argparse
import json
import shutil

import jax
import numpy as np
import pytest

from codelaw import errors
from codelaw import execution
from codelaw import records
from codelaw.cli import main
from codelaw.cli import train
from codelaw.data import manifest as manifest_lib
from codelaw.data import schedule as schedule_lib
from codelaw.data import tokenizer
from codelaw.train import checkpoint
from codelaw.train import initial
from codelaw.train import loop
from codelaw.train import mesh as mesh_lib
from codelaw.train import optimizer
from codelaw.train import step as step_lib
from tests.data import padded_shards

LENGTH, BATCH = 32, 4
STEPS = {'pretrain': 8, 'continue': 6, 'cooldown': 4}
_MODEL = {
  'vocab_size': 300,
  'width': 8,
  'num_layers': 1,
  'num_heads': 1,
  'head_dim': 8,
  'mlp_width': 8,
}


@pytest.fixture(scope='module')
def shards_dir(tmp_path_factory):
  """Sources of which the chain repeats one, all with padding."""
  folder = tmp_path_factory.mktemp('shards')
  sources = {
    name: ('whole', padded_shards.random_tokens(number, LENGTH, 300, number))
    for name, number in (('text/web', 90), ('code/web', 12), ('markup/web', 9))
  }
  vocabulary = {'type': tokenizer.VOCABULARY_TYPE, 'token_bytes': None}
  padded_shards.write(folder, 300, sources, json.dumps(vocabulary))
  return folder


def flags(name, folder, shards_dir, **macros):
  """Of `codelaw train` for one of the files, its runs below `folder`."""
  bindings = {
    'SHARDS_DIR': repr(str(shards_dir)),
    'MODEL': '@ModelShape()',
    **{f'ModelShape.{key}': value for key, value in _MODEL.items()},
    'SEQUENCE_LENGTH': LENGTH,
    'BATCH_SIZE': BATCH,
    'RunPlan.eval_every_steps': 0,
    **macros,
  }
  needed = {
    'pretrain': ('PRETRAIN',),
    'continue': ('PRETRAIN', 'CONTINUE'),
    'cooldown': ('CONTINUE', 'COOLDOWN'),
    'chain': ('PRETRAIN', 'CONTINUE', 'COOLDOWN'),
  }[name]
  for part in needed:
    bindings[f'{part}_DIR'] = repr(str(folder / part.lower()))
  for part in needed if name == 'chain' else needed[-1:]:
    bindings[f'{part}_TOKENS'] = STEPS[part.lower()] * LENGTH * BATCH
  if name in ('pretrain', 'chain'):
    bindings['WARMUP_TOKENS'] = 2 * LENGTH * BATCH
  return [
    f'--gin_file=runs/paper_b/{name}.gin',
    *(f'--gin.{key}={value}' for key, value in bindings.items()),
  ]


def runs_of(arguments):
  args = argparse.Namespace(
    gin_file=[arguments[0].partition('=')[2]],
    gin_search_paths=[],
    gin_bindings=[
      flag.removeprefix('--gin.').replace('=', ' = ', 1)
      for flag in arguments[1:]
    ],
  )
  return train.load(args)


def states(folder):
  """The last state of every run."""
  mesh = mesh_lib.make(execution.AUTOMATIC.mesh)
  found = {}
  for name, step in STEPS.items():
    plan = records.read_run_record(folder / name).plan
    like = step_lib.abstract_state(plan.model, plan.optimizer, mesh)
    found[name] = checkpoint.restore(folder / name / 'checkpoints', step, like)
  return found


def assert_same(folder, other):
  jax.tree.map(np.testing.assert_array_equal, states(folder), states(other))
  for name in STEPS:
    one, two = (records.read_run_record(f / name) for f in (folder, other))
    for field in (
      'realised_tokens',
      'inherited_tokens',
      'inherited_sequences',
      'inherited_flops',
      'initial_step',
    ):
      assert getattr(one, field) == getattr(two, field)


@pytest.fixture(scope='module')
def chain(shards_dir, tmp_path_factory):
  """Folder of a chain that was trained with one command."""
  folder = tmp_path_factory.mktemp('chain')
  assert main.main(['train', *flags('chain', folder, shards_dir)]) == 0
  return folder


def test_tokens_are_exact_over_the_chain(chain, shards_dir):
  manifest = manifest_lib.read(shards_dir)
  drawn, seen, flops = {}, {}, 0.0
  for name, steps in STEPS.items():
    record = records.read_run_record(chain / name)
    assert record.inherited_tokens == seen
    assert record.inherited_sequences == drawn
    schedule = schedule_lib.from_plan(record.plan, manifest, drawn)
    assert record.realised_tokens == record.planned_tokens
    assert record.realised_tokens == schedule.planned_tokens()
    seen = record.tokens_seen(record.realised_tokens)
    for source, number in schedule.sequences_until(steps).items():
      drawn[source] = drawn.get(source, 0) + number
    flops = record.inherited_flops + record.train_flops
  assert sum(drawn.values()) == BATCH * sum(STEPS.values())
  # Every sequence of a source once, before any comes again.
  code = manifest.split('code/web', 'train')
  assert drawn['code/web'] >= code.sequences
  assert seen['code/web'] >= code.tokens
  assert flops == pytest.approx(
    record.train_flops
    / sum(record.realised_tokens.values())
    * sum(seen.values())
  )


def test_learning_rates_meet_at_the_borders(shards_dir, tmp_path):
  plans = [run.plan for run in runs_of(flags('chain', tmp_path, shards_dir))]
  rates = [
    [optimizer.learning_rate(plan, step) for step in range(plan.num_steps)]
    for plan in plans
  ]
  assert rates[0][:2] == pytest.approx([0.25e-3, 0.75e-3], rel=0.1)
  assert rates[1] == [3e-4] * STEPS['continue']
  assert rates[0][-1] == pytest.approx(3e-4, rel=0.03)
  # The middles of four batches between 3e-4 and 1e-6.
  assert rates[2] == pytest.approx(
    [1e-6 + (3e-4 - 1e-6) * u for u in (7 / 8, 5 / 8, 3 / 8, 1 / 8)]
  )


def test_one_by_one_is_the_same(chain, shards_dir, tmp_path):
  for name in STEPS:
    assert main.main(['train', *flags(name, tmp_path, shards_dir)]) == 0
  assert_same(tmp_path, chain)


@pytest.mark.parametrize(('name', 'step'), [('continue', 3), ('cooldown', 1)])
def test_a_chain_goes_on_where_it_was_killed(
  chain, shards_dir, tmp_path, name, step, capsys
):
  arguments = flags('chain', tmp_path, shards_dir)

  def kill(report):
    if report.step == step:
      raise RuntimeError('killed')

  for run in runs_of(arguments):
    if run.model_dir == str(tmp_path / name):
      with pytest.raises(RuntimeError, match='killed'):
        loop.train(run.plan, run.model_dir, progress=kill)
      break
    loop.train(run.plan, run.model_dir)
  if name == 'cooldown':  # its first checkpoint holds all that it needs
    shutil.rmtree(tmp_path / 'continue' / 'checkpoints')
    shutil.copytree(chain / 'continue' / 'checkpoints', tmp_path / 'kept')
  capsys.readouterr()
  assert main.main(['train', *arguments]) == 0
  shown = capsys.readouterr()
  assert 'finished; skipped' in shown.out + shown.err
  if name == 'cooldown':
    (tmp_path / 'kept').rename(tmp_path / 'continue' / 'checkpoints')
  assert_same(tmp_path, chain)


def test_all_runs_are_checked_before_the_first(shards_dir, tmp_path):
  wider = {f'other/ModelShape.{k}': v for k, v in _MODEL.items()}
  wider |= {
    'cooldown/RunPlan.model': '@other/ModelShape()',
    'other/ModelShape.width': 16,
  }
  one_folder = {
    'continued/TrainSettings.model_dir': '%PRETRAIN_DIR',
  }
  for bindings, message in (
    ({'continued/RunPlan.max_epochs': 0.5}, 'repeats code/web'),
    ({'continued/InitialCheckpoint.step': 5}, 'of 8 steps, will not keep'),
    (wider, 'model.width is 8 in .*continue, 16 in'),
    (one_folder, 'must have different'),
  ):
    with pytest.raises(errors.UserError, match=message):
      train.check(runs_of(flags('chain', tmp_path, shards_dir, **bindings)))
  assert not list(tmp_path.iterdir())


def test_what_is_planned_is_what_comes(chain, shards_dir, tmp_path):
  planned = train.check(runs_of(flags('chain', tmp_path, shards_dir)))
  for name, checked in zip(STEPS, planned, strict=True):
    record = records.read_run_record(chain / name)
    assert initial.of_record(checked.record) == initial.of_record(record)


def test_the_mixture_of_a_chain_is_shown_before_it(
  shards_dir, tmp_path, capsys
):
  assert main.main(['mixture', *flags('chain', tmp_path, shards_dir)]) == 0
  shown = ' '.join(capsys.readouterr().out.split())
  planned = train.check(runs_of(flags('chain', tmp_path, shards_dir)))
  last = planned[-1].record
  before = sum(last.inherited_tokens.values())
  after = before + sum(last.planned_tokens.values())
  assert (
    f'The parameters have seen {before:,} tokens, and {after:,} at the end.'
    in shown
  )
  epochs = planned[-1].schedule.epochs()['code/web']
  assert epochs > 1
  assert f' {epochs:.3f} ' in shown
  drawn = last.inherited_sequences['code/web']
  assert f'code/web {drawn:,}' in shown
  # On one run, what lies on disk is read.
  assert main.main(['mixture', *flags('continue', tmp_path, shards_dir)]) == 2
  assert 'holds no run' in capsys.readouterr().err


def test_a_branch_of_a_trunk_by_their_gin_files(shards_dir, tmp_path, capsys):
  tokens = LENGTH * BATCH
  common = [
    '--gin_file=mixtures/python_only.gin',
    f'--gin.SHARDS_DIR={str(shards_dir)!r}',
    '--gin.MODEL=@ModelShape()',
    *(f'--gin.ModelShape.{key}={value}' for key, value in _MODEL.items()),
    f'--gin.SEQUENCE_LENGTH={LENGTH}',
    f'--gin.BATCH_SIZE={BATCH}',
    f'--gin.WARMUP_TOKENS={2 * tokens}',
    '--gin.PEAK_LEARNING_RATE=0.01',
    "--gin.MixtureRates.rates={'text/web': 1}",
  ]
  trunk, branch = tmp_path / 'trunk', tmp_path / 'branch'
  assert not main.main(
    [
      'train',
      '--gin_file=runs/trunk.gin',
      *common,
      f'--gin.TRAIN_TOKENS={6 * tokens}',
      f'--gin.MODEL_DIR={str(trunk)!r}',
      '--gin.BRANCH_STEPS=[4]',
    ]
  )
  of_branch = [
    '--gin_file=runs/branch.gin',
    *common,
    f'--gin.TRAIN_TOKENS={7 * tokens}',
    f'--gin.TRUNK_DIR={str(trunk)!r}',
    '--gin.BRANCH_STEP=4',
    f'--gin.TRUNK_TOKENS={4 * tokens}',
    f'--gin.COOLDOWN_TOKENS={3 * tokens}',
  ]
  capsys.readouterr()
  assert main.main(['mixture', *of_branch]) == 0
  shown = ' '.join(capsys.readouterr().out.split())
  assert 'warm-up: first 256 tokens' in shown
  assert 'The first 4 of 7 steps are those of that run;' in shown
  assert not main.main(
    ['train', *of_branch, f'--gin.MODEL_DIR={str(branch)!r}']
  )
  record = records.read_run_record(branch)
  assert (record.first_step, record.step) == (4, 7)
  assert record.realised_tokens == record.planned_tokens
  schedule = schedule_lib.from_plan(record.plan, manifest_lib.read(shards_dir))
  assert record.inherited_tokens == schedule.tokens_until(4)


def test_what_is_no_chain_is_refused():
  for runs in ([], [3], 'runs'):
    with pytest.raises(errors.UserError, match='must be a list of @NAME'):
      train.Chain(runs)
