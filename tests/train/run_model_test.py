"""Models of run directories, as checkpoints hold them."""

import dataclasses

import jax
import numpy as np
import pytest

from codelaw import errors
from codelaw import execution
from codelaw import records
from codelaw.train import checkpoint
from codelaw.train import mesh as mesh_lib
from codelaw.train import run_model
from codelaw.train import step as step_lib
from tests.interop import models_to_export


@pytest.fixture
def run(tmp_path):
  """A run with checkpoints at steps 6 and 12; that of step 12 is `params`."""
  shape = models_to_export.shape('sequential_grouped')
  model = models_to_export.model(shape, tmp_path / 'shards')
  mesh = mesh_lib.make(execution.MeshShape())
  state = step_lib.init_state(shape, model.record.plan.optimizer, 0, mesh)
  folder = tmp_path / 'run'
  saved = checkpoint.Checkpoints(folder / 'checkpoints')
  saved.save(6, state)
  saved.save(12, state._replace(params=model.params))
  saved.close()
  records.write_run_record(folder, model.record)
  return folder, model, state.params


def equal(ours, theirs):
  jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def test_the_last_checkpoint_or_a_given_one(run):
  folder, model, first = run
  last = run_model.read(folder)
  assert (last.step, last.record) == (12, model.record)
  equal(last.params, model.params)
  earlier = run_model.read(folder, 6)
  assert earlier.step == 6
  equal(earlier.params, first)


def test_what_is_not_there_is_said(run, tmp_path):
  folder, model, _ = run
  with pytest.raises(errors.UserError, match='step 7 .*6, 12'):
    run_model.read(folder, 7)
  with pytest.raises(errors.UserError, match='run.json'):
    run_model.read(tmp_path / 'nothing')
  records.write_run_record(tmp_path / 'planned', model.record)
  with pytest.raises(errors.UserError, match='has no checkpoint'):
    run_model.read(tmp_path / 'planned')


def test_a_written_model_is_a_run_to_start_from(run, tmp_path):
  _, model, _ = run
  folder = tmp_path / 'imported'
  run_model.write(folder, dataclasses.replace(model, step=5))
  again = run_model.read(folder)
  assert (again.step, again.record) == (5, model.record)
  equal(again.params, model.params)
  with pytest.raises(errors.UserError, match='holds a run'):
    run_model.write(folder, model)
