"""Input files of readers: which there are and what is in them.

Paths are local or in a bucket (`gs://`, `s3://`, `az://`, `hf://`), and name
files, folders or globs. Files that end in .gz, .bz2, .xz or .zst are read
decompressed, as a stream. Text is UTF-8, or UTF-16 that begins with its byte
order mark; anything else, and anything with a NUL, is not text.
"""

import bz2
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import dataclasses
import glob
import gzip
import io
import lzma
import os
import posixpath
import stat
from typing import Any
from typing import BinaryIO
from typing import cast
import zlib

import pyarrow as pa

from codelaw import errors
from codelaw import storage
from codelaw.corpora import reading

COMPRESSIONS = ('.gz', '.bz2', '.xz', '.zst')
NOT_TEXT = 'not UTF-8 text'
# What reading a damaged file raises, whatever it is compressed with.
READ_ERRORS = (
  OSError,
  EOFError,
  zlib.error,
  lzma.LZMAError,
  pa.ArrowException,
)
_BLOCK_BYTES = 1 << 16
_CACHES = frozenset(('__pycache__', 'node_modules'))


class RefusedError(Exception):
  """A file or record that gives no document.

  Attributes:
    reason: in a few words.
    damaged: whether it should have been readable.
  """

  def __init__(self, reason: str, damaged: bool = True):
    super().__init__(reason)
    self.reason = reason
    self.damaged = damaged

  def skipped(self, source: str, origin: str) -> reading.Skipped:
    """What a reader yields for it."""
    return reading.Skipped(source, origin, self.reason, self.damaged)


@dataclasses.dataclass(frozen=True)
class InputFile:
  """A file that a reader was given.

  Attributes:
    path: where it is.
    origin: its path from the folder or glob that named it, which does not
      depend on the machine.
  """

  path: str
  origin: str


def check_paths(paths: Sequence[str], where: str) -> None:
  """Raises `UserError` unless `paths` is a list with at least one path."""
  if (
    isinstance(paths, str)
    or not paths
    or not all(isinstance(path, str) and path for path in paths)
  ):
    raise errors.UserError(
      f'{where} must be a list of files, folders or globs, got {paths!r}.'
    )


def check_positive(where: str, **values: int) -> None:
  """Raises `UserError` unless every value is a whole number above 0."""
  for name, value in values.items():
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
      raise errors.UserError(
        f'{where}.{name} must be a whole number above 0, got {value!r}.'
      )


def listed(
  paths: Sequence[str], where: str, suffixes: Sequence[str] = ()
) -> Iterator[InputFile]:
  """Yields the files that paths name: theirs in the order of their names.

  Args:
    paths: files, folders (all files below them, see `walk`) and globs
      (`*`, `?`, `[...]`).
    where: the setting that holds `paths`, for errors.
    suffixes: endings of the files wanted from folders, also with the ending
      of a compression after them; none stands for all. Files that are named
      one by one may end in anything.

  Raises:
    UserError: when there is no file at one of the paths.
  """
  for pattern in paths:
    found = False
    for file in _matches(os.path.expanduser(pattern), where, suffixes):
      found = True
      yield file
    if not found:
      kind = f' that ends in {" or ".join(suffixes)}' if suffixes else ''
      raise errors.UserError(
        f'{where} names {pattern}, where there is no file{kind}.'
      )


def _matches(
  pattern: str, where: str, suffixes: Sequence[str]
) -> Iterator[InputFile]:
  if not glob.has_magic(pattern) or storage.path(pattern).exists():
    top = posixpath.dirname(pattern.rstrip('/'))
    yield from _files_at(pattern, top, suffixes)
    return
  if '**' in pattern:
    raise errors.UserError(
      f'{where} names {pattern}; ** is not understood, name the folder to'
      ' read all that is below it.'
    )
  folders = pattern.split('/')
  place = next(i for i, name in enumerate(folders) if glob.has_magic(name))
  # The folder before the first star is part of what documents are called.
  top = posixpath.dirname('/'.join(folders[:place]))
  root = storage.path('/'.join(folders[:place]) or '/')
  if place == 0:
    top, root = '.', storage.path('.')
  shape = folders[place:]
  for match in sorted(map(os.fspath, root.glob('/'.join(shape)))):
    # Buckets have no hidden files, but people's folders had.
    names = match.split('/')[-len(shape) :]
    if not any(
      name.startswith('.') and not part.startswith('.')
      for name, part in zip(names, shape, strict=True)
    ):
      yield from _files_at(match, top, suffixes)


