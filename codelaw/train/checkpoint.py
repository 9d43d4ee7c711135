"""Checkpoints of a run: parameters, optimizer state and the step.

The reader's state is the step alone, so nothing else is needed to go on.
Orbax writes a checkpoint to a temporary folder, in the background, and
renames it when it is whole. What disks do to it afterwards is found out by
checksums, because the arrays in it have none:

  checksum of an array: sum over its values, in row-major order, of the bits
    of value i times 2 i + 1, modulo 2^32. A sum of whole numbers is the same
    on any mesh, and every change of one value changes it.

All functions here are collective where there are several processes: each
calls them in the same order, and all agree on what can be read.
"""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import logging
import os
import time
from typing import Any

from etils import epath
import jax
from jax.experimental import multihost_utils
import jax.numpy as jnp
import numpy as np

from codelaw import errors
from codelaw import storage

_log = logging.getLogger(__name__)
_SHOWN_CHARACTERS = 120  # of an error of Orbax
_ITEM = 'default'  # the folder that Orbax gives the one tree it saves
_METADATA = '_CHECKPOINT_METADATA'


class DamagedError(errors.UserError):
  """A checkpoint is there and cannot be read, or is not what was saved."""


def steps(folder: storage.PathLike) -> tuple[int, ...]:
  """The steps with a checkpoint, rising; none where there is no folder.

  One that is being written, or that a killed process was writing, has another
  name and is not among them.
  """
  place = storage.path(folder)
  if not place.is_dir():
    return ()
  names = (file.name for file in place.iterdir())
  return tuple(sorted(int(name) for name in names if name.isdecimal()))


def restore(folder: storage.PathLike, step: int, like: Any) -> Any:
  """The state that was saved at one step.

  Args:
    folder: of the checkpoints.
    step: one of `steps(folder)`.
    like: arrays or `jax.ShapeDtypeStruct` with the structure, shapes, dtypes
      and shardings to restore, on any mesh; without a sharding, an array
      comes on the first device.

  Raises:
    UserError: when there is none at that step, or it is damaged.
  """
  _require_step(folder, step)
  try:
    return _restore(folder, step, like, partial=False)
  except DamagedError as error:
    raise errors.UserError(
      f'The checkpoint of step {step} in {os.fspath(folder)} cannot be read:'
      f' {error}; choose another step of {_named(steps(folder))}.'
    ) from error


def restore_params(folder: storage.PathLike, step: int, like: Any) -> Any:
  """The parameters alone of a saved `TrainState`.

  Args:
    folder: of the checkpoints.
    step: one of `steps(folder)`.
    like: as in `restore`, of the parameters.

  Raises:
    UserError: when there is none at that step, or it is damaged.
  """
  _require_step(folder, step)
  try:
    return _restore(folder, step, {'params': like}, partial=True)['params']
  except DamagedError as error:
    raise errors.UserError(
      f'The parameters of step {step} in {os.fspath(folder)} cannot be read:'
      f' {error}; choose another step of {_named(steps(folder))}.'
    ) from error


class Checkpoints:
  """The checkpoints of one run, in one folder, as it writes them.

  Args:
    folder: of the checkpoints, one subfolder per step; made when missing.
    keep: how many of the latest are kept.
    keep_steps: what is kept besides.
  """

  def __init__(
    self,
    folder: storage.PathLike,
    keep: int = 2,
    keep_steps: Sequence[int] = (),
  ):
    # Imported here: it costs start-up time that a finished run need not pay.
    from orbax import checkpoint as ocp

    self._ocp = ocp
    self._folder = storage.path(folder)
    policies = ocp.checkpoint_managers
    self._manager = ocp.CheckpointManager(
      _absolute(folder),
      options=ocp.CheckpointManagerOptions(
        preservation_policy=policies.AnyPreservationPolicy(
          [policies.LatestN(keep), policies.CustomSteps(set(keep_steps))]
        ),
        create=True,
        cleanup_tmp_directories=True,  # of a process that was killed
      ),
    )

  def save(
    self, step: int, state: Any, notes: Mapping[str, Any] | None = None
  ) -> None:
    """Starts to save; the values are copied before this returns.

    Args:
      step: updates done.
      state: any tree of arrays.
      notes: plain values to keep with it.

    Raises:
      UserError: when this or the save before cannot be written.
    """
    with self._explained():
      self._manager.save(
        step,
        args=self._ocp.args.PyTreeSave(state),
        custom_metadata={'checksums': checksums(state), 'notes': notes or {}},
      )

  def notes(self, step: int) -> dict[str, Any]:
    """What `save` was given beside the state."""
    return _metadata(self._folder, step)['notes']

  def restore_last(self, like: Any) -> tuple[int, Any] | None:
    """The last readable checkpoint, or None when there is none at all.

    Where a later one is damaged, it is moved aside with a warning, and the
    run repeats the updates in between, with the same result.

    Args:
      like: as in `restore`.

    Returns:
      (step, state).

    Raises:
      UserError: when there are checkpoints and none can be read.
    """
    damaged: dict[int, str] = {}
    for step in reversed(_agreed_steps(self._folder)):
      try:
        state = _restore(self._folder, step, like, partial=False)
      except DamagedError as error:
        damaged[step] = str(error)
        continue
      for later, reason in damaged.items():
        self._move_aside(later, reason)
      return step, state
    if damaged:
      raise errors.UserError(
        f'No checkpoint in {os.fspath(self._folder)} can be read (step'
        f' {max(damaged)}: {damaged[max(damaged)]}); restore one, or'
        ' delete the folder of the run to start it again.'
      )
    return None

  def _move_aside(self, step: int, reason: str) -> None:
    aside = self._folder.parent / f'{self._folder.name}_damaged'
    place = aside / f'{step}-{time.time_ns()}'
    if jax.process_index() == 0:
      aside.mkdir(parents=True, exist_ok=True)
      (self._folder / str(step)).rename(place)
      _log.warning(
        'The checkpoint of step %d cannot be read (%s); it was moved to %s,'
        ' and the one before it is used.',
        step,
        reason,
        os.fspath(place),
      )
    multihost_utils.sync_global_devices(f'checkpoint {step} moved aside')
    self._manager.reload()

  def close(self) -> None:
    """Waits until every started save is on disk; may be called again.

    Raises:
      UserError: when one cannot be written.
    """
    with self._explained():
      self._manager.wait_until_finished()
      self._manager.close()

  @contextlib.contextmanager
  def _explained(self) -> Iterator[None]:
    try:
      yield
    # Orbax passes on whatever its storage layers raise.
    except Exception as error:
      raise errors.UserError(
        f'Cannot write a checkpoint to {os.fspath(self._folder)}:'
        f' {_shown(error)}; those before are whole. Free space or mend the disk'
        ' and start the run again: it goes on from the last of them.'
      ) from error


