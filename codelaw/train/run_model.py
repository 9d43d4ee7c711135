"""The model of a run directory: read for others, written for `codelaw train`.

A written run has a record and a checkpoint of parameters alone. A plan starts
from it with `InitialCheckpoint.optimizer_state = False`.
"""

import dataclasses
import os
from typing import Any

import jax

from codelaw import errors
from codelaw import execution as execution_lib
from codelaw import records
from codelaw import storage
from codelaw.data import manifest as manifest_lib
from codelaw.data import tokenizer as tokenizer_lib
from codelaw.train import checkpoint
from codelaw.train import mesh as mesh_lib
from codelaw.train import step as step_lib

_FOLDER = 'checkpoints'


@dataclasses.dataclass(frozen=True)
class Model:
  """A model and where it comes from.

  Attributes:
    params: of `transformer.Transformer(record.plan.model)`, float32.
    record: of the run that made it.
    step: updates done when its checkpoint was saved.
  """

  params: Any
  record: records.RunRecord
  step: int


def read(model_dir: storage.PathLike, step: int | None = None) -> Model:
  """The model of a run at one of its checkpoints.

  Args:
    model_dir: of the run.
    step: of the checkpoint; None takes the last.

  Raises:
    UserError: when there is no run or no such checkpoint.
  """
  record = records.read_run_record(model_dir)
  folder = storage.path(model_dir) / _FOLDER
  there = checkpoint.steps(folder)
  if not there:
    raise errors.UserError(
      f'The run in {os.fspath(model_dir)} has no checkpoint; train it first.'
    )
  step = there[-1] if step is None else step
  like = step_lib.abstract_state(
    record.plan.model,
    record.plan.optimizer,
    mesh_lib.make(execution_lib.MeshShape()),
  )

  def restore(path: Any, leaf: Any) -> Any:
    """One array alone: all at once take twice their memory to read."""
    keys = [key.key for key in path]
    for key in reversed(keys):
      leaf = {key: leaf}
    found = checkpoint.restore_params(folder, step, leaf)
    for key in keys:
      found = found[key]
    return found

  params = jax.tree_util.tree_map_with_path(restore, like.params)
  return Model(params, record, step)


def read_tokenizer(
  record: records.RunRecord, file: storage.PathLike | None = None
) -> tokenizer_lib.Tokenizer | None:
  """The tokenizer of a run; None where it is a vocabulary of SeqIO.

  Args:
    record: of the run.
    file: its `tokenizer.json`; by default the one beside its shards.

  Raises:
    UserError: when the file is gone or is another tokenizer.
  """
  place = storage.path(
    file or storage.path(record.plan.shards_dir) / manifest_lib.TOKENIZER_NAME
  )
  if not place.exists():
    raise errors.UserError(
      f'The tokenizer of {record.run_id} is not at {os.fspath(place)}; give'
      ' its tokenizer.json with --tokenizer.'
    )
  found = manifest_lib.tokenizer_fingerprint(place)
  if found != record.tokenizer_fingerprint:
    raise errors.UserError(
      f'{os.fspath(place)} is not the tokenizer that {record.run_id} was'
      f' trained with (fingerprint {found}, expected'
      f' {record.tokenizer_fingerprint}); give that one with --tokenizer.'
    )
  if tokenizer_lib.is_seqio_vocabulary(place):
    return None
  return tokenizer_lib.load(place)


def write(model_dir: storage.PathLike, model: Model) -> None:
  """Writes a model as a run that others may start from.

  Raises:
    UserError: when the folder holds a run.
  """
  target = storage.path(model_dir)
  with storage.exclusive(target):
    if (target / 'run.json').exists():
      raise errors.UserError(
        f'{os.fspath(target)} holds a run; choose another --model_dir, or'
        ' delete that folder.'
      )
    saved = checkpoint.Checkpoints(target / _FOLDER)
    saved.save(model.step, {'params': model.params})
    saved.close()
    records.write_run_record(target, model.record)
