"""Checkpoints of a run: parameters, optimizer state and the step.

The reader's state is the step alone, so nothing else is needed to go on.
Orbax writes a checkpoint to a temporary folder, in the background, and
renames it when it is whole.
"""

import logging
import os
from typing import Any

import jax

from codelaw import storage

_log = logging.getLogger(__name__)


class Checkpoints:
  """The last checkpoints of one run, in one folder.

  Args:
    folder: of the checkpoints, one subfolder per step; made when missing.
    keep: how many are kept.
  """

  def __init__(self, folder: storage.PathLike, keep: int = 2):
    # Imported here: it costs start-up time that a finished run need not pay.
    import orbax.checkpoint as ocp

    self._ocp = ocp
    self._folder = storage.path(folder)
    self._manager = ocp.CheckpointManager(
      os.path.abspath(folder) if '://' not in os.fspath(folder) else folder,
      options=ocp.CheckpointManagerOptions(max_to_keep=keep, create=True),
    )

  def save(self, step: int, state: Any) -> None:
    """Starts to save; the values are copied before this returns."""
    self._manager.save(step, args=self._ocp.args.StandardSave(state))

  def restore_last(self, like: Any) -> tuple[int, Any] | None:
    """The last readable checkpoint, or None when there is none.

    A damaged checkpoint is deleted, with a warning, and the one before it is
    taken: the run then repeats the updates in between and gets the same.

    Args:
      like: arrays with the structure, shapes and dtypes to restore.

    Returns:
      (step, state).
    """
    abstract = jax.tree.map(self._ocp.utils.to_shape_dtype_struct, like)
    for step in sorted(self._manager.all_steps(), reverse=True):
      try:
        return step, self._manager.restore(
          step, args=self._ocp.args.StandardRestore(abstract)
        )
      # Orbax raises whatever its storage layers raise for a damaged file.
      except Exception as error:
        _log.warning(
          'Checkpoint %s cannot be read (%s); it is deleted and the one before'
          ' it is used.',
          os.fspath(self._folder / str(step)),
          str(error).splitlines()[0] if str(error) else type(error).__name__,
        )
        self._manager.delete(step)
    return None

  def close(self) -> None:
    """Waits until every started save is on disk."""
    self._manager.wait_until_finished()
    self._manager.close()
