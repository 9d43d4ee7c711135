"""TensorBoard events of a run: `train/` and `eval/` below its folder.

The tags are a contract with `codelaw.runs`, which builds run tables from
them. The step of an event is the number of updates done. Every start of a run
writes files of its own; where it repeats updates that an earlier, killed
process had logged, it gets the same numbers, TensorBoard is told to forget
the old ones, and other readers keep the last value of a step.
"""

from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import os
import time
from typing import Any

from tensorboardX import event_file_writer
from tensorboardX import record_writer
from tensorboardX import summary as tbx_summary
from tensorboardX.proto import event_pb2
from tensorboardX.proto import summary_pb2

from codelaw import errors
from codelaw import storage
from codelaw.train import evaluate

_HPARAMS_METRICS = (
  'eval/macro/loss_nats_per_token',
  'eval/macro/bits_per_byte',
)


class RunEvents:
  """Writers of one run; only what `flush` has seen is sure to be on disk.

  They use tensorboardX's file writer itself: the queue it usually puts in
  front is not emptied by a flush, so a checkpoint could be ahead of events.

  Args:
    model_dir: of the run.
    start_step: updates done before this process.
    writes: whether this process writes; of several only the first does.
  """

  def __init__(
    self, model_dir: storage.PathLike, start_step: int, writes: bool = True
  ):
    self._model_dir = storage.path(model_dir)
    self._writers = {}
    for name in ('train', 'eval') if writes else ():
      folder = os.fspath(self._model_dir / name)
      with self._explained():
        record_writer.directory_check(folder)
        self._writers[name] = event_file_writer.EventsWriter(
          os.path.join(folder, 'events'),
          # Without it, two starts in one second share a name.
          filename_suffix=f'.{time.time_ns()}',
        )
      # At step 0, too: a process may have been killed before a checkpoint.
      forget = event_pb2.SessionLog(
        status=event_pb2.SessionLog.SessionStatus.Value('START')
      )
      self._write(name, start_step + 1, session_log=forget)

  def start(
    self,
    operative_config: str,
    hparams: Mapping[str, str | int | float],
  ) -> None:
    """Writes the gin text, and the run's row of the HParams tab."""
    text = f'```\n{operative_config}\n```'
    self._write('train', 0, summary=tbx_summary.text('operative_config', text))
    experiment, session, _ = tbx_summary.hparams(
      dict(hparams), dict.fromkeys(_HPARAMS_METRICS)
    )
    self._write('eval', 0, summary=experiment)
    self._write('eval', 0, summary=session)

  def write(self, name: str, step: int, scalars: Mapping[str, float]) -> None:
    """Writes scalars to `train` or `eval`, as one event."""
    values = [
      summary_pb2.Summary.Value(tag=tag, simple_value=value)
      for tag, value in scalars.items()
    ]
    self._write(name, step, summary=summary_pb2.Summary(value=values))

  def flush(self) -> None:
    """Returns when everything written so far is in the files.

    Raises:
      UserError: when the disk is full or broken.
    """
    with self._explained():
      for writer in self._writers.values():
        writer.flush()

  def close(self) -> None:
    """Flushes and closes the files."""
    with self._explained():
      while self._writers:
        self._writers.popitem()[1].close()

  def _write(self, name: str, step: int, **content: Any) -> None:
    if name not in self._writers:
      return
    with self._explained():
      self._writers[name].write_event(
        event_pb2.Event(wall_time=time.time(), step=step, **content)
      )

  @contextlib.contextmanager
  def _explained(self) -> Iterator[None]:
    try:
      yield
    except OSError as error:
      raise errors.UserError(
        f'Cannot write events to {os.fspath(self._model_dir)}:'
        f' {error.strerror or error}. Free space or mend the disk and start the'
        ' run again: it goes on from its last checkpoint.'
      ) from error


def token_scalars(tokens: Mapping[str, int]) -> dict[str, float]:
  """`tokens/total` and `tokens/<source>`: trained on so far."""
  scalars = {f'tokens/{source}': n for source, n in tokens.items()}
  return {'tokens/total': sum(tokens.values()), **scalars}


def evaluation_scalars(
  losses: Mapping[str, evaluate.HeldOutLoss],
) -> dict[str, float]:
  """`eval/<source>/...` of every source, and `eval/macro/...`.

  Bits per byte are left out where the bytes are not known.
  """
  scalars = {}
  for source, loss in {**losses, 'macro': evaluate.macro(losses)}.items():
    scalars[f'eval/{source}/loss_nats_per_token'] = loss.loss_nats_per_token
    if loss.bits_per_byte is not None:
      scalars[f'eval/{source}/bits_per_byte'] = loss.bits_per_byte
  return scalars
