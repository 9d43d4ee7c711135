"""Scores as TensorBoard events: `eval_downstream/` below a run's folder.

Tags are `eval_downstream/<task>/<metric>`. The files of scores are the truth
and the events a picture of them: whenever scores change, one new file of all of
them, by rising step, replaces the older ones. So a step that is evaluated again
has one point, and steps may be evaluated in any order. A TensorBoard that is
looking meanwhile is told to forget what it had read.
"""

import os
import pathlib
import tempfile
import time

from tensorboardX import event_file_writer
from tensorboardX.proto import event_pb2
from tensorboardX.proto import summary_pb2

from codelaw import scores
from codelaw import storage

FOLDER = 'eval_downstream'


def write(model_dir: storage.PathLike) -> None:
  """Writes the events of all scores of a run, instead of those before.

  Raises:
    UserError: when they cannot be written.
  """
  found = scores.read(model_dir)
  folder = storage.path(model_dir) / FOLDER
  before = list(folder.iterdir()) if folder.is_dir() else []
  with tempfile.TemporaryDirectory() as scratch:
    writer = event_file_writer.EventsWriter(
      os.path.join(scratch, 'events'),
      # Later files have later names, also within a second.
      filename_suffix=f'.{time.time_ns()}',
    )
    forget = event_pb2.SessionLog(
      status=event_pb2.SessionLog.SessionStatus.Value('START')
    )
    writer.write_event(
      event_pb2.Event(wall_time=time.time(), step=0, session_log=forget)
    )
    for step, of_step in found.items():
      values = [
        summary_pb2.Summary.Value(
          tag=f'{FOLDER}/{score.name}', simple_value=score.value
        )
        for score in of_step
      ]
      summary = summary_pb2.Summary(value=values)
      writer.write_event(
        event_pb2.Event(wall_time=time.time(), step=step, summary=summary)
      )
    writer.close()
    (file,) = pathlib.Path(scratch).iterdir()
    storage.write_bytes(folder / file.name, file.read_bytes())
  for old in before:
    if 'tfevents' in old.name:
      old.unlink(missing_ok=True)
