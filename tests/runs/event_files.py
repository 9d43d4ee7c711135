"""Event files with any content, for the tests of their readers."""

import struct

from google.protobuf import text_format
import numpy as np
from tensorboard.compat.proto import event_pb2
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.util import tensor_util

from codelaw.runs import tfrecords


def record(payload):
  """A TFRecord."""
  head = struct.pack('<Q', len(payload))
  return (
    head
    + struct.pack('<I', tfrecords.masked_crc32c(head))
    + payload
    + struct.pack('<I', tfrecords.masked_crc32c(payload))
  )


def event(step, time=1.0, **values):
  """An event with simple values by name."""
  return scalars(step, values, time)


def scalars(step, values, time=1.0):
  """An event with simple values by tag."""
  found = event_pb2.Event(step=step, wall_time=time)
  for tag, value in values.items():
    found.summary.value.add(tag=tag, simple_value=value)
  return found


def tensor(step, tag, array, time=1.0):
  """An event with a tensor, as tf.summary writes it."""
  found = event_pb2.Event(step=step, wall_time=time)
  value = found.summary.value.add(
    tag=tag, tensor=tensor_util.make_tensor_proto(np.asarray(array))
  )
  value.metadata.plugin_data.plugin_name = 'scalars'
  return found


def text(tag, words):
  """An event with a text, as PyTorch writes it."""
  found = event_pb2.Event(step=0, wall_time=1.0)
  value = found.summary.value.add(tag=f'{tag}/text_summary')
  text_format.Parse(
    'dtype: DT_STRING tensor_shape { dim { size: 1 } }', value.tensor
  )
  value.tensor.string_val.append(words.encode())
  return found


def hparams(values):
  """An event with hyperparameters, as the HParams plugin has it."""
  data = plugin_data_pb2.HParamsPluginData()
  for name, value in values.items():
    data.session_start_info.hparams[name].number_value = value
  found = event_pb2.Event(step=0, wall_time=1.0)
  value = found.summary.value.add(tag='_hparams_/session_start_info')
  value.metadata.plugin_data.content = data.SerializeToString()
  return found


def start(step, time=1.0):
  """A session log START, which makes void what is before it."""
  found = event_pb2.Event(step=step, wall_time=time)
  found.session_log.status = found.session_log.START
  return found


def write(folder, events, name='1', add=False):
  """Writes an event file, or adds to it; returns its path."""
  folder.mkdir(parents=True, exist_ok=True)
  path = folder / f'events.out.tfevents.{name}'
  version = event_pb2.Event(wall_time=1.0, file_version='brain.Event:2')
  with path.open('ab' if add else 'wb') as stream:
    for one in events if add else [version, *events]:
      stream.write(record(one.SerializeToString()))
  return path