def _files_at(
  path: str, top: str, suffixes: Sequence[str]
) -> Iterator[InputFile]:
  if _ends(path, suffixes) and suffixes or not storage.path(path).is_dir():
    if storage.path(path).exists():
      yield InputFile(path, valid(_below(path, top)))
    return
  for file, relative in walk(path):
    if not suffixes or _ends(file, suffixes) or file.endswith('/'):
      prefix = _below(path.rstrip('/'), top)
      yield InputFile(file, valid(posixpath.join(prefix, relative)))


def _below(path: str, top: str) -> str:
  inside = path.removeprefix(top).lstrip('/') if top else path
  return '' if inside in ('.', '..') else inside.removeprefix('./')


def _ends(path: str, suffixes: Sequence[str]) -> bool:
  name = path.lower()
  for compression in COMPRESSIONS:
    name = name.removesuffix(compression)
  return name.endswith(tuple(suffixes))


def walk(
  root: str, leave_out: Collection[str] = ()
) -> Iterator[tuple[str, str]]:
  """Yields (path, path relative to `root` with slashes) of files below it.

  Hidden entries, links, what is neither file nor folder, caches, the packages
  that npm installed, and folders named in `leave_out` are left out. A folder
  that cannot be listed is yielded with a slash at the end, as if it were a
  file, so that reading it says so. Memory is that of the widest folders on
  one path.

  Raises:
    UserError: when a bucket refuses to list.
  """
  skipped = _CACHES.union(leave_out)
  if '://' in root:
    return _walk_bucket(root, skipped)
  return _walk_local(root, skipped)


def _walk_local(
  root: str, skipped: Collection[str]
) -> Iterator[tuple[str, str]]:
  pending = [(root, '')]
  while pending:
    folder, inside = pending.pop()
    try:
      with os.scandir(folder) as entries:
        ordered = sorted(entries, key=lambda entry: entry.name, reverse=True)
    except OSError:
      yield f'{folder}/', f'{inside}/'
      continue
    folders = []
    for entry in reversed(ordered):
      name = entry.name
      if name.startswith('.'):
        continue
      relative = f'{inside}/{name}' if inside else name
      if entry.is_dir(follow_symlinks=False):
        if name not in skipped:
          folders.append((entry.path, relative))
      elif entry.is_file(follow_symlinks=False):
        yield entry.path, relative
    pending.extend(reversed(folders))


def _walk_bucket(
  root: str, skipped: Collection[str]
) -> Iterator[tuple[str, str]]:
  def fail(error: OSError) -> None:
    raise errors.UserError(f'Cannot list {root} ({error}).') from error

  top = root.rstrip('/')
  key = top.split('://')[1]
  for folder, folders, names in storage.path(root).walk(on_error=fail):
    # One of the libraries below leaves out the scheme here.
    inside = os.fspath(folder).split('://')[-1].strip('/')
    inside = inside.removeprefix(key).strip('/')
    hidden = any(
      part.startswith('.') or part in skipped
      for part in inside.split('/')
      if part
    )
    folders.sort()
    for name in () if hidden else sorted(names):
      if name and not name.startswith('.'):
        relative = posixpath.join(inside, name)
        yield f'{top}/{relative}', relative


