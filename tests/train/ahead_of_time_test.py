"""Which changes are tried, in which order, and what the compiler's words say.

Compiling itself is tested in tests/cli/compile_test.py.
"""

import dataclasses

import pytest

from codelaw import accounting
from codelaw import errors
from codelaw import execution as execution_lib
from codelaw import records
from codelaw.train import ahead_of_time

SHAPE = accounting.ModelShape(
  vocab_size=512,
  width=256,
  num_layers=2,
  num_heads=4,
  head_dim=64,
  mlp_width=512,
)
PLAN = records.RunPlan(
  model=SHAPE,
  schedule=records.Schedule(
    (records.Stage('main', records.MixtureRates({'code/python': 1})),)
  ),
  optimizer=records.OptimizerSettings(peak_learning_rate=0.01),
  shards_dir='none',
  num_tokens=10**6,
  sequence_length=128,
  batch_size=64,
)


def words(plan, execution, topology):
  return [w for w, _, _ in ahead_of_time.changes(plan, execution, topology)]


def test_changes_come_nearest_first():
  found = words(PLAN, execution_lib.Execution(), 'v5e:4x4')
  assert found == [
    "Execution.remat = 'dots'",
    "Execution.remat = 'full'",
    "Execution.remat = 'full', Execution.microbatches = 2",
    "Execution.remat = 'full', Execution.microbatches = 4",
    "Execution.remat = 'full', MeshShape.tensor = 2",
    "Execution.remat = 'full', MeshShape.tensor = 4",
    '--topology=v5e:4x8',
    "--topology=v5e:4x8, Execution.remat = 'full'",
    '--topology=v5e:8x8',
    "--topology=v5e:8x8, Execution.remat = 'full'",
    '--topology=v5e:8x16',
    "--topology=v5e:8x16, Execution.remat = 'full'",
    '--topology=v5e:16x16',
    "--topology=v5e:16x16, Execution.remat = 'full'",
  ]


def test_a_state_that_is_too_large_needs_a_larger_slice():
  large = dataclasses.replace(SHAPE, width=8192, mlp_width=2**20)
  plan = dataclasses.replace(PLAN, model=large)
  execution = execution_lib.Execution(remat='full')
  assert words(plan, execution, 'v5e:4x4')[0] == '--topology=v5e:4x8'


def test_the_first_change_that_fits_is_taken(monkeypatch):
  tried = []

  def compile_step(plan, execution, topology):
    del plan
    tried.append((execution.remat, execution.microbatches, topology))
    if execution.remat == 'dots':
      raise errors.UserError('no')
    return dataclasses.make_dataclass('Report', ['fits'])(
      execution.microbatches == 2
    )

  monkeypatch.setattr(ahead_of_time, 'compile_step', compile_step)
  said = []
  found = ahead_of_time.nearest_fit(
    PLAN, execution_lib.Execution(), 'v5e:4x4', said.append
  )
  assert found is not None
  assert found[0] == "Execution.remat = 'full', Execution.microbatches = 2"
  assert [remat for remat, _, _ in tried] == ['dots', 'full', 'full']
  assert len(said) == 3


def test_what_the_compiler_says_of_too_much_memory():
  message = (
    'RESOURCE_EXHAUSTED: Ran out of memory in memory space hbm. Used 25.04G of'
    ' 15.75G hbm. Exceeded hbm capacity by 9.29G.\n\nTotal hbm usage >= ...'
  )
  assert ahead_of_time._used_bytes(message) == pytest.approx(25.04 * 2**30)
  assert ahead_of_time._first_sentences(message).endswith('9.29G.')
