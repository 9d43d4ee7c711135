import contextlib
import gc
import logging
import resource
import shutil
import threading
import time
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from codelaw import errors
from codelaw.train import checkpoint


class State(NamedTuple):
  params: Any
  optimizer_state: Any


STATE = State(
  {'weights': jax.random.normal(jax.random.key(0), (40, 50)), 'scale': 2.0},
  (jnp.arange(6, dtype=jnp.bfloat16), None, jnp.array(3)),
)


def _state(step):
  return jax.tree.map(lambda x: jnp.asarray(x + step), STATE)


def _save(folder, steps, keep=2, keep_steps=()):
  checkpoints = checkpoint.Checkpoints(folder, keep, keep_steps)
  for step in steps:
    checkpoints.save(step, _state(step), {'seconds': step / 2})
  checkpoints.close()


def _restore(folder):
  checkpoints = checkpoint.Checkpoints(folder)
  restored = checkpoints.restore_last(_state(0))
  checkpoints.close()
  return restored


def _assert_equal(ours, theirs):
  assert jax.tree.structure(ours) == jax.tree.structure(theirs)
  for x, y in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
    assert x.dtype == y.dtype
    np.testing.assert_array_equal(x, y)


def test_nothing_to_restore(tmp_path):
  assert checkpoint.steps(tmp_path / 'none') == ()
  assert _restore(tmp_path) is None
  with pytest.raises(errors.UserError, match='step 1 in .*, found none'):
    checkpoint.restore(tmp_path, 1, _state(0))


def test_the_last_one_is_restored_exactly(tmp_path):
  _save(tmp_path, [1, 2])
  step, state = _restore(tmp_path)
  assert step == 2
  _assert_equal(state, _state(2))
  checkpoints = checkpoint.Checkpoints(tmp_path)
  assert checkpoints.notes(2) == {'seconds': 1.0}
  checkpoints.close()


def test_the_latest_and_chosen_ones_are_kept(tmp_path):
  _save(tmp_path, [1, 2, 3, 4, 5], keep=1, keep_steps=(2, 3))
  assert checkpoint.steps(tmp_path) == (2, 3, 5)
  _save(tmp_path, [6], keep=2)  # a later start may keep others
  assert checkpoint.steps(tmp_path) == (5, 6)


def test_one_step_or_its_parameters_are_restored(tmp_path):
  _save(tmp_path, [9, 10])
  abstract = jax.eval_shape(lambda: _state(0))
  _assert_equal(checkpoint.restore(tmp_path, 9, abstract), _state(9))
  params = checkpoint.restore_params(tmp_path, 10, abstract.params)
  _assert_equal(params, _state(10).params)
  other = {'weights': jax.ShapeDtypeStruct((40, 51), jnp.float32)}
  with pytest.raises(errors.UserError, match='step 9 in .* cannot be read'):
    checkpoint.restore_params(tmp_path, 9, other)


def test_checksums_tell_values_and_their_order():
  x = jnp.arange(24.0).reshape(2, 3, 4)
  seen = {
    checkpoint.checksums({'x': y})['x']
    for y in (x, x.at[1, 1, 1].add(1e-6), x[::-1], x[:, ::-1], x[..., ::-1])
  }
  assert len(seen) == 5
  # sum of bits * (2 i + 1), by hand
  bits = np.array([3.0, 5.0], np.float32).view(np.uint32).astype(object)
  assert checkpoint.checksums([jnp.array([3.0, 5.0])]) == {
    '0': (bits[0] + 3 * bits[1]) % 2**32
  }


def _largest(folder):
  files = [path for path in folder.rglob('*') if path.is_file()]
  return max(files, key=lambda path: path.stat().st_size)


