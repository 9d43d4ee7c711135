"""The cache of what was read of event files, so that only new events are read.

One file for any number of runs: a line that names the format, a checksum of
all that follows, a header in JSON, then the columns of all series, one after
the other. A cache is never trusted: one that is damaged, of another version
or for another selection of tags is rebuilt, and the table does not depend on
whether there was one.
"""

from collections.abc import Mapping
import dataclasses
import hashlib
import json
import os
import struct
from typing import Any

import numpy as np

from codelaw import storage
from codelaw.runs import event_payloads
from codelaw.runs import events

_FORMAT = b'codelaw event cache 1\n'
_DIGEST_SIZE = hashlib.sha256().digest_size
_SIZE = struct.Struct('<Q')
_DTYPES = {
  'steps': '<i8',
  'times': '<f8',
  'values': '<f8',
  'records': '<i8',
}


def read(
  path: storage.PathLike, selection: events.Selection, report: events.Report
) -> dict[str, events.FileEvents]:
  """What a cache knows: path of an event file -> what was read of it.

  Args:
    path: of the cache; one that is missing knows nothing.
    selection: of tags that is wanted.
    report: called with one sentence when the cache cannot be used.
  """
  file = storage.path(path)
  if not file.exists():
    return {}
  try:
    content = file.read_bytes()
    start = len(_FORMAT) + _DIGEST_SIZE
    if not content.startswith(_FORMAT):
      raise ValueError('it has another format')
    body = memoryview(content)[start:]
    if hashlib.sha256(body).digest() != content[len(_FORMAT) : start]:
      raise ValueError('it is damaged')
    (size,) = _SIZE.unpack_from(body)
    header = json.loads(bytes(body[_SIZE.size : _SIZE.size + size]))
    if header['selection'] != dataclasses.asdict(selection):
      raise ValueError('it holds other tags')
    return _files(header, body[_SIZE.size + size :])
  except (OSError, ValueError, KeyError, TypeError, struct.error) as error:
    report(
      f'The cache {os.fspath(path)} is not used and is written anew: {error}.'
    )
    return {}


def write(
  path: storage.PathLike,
  selection: events.Selection,
  files: Mapping[str, events.FileEvents],
) -> None:
  """Writes a cache, whole or not at all.

  Raises:
    UserError: when the file system refuses it.
  """
  entries: list[dict[str, Any]] = []
  columns: dict[str, list[np.ndarray]] = {name: [] for name in _DTYPES}
  for name in sorted(files):
    one = files[name]
    entries.append(
      {
        'path': name,
        'size': one.size,
        'changed': one.changed,
        'offset': one.offset,
        'num_records': one.num_records,
        'head': one.head.hex(),
        'tail': one.tail.hex(),
        'restarts': [dataclasses.astuple(r) for r in one.restarts],
        'texts': dict(one.texts),
        'tags': {tag: len(p.steps) for tag, p in one.points.items()},
      }
    )
    for points in one.points.values():
      for column, parts in columns.items():
        parts.append(getattr(points, column))
  header = json.dumps(
    {'selection': dataclasses.asdict(selection), 'files': entries}
  ).encode('utf-8')
  body = b''.join(
    (
      _SIZE.pack(len(header)),
      header,
      *(
        part.astype(_DTYPES[column]).tobytes()
        for column, parts in columns.items()
        for part in parts
      ),
    )
  )
  digest = hashlib.sha256(body).digest()
  storage.write_bytes(path, _FORMAT + digest + body)


def _files(
  header: Mapping[str, Any], body: memoryview
) -> dict[str, events.FileEvents]:
  total = sum(sum(file['tags'].values()) for file in header['files'])
  columns = {}
  for name, dtype in _DTYPES.items():
    size = total * np.dtype(dtype).itemsize
    columns[name] = np.frombuffer(body[:size], dtype)
    body = body[size:]
  found, at = {}, 0
  for file in header['files']:
    points = {}
    for tag, number in file['tags'].items():
      points[tag] = event_payloads.Points(
        **{name: column[at : at + number] for name, column in columns.items()}
      )
      at += number
    found[file['path']] = events.FileEvents(
      size=file['size'],
      changed=file['changed'],
      offset=file['offset'],
      num_records=file['num_records'],
      head=bytes.fromhex(file['head']),
      tail=bytes.fromhex(file['tail']),
      restarts=tuple(
        event_payloads.Restart(*restart) for restart in file['restarts']
      ),
      texts=file['texts'],
      points=points,
    )
  return found