def checksums(state: Any) -> dict[str, int]:
  """Name -> checksum, see above, of every array of a tree."""
  leaves = jax.tree_util.tree_leaves_with_path(state)
  names = [
    jax.tree_util.keystr(path, simple=True, separator='/') for path, _ in leaves
  ]
  values = np.asarray(_checksums([leaf for _, leaf in leaves]))
  return dict(zip(names, values.tolist(), strict=True))


@jax.jit
def _checksums(arrays: Sequence[Any]) -> jax.Array:
  return jnp.stack([_checksum(jnp.asarray(array)) for array in arrays])


def _checksum(array: jax.Array) -> jax.Array:
  kind = jnp.dtype(f'uint{8 * array.dtype.itemsize}')
  bits = jax.lax.bitcast_convert_type(array, kind).astype(jnp.uint32)
  place, stride = jnp.uint32(0), 1
  for axis in reversed(range(bits.ndim)):
    index = jax.lax.broadcasted_iota(jnp.uint32, bits.shape, axis)
    place += index * np.uint32(stride % 2**32)
    stride *= bits.shape[axis]
  return jnp.sum(bits * (2 * place + 1), dtype=jnp.uint32)


def _restore(
  folder: storage.PathLike, step: int, like: Any, partial: bool
) -> Any:
  """Reads one checkpoint and compares it with its checksums.

  Orbax's own manager is not asked: a process that fails to read would leave
  the others waiting for it.

  Raises:
    DamagedError: on every process, when any of them cannot read it.
  """
  from orbax import checkpoint as ocp

  here = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
  abstract = jax.tree.map(
    lambda x: jax.ShapeDtypeStruct(
      x.shape, x.dtype, sharding=x.sharding or here
    ),
    like,
  )
  reason, state, expected = '', None, {}
  try:
    expected = _metadata(folder, step)['checksums']
    state = ocp.PyTreeCheckpointHandler().restore(
      storage.path(_absolute(folder)) / str(step) / _ITEM,
      args=ocp.args.PyTreeRestore(
        item=abstract,
        restore_args=ocp.checkpoint_utils.construct_restore_args(abstract),
        partial_restore=partial,
      ),
    )
  # Orbax passes on whatever its storage layers raise.
  except Exception as error:
    reason = _shown(error)
  if not _agreed(not reason):
    raise DamagedError(reason or 'another process cannot read it')
  bad = [k for k, v in checksums(state).items() if expected.get(k) != v]
  if bad:
    raise DamagedError(f'{bad[0]} is not what was saved')
  return state


def _shown(error: Exception) -> str:
  return f'{type(error).__name__}: {error}'[:_SHOWN_CHARACTERS]


def _metadata(folder: storage.PathLike, step: int) -> dict[str, Any]:
  """What `save` wrote beside the arrays: `checksums` and `notes`."""
  file = storage.path(_absolute(folder)) / str(step) / _METADATA
  return storage.read_json(file)['custom_metadata']


def _absolute(folder: storage.PathLike) -> epath.Path:
  path = os.fspath(folder)
  return epath.Path(path if '://' in path else os.path.abspath(path))


def _require_step(folder: storage.PathLike, step: int) -> None:
  there = _agreed_steps(folder)
  if step not in there:
    raise errors.UserError(
      f'Expected a checkpoint of step {step} in {os.fspath(folder)}, found'
      f' {_named(there)}.'
    )


def _named(there: Sequence[int]) -> str:
  return f'those of steps {", ".join(map(str, there))}' if there else 'none'


def _agreed(good: bool) -> bool:
  """Whether it is so on every process."""
  return bool(np.all(multihost_utils.process_allgather(np.array(good))))


def _agreed_steps(folder: storage.PathLike) -> tuple[int, ...]:
  """The steps that process 0 sees."""
  mine = steps(folder)
  if jax.process_count() == 1:
    return mine
  number = int(multihost_utils.broadcast_one_to_all(np.int32(len(mine))))
  padded = np.resize(np.array(mine or (0,), np.int32), number)
  return tuple(map(int, multihost_utils.broadcast_one_to_all(padded)))