def _truncate(folder):
  file = _largest(folder)
  file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _flip(folder):
  file = _largest(folder)
  content = bytearray(file.read_bytes())
  content[len(content) // 2] ^= 4
  file.write_bytes(content)


def _empty(folder):
  shutil.rmtree(folder)
  folder.mkdir()


def _replace(folder, name, content):
  (folder / name).write_bytes(content)


DAMAGES = {
  'truncated': _truncate,
  'one bit flipped': _flip,
  'file deleted': lambda folder: _largest(folder).unlink(),
  'no arrays': lambda folder: shutil.rmtree(folder / 'default'),
  'empty folder': _empty,
  'step metadata': lambda f: _replace(f, '_CHECKPOINT_METADATA', b'\x00{'),
  'no checksums': lambda f: _replace(f, '_CHECKPOINT_METADATA', b'{}'),
  'tree metadata': lambda f: _replace(f, 'default/_METADATA', b'garbage'),
  'manifest': lambda f: _replace(f, 'default/manifest.ocdbt', b''),
}


@pytest.fixture
def collected():
  """Collects what a test leaves, while its filter of warnings holds."""
  yield
  gc.collect()


# TensorStore reports a read that failed a second time when it is collected.
damages = pytest.mark.filterwarnings(
  'ignore::pytest.PytestUnraisableExceptionWarning'
)


@damages
@pytest.mark.usefixtures('collected')
@pytest.mark.parametrize('kind', DAMAGES)
def test_a_damaged_one_gives_way_to_the_one_before(tmp_path, caplog, kind):
  folder = tmp_path / 'checkpoints'
  _save(folder, [1, 2])
  DAMAGES[kind](folder / '2')
  with pytest.raises(errors.UserError, match='step 2 in .* cannot be read'):
    checkpoint.restore(folder, 2, _state(0))
  with caplog.at_level(logging.WARNING, logger='codelaw'):
    step, state = _restore(folder)
  assert step == 1
  _assert_equal(state, _state(1))
  assert 'The checkpoint of step 2 cannot be read' in caplog.text
  assert len(list((tmp_path / 'checkpoints_damaged').iterdir())) == 1
  _save(folder, [2])  # its place is free again
  assert _restore(folder)[0] == 2


@damages
@pytest.mark.usefixtures('collected')
def test_when_all_are_damaged_nothing_is_touched(tmp_path):
  folder = tmp_path / 'checkpoints'
  _save(folder, [1, 2])
  for step in '12':
    _flip(folder / step)
  with pytest.raises(errors.UserError, match=r'No checkpoint in .*step 2'):
    _restore(folder)
  assert checkpoint.steps(folder) == (1, 2)


def test_the_leftover_of_a_killed_process_is_no_checkpoint(tmp_path):
  _save(tmp_path, [1, 2])
  left = tmp_path / '3.orbax-checkpoint-tmp'
  shutil.copytree(tmp_path / '2', left)
  (left / 'commit_success.txt').unlink()
  assert _restore(tmp_path)[0] == 2
  _save(tmp_path, [3])
  assert checkpoint.steps(tmp_path) == (2, 3)
  assert not left.exists()


@contextlib.contextmanager
def _full_disk(largest_file):
  """As writing to a full disk: an error at that size of a file."""
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, hard))
  try:
    yield
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _wait_for_save():
  """Threads of a save that failed go on, and may yet find room."""
  for thread in threading.enumerate():
    if thread.name == 'async_save':
      thread.join()


def _save_anew(folder, step):
  """Saves where a save has failed in this process.

  TensorStore's own threads, which nothing waits for, may still write into what
  the new save clears; a run that is started again is a process of its own.
  """
  for _ in range(100):
    try:
      _save(folder, [step])
      return
    except errors.UserError as error:
      if 'Directory not empty' not in str(error):
        raise
      time.sleep(0.1)
  pytest.fail('The threads of the failed save did not end in 10 s.')


@damages
@pytest.mark.usefixtures('collected')
@pytest.mark.filterwarnings(
  'ignore::pytest.PytestUnhandledThreadExceptionWarning'
)
@pytest.mark.parametrize('largest_file', [0, 1000, 5000])
def test_a_full_disk_leaves_those_before(tmp_path, largest_file):
  _save(tmp_path, [1, 2])
  checkpoints = checkpoint.Checkpoints(tmp_path)

  def save():
    checkpoints.save(3, _state(3))
    checkpoints.close()

  with _full_disk(largest_file):
    with pytest.raises(errors.UserError, match='Cannot write a checkpoint to'):
      save()
    _wait_for_save()
  assert checkpoint.steps(tmp_path) == (1, 2)
  _assert_equal(checkpoint.restore(tmp_path, 2, _state(0)), _state(2))
  _save_anew(tmp_path, 3)  # after room was made
  assert checkpoint.steps(tmp_path) == (2, 3)
