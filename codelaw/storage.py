"""Files that are either whole or absent, on a local disk or in a bucket.

Every file that codelaw leaves for a later step goes through here. A writer
never shows a half-written file under its final name: local files are written
beside their destination, flushed to disk and renamed; object stores publish
an object only when its upload has ended.
"""

from collections.abc import Iterator
import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import tempfile
from typing import Any

from etils import epath

from codelaw import errors

PathLike = str | os.PathLike[str]


class InUseError(errors.UserError):
  """Another live process holds a folder."""


def path(value: PathLike) -> epath.Path:
  """Returns `value` as a path that may be local or in a bucket (gs://...)."""
  return epath.Path(value)


def is_local(value: PathLike) -> bool:
  """Whether a path is on a disk, and not in a bucket."""
  return '://' not in os.fspath(value)


def real_path(value: PathLike) -> str:
  """The one spelling of a path: absolute, without links; buckets as given."""
  return os.path.realpath(value) if is_local(value) else os.fspath(value)


def write_bytes(destination: PathLike, content: bytes) -> None:
  """Writes `content` whole or not at all; creates missing folders.

  Raises:
    UserError: when the file system refuses the file (full disk, no rights).
  """
  target = path(destination)
  try:
    target.parent.mkdir(parents=True, exist_ok=True)
    if not is_local(target):
      target.write_bytes(content)
      return
    handle, temporary = tempfile.mkstemp(
      dir=os.fspath(target.parent), prefix=f'.{target.name}.', suffix='.tmp'
    )
    try:
      with os.fdopen(handle, 'wb') as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
      os.chmod(temporary, 0o644)
      os.replace(temporary, os.fspath(target))
    except BaseException:
      with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
      raise
  except OSError as error:
    raise errors.UserError(
      f'Cannot write {os.fspath(target)}: {error.strerror or error}. Free'
      ' space or choose another folder; no partial file was left there.'
    ) from error


def write_text(destination: PathLike, content: str) -> None:
  """`write_bytes` of UTF-8 text."""
  write_bytes(destination, content.encode('utf-8'))


def write_json(destination: PathLike, content: Any) -> None:
  """`write_text` of indented JSON; refuses NaN, which JSON does not have."""
  write_text(destination, json.dumps(content, indent=2, allow_nan=False) + '\n')


def read_json(source: PathLike) -> Any:
  """Reads a JSON file.

  Raises:
    UserError: when the file is missing or is not JSON.
  """
  origin = path(source)
  try:
    return json.loads(origin.read_text())
  except FileNotFoundError as error:
    raise errors.UserError(
      f'Expected a file at {os.fspath(origin)}, found none.'
    ) from error
  except (json.JSONDecodeError, UnicodeDecodeError) as error:
    raise errors.UserError(
      f'{os.fspath(origin)} is not valid JSON ({error}); restore it or run'
      ' the step that writes it again.'
    ) from error


def fingerprint(content: Any) -> str:
  """SHA-256 (first 16 hex digits) of the canonical JSON of `content`."""
  text = json.dumps(content, sort_keys=True, separators=(',', ':'))
  return hashlib.sha256(text.encode('utf-8')).hexdigest()[:16]


@contextlib.contextmanager
def exclusive(folder: PathLike) -> Iterator[None]:
  """Holds `folder` for this process alone (an advisory lock on local disks).

  The lock ends with the process, so a killed writer never leaves it behind.
  Object stores have no such lock; there the caller's own checks must do.

  Raises:
    InUseError: when another live process holds the folder.
    UserError: when it cannot be written to.
  """
  target = path(folder)
  lock = pathlib.Path(os.fspath(target)) / '.lock'
  try:
    target.mkdir(parents=True, exist_ok=True)
    file = open(lock, 'a') if is_local(target) else None  # noqa: SIM115
  except OSError as error:
    raise errors.UserError(
      f'Cannot write to the folder {os.fspath(target)}:'
      f' {error.strerror or error}; choose another, or ask for the right to.'
    ) from error
  if file is None:
    yield
    return
  with file as stream:
    try:
      fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
      raise InUseError(
        f'{os.fspath(target)} is in use by another process; wait for it to'
        ' end, or give this one another folder.'
      ) from error
    yield
