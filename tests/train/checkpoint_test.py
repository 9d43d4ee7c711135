import logging
import shutil

import jax.numpy as jnp
import numpy as np
import pytest

from codelaw import errors
from codelaw.train import checkpoint

STATE = {'weights': jnp.arange(6.0).reshape(2, 3), 'count': jnp.array(3)}


def _save(folder, steps):
  checkpoints = checkpoint.Checkpoints(folder, keep=2)
  for step in steps:
    checkpoints.save(step, {k: v + step for k, v in STATE.items()})
  checkpoints.close()


def _restore(folder):
  checkpoints = checkpoint.Checkpoints(folder, keep=2)
  restored = checkpoints.restore_last(STATE)
  checkpoints.close()
  return restored


def test_nothing_to_restore(tmp_path):
  assert _restore(tmp_path) is None


def test_the_last_one_is_restored_exactly_and_old_ones_are_dropped(tmp_path):
  _save(tmp_path, [1, 2, 3])
  step, state = _restore(tmp_path)
  assert step == 3
  np.testing.assert_array_equal(state['weights'], STATE['weights'] + 3)
  assert state['count'] == 6
  assert state['count'].dtype == STATE['count'].dtype
  assert sorted(path.name for path in tmp_path.iterdir()) == ['2', '3']


# TensorStore reports a read that failed a second time when it is collected.
damages = pytest.mark.filterwarnings(
  'ignore::pytest.PytestUnraisableExceptionWarning'
)


def _damage(folder):
  shutil.rmtree(folder / 'default' / 'd')
  shutil.rmtree(folder / 'default' / 'ocdbt.process_0')


@damages
def test_a_damaged_one_gives_way_to_the_one_before(tmp_path, caplog):
  folder = tmp_path / 'checkpoints'
  _save(folder, [1, 2])
  _damage(folder / '2')
  with caplog.at_level(logging.WARNING, logger='codelaw'):
    step, state = _restore(folder)
  assert step == 1
  np.testing.assert_array_equal(state['weights'], STATE['weights'] + 1)
  assert 'The checkpoint of step 2 cannot be read' in caplog.text
  assert len(list((tmp_path / 'checkpoints_damaged').iterdir())) == 1
  _save(folder, [2])  # its place is free again
  assert _restore(folder)[0] == 2


@damages
def test_when_all_are_damaged_nothing_is_touched(tmp_path):
  folder = tmp_path / 'checkpoints'
  _save(folder, [1])
  _damage(folder / '1')
  with pytest.raises(errors.UserError, match='No checkpoint in'):
    _restore(folder)
  assert (folder / '1').exists()