@contextlib.contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
  """Opens a file as a stream of bytes, decompressed by its name.

  Raises:
    RefusedError: for what is not a file, without waiting for it (a pipe).
    OSError: when it cannot be opened; `READ_ERRORS` while it is read.
  """
  with contextlib.ExitStack() as stack:
    raw = stack.enter_context(_raw(path))
    yield stack.enter_context(_decompressed(raw, path.lower()))


def _raw(path: str) -> Any:
  if '://' in path:
    return storage.path(path).open('rb')
  handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
  if not stat.S_ISREG(os.fstat(handle).st_mode):
    os.close(handle)
    raise RefusedError('cannot be read (not a file)')
  return os.fdopen(handle, 'rb')


def _decompressed(raw: Any, name: str) -> Any:
  if name.endswith('.gz'):
    return gzip.GzipFile(fileobj=raw, mode='rb')
  if name.endswith('.bz2'):
    return bz2.BZ2File(raw)
  if name.endswith('.xz'):
    return lzma.LZMAFile(raw)
  if name.endswith('.zst'):
    stream = pa.CompressedInputStream(raw, 'zstd')
    return io.BufferedReader(cast(io.RawIOBase, stream), _BLOCK_BYTES)
  return contextlib.nullcontext(raw)


def broken(error: BaseException) -> RefusedError:
  """What one of `READ_ERRORS` says of the file that raised it."""
  if isinstance(error, OSError) and error.strerror:
    return RefusedError(f'cannot be read ({error.strerror})')
  return RefusedError('cannot be read (damaged or cut short)')


def read(path: str, max_bytes: int) -> bytes:
  """The whole content of a file.

  Raises:
    RefusedError: when it cannot be read or has more than `max_bytes`, of
      which no more than that is then read.
  """
  try:
    with opened(path) as stream:
      content = stream.read(max_bytes + 1)
  except READ_ERRORS as error:
    raise broken(error) from error
  if len(content) > max_bytes:
    raise RefusedError('too large', damaged=False)
  return content


def blocks(stream: BinaryIO) -> Iterator[bytes]:
  """Yields the content of a stream as it comes.

  What a damaged file gives before its damage is then not lost with it. The
  stream needs nothing but `read`.
  """
  read_some = getattr(stream, 'read1', stream.read)
  while block := read_some(_BLOCK_BYTES):
    yield block


def lines(stream: BinaryIO, max_bytes: int) -> Iterator[bytes | None]:
  r"""Yields the lines of a stream, without their line feed.

  A line of more than `max_bytes` is yielded as None and never held.

  >>> list(lines(io.BytesIO(b'a\nlong line\n\nb'), 4))
  [b'a', None, b'', b'b']
  """
  held: list[bytes] = []
  size = 0
  for block in blocks(stream):
    *whole, last = block.split(b'\n')
    for line in whole:
      size += len(line)
      yield b''.join((*held, line)) if size <= max_bytes else None
      held, size = [], 0
    size += len(last)
    if size <= max_bytes:
      held.append(last)
    else:
      held = []
  if size:
    yield b''.join(held) if size <= max_bytes else None


def decode(content: bytes) -> str:
  """The text of a file's content, with a line feed for every line end.

  Raises:
    RefusedError: when it is not text.
  """
  utf16 = content.startswith((b'\xff\xfe', b'\xfe\xff'))
  try:
    text = content.decode('utf-16' if utf16 else 'utf-8-sig')
  except UnicodeDecodeError as error:
    raise RefusedError(NOT_TEXT) from error
  return checked(text)


def checked(text: str) -> str:
  """`text` with plain line ends, when files can hold it.

  Raises:
    RefusedError: for a NUL, or half of a surrogate pair (JSON can carry one).
  """
  if '\0' in text or valid(text) != text:
    raise RefusedError(NOT_TEXT)
  return text.replace('\r\n', '\n').replace('\r', '\n')


def valid(name: str) -> str:
  r"""`name` with what UTF-8 cannot carry escaped, as some file names need.

  >>> valid('caf\udce9.py')
  'caf\\udce9.py'
  """
  return name.encode('utf-8', 'backslashreplace').decode('utf-8')
