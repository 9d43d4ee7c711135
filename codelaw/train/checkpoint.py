"""Checkpoints of a run: parameters, optimizer state and the step.

The reader's state is the step alone, so nothing else is needed to go on.
Orbax writes a checkpoint to a temporary folder, in the background, and
renames it when it is whole.
"""

from collections.abc import Sequence
import logging
import os
import time
from typing import Any

import jax

from codelaw import errors
from codelaw import storage

_log = logging.getLogger(__name__)
_SHOWN_CHARACTERS = 120  # of an error of Orbax


class Checkpoints:
  """The last checkpoints of one run, in one folder.

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
    import orbax.checkpoint as ocp

    self._ocp = ocp
    self._folder = storage.path(folder)
    self._manager = ocp.CheckpointManager(
      os.path.abspath(folder) if '://' not in os.fspath(folder) else folder,
      options=ocp.CheckpointManagerOptions(
        preservation_policy=ocp.checkpoint_managers.AnyPreservationPolicy(
          [
            ocp.checkpoint_managers.LatestN(keep),
            ocp.checkpoint_managers.CustomSteps(set(keep_steps)),
          ]
        ),
        create=True,
      ),
    )

  def save(self, step: int, state: Any) -> None:
    """Starts to save; the values are copied before this returns."""
    self._manager.save(step, args=self._ocp.args.StandardSave(state))

  def restore_last(self, like: Any) -> tuple[int, Any] | None:
    """The last readable checkpoint, or None when there is none at all.

    Where a later one is damaged, it is moved aside with a warning, and the
    run repeats the updates in between, with the same result.

    Args:
      like: arrays with the structure, shapes and dtypes to restore.

    Returns:
      (step, state).

    Raises:
      UserError: when there are checkpoints and none can be read.
    """
    abstract = jax.tree.map(self._ocp.utils.to_shape_dtype_struct, like)
    unreadable: dict[int, str] = {}
    for step in sorted(self._manager.all_steps(), reverse=True):
      try:
        state = self._manager.restore(
          step, args=self._ocp.args.StandardRestore(abstract)
        )
      # Orbax passes on whatever its storage layers raise.
      except Exception as error:
        unreadable[step] = str(error)[:_SHOWN_CHARACTERS]
        continue
      for damaged, reason in unreadable.items():
        self._move_aside(damaged, reason)
      return step, state
    if unreadable:
      raise errors.UserError(
        f'No checkpoint in {os.fspath(self._folder)} can be read (step'
        f' {max(unreadable)}: {unreadable[max(unreadable)]}); restore one, or'
        ' delete the folder of the run to start it again.'
      )
    return None

  def _move_aside(self, step: int, reason: str) -> None:
    aside = self._folder.parent / f'{self._folder.name}_damaged'
    aside.mkdir(parents=True, exist_ok=True)
    place = aside / f'{step}-{time.time_ns()}'
    (self._folder / str(step)).rename(place)
    self._manager.reload()
    _log.warning(
      'The checkpoint of step %d cannot be read (%s); it was moved to %s, and'
      ' the one before it is used.',
      step,
      reason,
      os.fspath(place),
    )

  def close(self) -> None:
    """Waits until every started save is on disk."""
    self._manager.wait_until_finished()
    self._manager.close()


def steps(folder: storage.PathLike) -> tuple[int, ...]:
  """Steps of the finished checkpoints in a folder, ascending."""
  import orbax.checkpoint as ocp

  if not storage.path(folder).exists():
    return ()
  return tuple(sorted(ocp.utils.checkpoint_steps(storage.path(folder))))


def restore(folder: storage.PathLike, step: int, abstract: Any) -> Any:
  """The checkpoint of one step, which stays as it is.

  Args:
    folder: of the checkpoints.
    step: of the one to read.
    abstract: shapes, dtypes and shardings of what it holds.

  Raises:
    UserError: when it is not there or cannot be read.
  """
  import orbax.checkpoint as ocp

  with ocp.StandardCheckpointer() as checkpointer:
    place = storage.path(folder) / str(step) / 'default'
    return checkpointer.restore(os.path.abspath(place), abstract)
