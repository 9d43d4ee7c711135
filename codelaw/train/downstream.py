"""What a run does with its parameters between updates, beside training.

Downstream tasks lie above training, so the loop is given a function and does
not know what it computes. Before it is called, the held-out losses of the step
are logged and its checkpoint is being saved: what the function takes long for
cannot cost updates, and a run that is stopped in it goes on there.
"""

from collections.abc import Callable
import dataclasses
from typing import Any

import jax

from codelaw import execution as execution_lib
from codelaw import records
from codelaw import storage


@dataclasses.dataclass(frozen=True)
class Snapshot:
  """A run between two updates.

  Attributes:
    params: of the record's model, on `mesh`; the next update deletes them.
    step: updates done.
    record: of the run, as it was when this process began.
    model_dir: of the run, which this process holds.
    execution: how the run is computed.
    mesh: of the devices.
    say: shows what is going on.
    stop_asked: whether a signal has asked this process to stop.
  """

  params: Any
  step: int
  record: records.RunRecord
  model_dir: storage.PathLike
  execution: execution_lib.Execution
  mesh: jax.sharding.Mesh
  say: Callable[[str], None]
  stop_asked: Callable[[], bool]


@dataclasses.dataclass(frozen=True)
class Downstream:
  """A function of snapshots, and when it is called.

  Attributes:
    evaluate: must not change the arrays, must be content to be called again at
      a step, and raises KeyboardInterrupt where it was asked to stop and is not
      done. What else it raises ends the run.
    every_steps: 0 calls it only after the last update.
  """

  evaluate: Callable[[Snapshot], None]
  every_steps: int = 0

  def is_due(self, step: int, num_steps: int) -> bool:
    """Whether it is called after `step` updates."""
    return step > 0 and (
      step == num_steps
      or (self.every_steps > 0 and step % self.every_steps == 0)
    )
