import dataclasses

import jax
import numpy as np
import pytest

from codelaw import accounting
from codelaw import errors
from codelaw import execution
from codelaw import records
from codelaw.data import manifest as manifest_lib
from codelaw.data import pipeline
from codelaw.train import mesh as mesh_lib
from codelaw.train import step as step_lib
from tests.interop import t5x_launch

pytestmark = [
  pytest.mark.slow,
  pytest.mark.filterwarnings('ignore'),  # of T5X and TensorFlow
]


@pytest.fixture(scope='module')
def t5x_model():
  t5x_launch.skip_without_t5x()
  from codelaw.interop import t5x_model

  return t5x_model


@pytest.fixture(scope='module')
def mesh():
  return mesh_lib.make(execution.AUTOMATIC.mesh)


def grouped_queries(family, tie):
  return accounting.ModelShape(
    vocab_size=304,
    width=16,
    num_layers=2,
    num_heads=4,
    head_dim=4,
    mlp_width=24,
    num_kv_heads=2,
    family=family,
    tie_embeddings=tie,
  )


@pytest.mark.parametrize(
  ('family', 'tie'), [('sequential', False), ('parallel', True)]
)
def test_initial_parameters_and_their_axes(
  t5x_model, make_plan, mesh, family, tie
):
  plan = make_plan(model=grouped_queries(family, tie), seed=7)
  variables = t5x_model.Model(plan).get_initial_variables(jax.random.key(0), {})
  wanted = step_lib.init_state(plan.model, plan.optimizer, plan.seed, mesh)
  params = variables['params'].unfreeze()
  jax.tree.map(np.testing.assert_array_equal, params, wanted.params)

  from flax import traverse_util
  from t5x import partitioning

  known = {name for name, _ in partitioning.standard_logical_axis_rules()}
  axes = traverse_util.flatten_dict(variables['params_axes'].unfreeze())
  for path, leaf in traverse_util.flatten_dict(params).items():
    names = axes.pop((*path[:-1], f'{path[-1]}_axes')).names
    assert len(names) == leaf.ndim
    assert set(names) <= known
  assert not axes


def test_scores_are_log_likelihoods(t5x_model, make_plan, mesh):
  plan = make_plan()
  model = t5x_model.Model(plan)
  params = model.get_initial_variables(None, {})['params']
  manifest = manifest_lib.read(plan.shards_dir)
  batch = step_lib.features(next(pipeline.train_batches(plan, manifest)))
  sums = step_lib.eval_step(plan.model, execution.AUTOMATIC, mesh)(
    params.unfreeze(), batch
  )
  # Compiled and not: the last places of float32.
  np.testing.assert_allclose(model.score_batch(params, batch), -sums, rtol=1e-5)
  with pytest.raises(errors.UserError, match='return_intermediates'):
    model.score_batch(params, batch, return_intermediates=True)
  with pytest.raises(errors.UserError, match='codelaw export'):
    model.predict_batch(params, batch)


def test_a_part_of_a_batch_is_refused(t5x_model, make_plan):
  plan = make_plan()
  model = t5x_model.Model(plan)
  half = {
    name: np.zeros((plan.batch_size // 2, plan.sequence_length), np.int32)
    for name in step_lib.FEATURES
  }
  with pytest.raises(errors.UserError, match='num_microbatches'):
    model.loss_fn({}, half, None)


@pytest.mark.parametrize(
  ('changes', 'match'),
  [
    ({'mesh': execution.MeshShape(data=1, fsdp=1)}, 'num_partitions'),
    ({'microbatches': 2}, 'Execution.microbatches'),
  ],
)
def test_what_t5x_does_in_another_way_is_refused(
  t5x_model, make_plan, changes, match
):
  how = dataclasses.replace(execution.AUTOMATIC, **changes)
  with pytest.raises(errors.UserError, match=match):
    t5x_model.Model(make_plan(), how)


def test_an_initial_checkpoint_of_codelaw_is_refused(t5x_model, make_plan):
  plan = make_plan(initial=records.InitialCheckpoint('earlier'))
  with pytest.raises(errors.UserError, match='RunPlan.initial'):
    t5x_model.Model(plan)
