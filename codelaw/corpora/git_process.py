"""Runs git on a repository of unknown origin, and parses what it prints.

Nothing that the repository's configuration names is executed: no external
diff, text conversion, pager, hook, signature check, monitor or transport.
Configuration of the user and the machine is not read either, so that one
repository gives the same documents everywhere. Objects are read through the
repository's folder, not through discovery, which would refuse folders of
another owner.
"""

from collections.abc import Callable
from collections.abc import Generator
from collections.abc import Iterable
from collections.abc import Iterator
import contextlib
import dataclasses
import os
import re
import secrets
import subprocess
import tempfile
from typing import IO

from codelaw.corpora import files

_OPTIONS = (
  '--no-pager',
  '--no-replace-objects',
  '--literal-pathspecs',
  *('-c', 'core.quotePath=false'),
  *('-c', 'core.attributesFile=/dev/null'),
  *('-c', 'core.commitGraph=false'),
  *('-c', 'core.fsmonitor=false'),
  *('-c', 'core.hooksPath=/dev/null'),
  *('-c', 'core.bare=true'),
  *('-c', 'diff.suppressBlankEmpty=false'),
  *('-c', 'diff.orderFile='),
  *('-c', 'log.showSignature=false'),
)
_ENVIRONMENT = {
  'LC_ALL': 'C',
  'HOME': os.devnull,
  'GIT_CONFIG_NOSYSTEM': '1',
  'GIT_CONFIG_SYSTEM': os.devnull,
  'GIT_CONFIG_GLOBAL': os.devnull,
  'GIT_ATTR_NOSYSTEM': '1',
  'GIT_NO_REPLACE_OBJECTS': '1',
  'GIT_GRAFT_FILE': os.devnull,
  # A partial clone must not fetch what it lacks.
  'GIT_NO_LAZY_FETCH': '1',
  'GIT_ALLOW_PROTOCOL': 'none',
  'GIT_TERMINAL_PROMPT': '0',
  'GIT_OPTIONAL_LOCKS': '0',
}
# Beyond this many pairs git compares renames by content no more.
_RENAME_LIMIT = 400
_LINE_BYTES = 1 << 16
_ID = re.compile(r'[0-9a-f]{40}(?:[0-9a-f]{24})?')


@contextlib.contextmanager
def running(
  git_dir: str, *arguments: str, stdin: str = ''
) -> Iterator[subprocess.Popen[bytes]]:
  """Runs git on a repository; it ends at the latest with the context.

  Args:
    git_dir: the `.git` folder (or file) of a work tree, or a bare repository.
    *arguments: command and its options.
    stdin: what the command reads.
  """
  environment = {'PATH': os.environ.get('PATH', os.defpath), **_ENVIRONMENT}
  command = ['git', *_OPTIONS, f'--git-dir={git_dir}', *arguments]
  with tempfile.TemporaryFile() as given:
    # A file, not a pipe: git and we could wait for each other.
    given.write(stdin.encode('ascii'))
    given.seek(0)
    with subprocess.Popen(
      command,
      cwd='/',
      env=environment,
      stdin=given,
      stdout=subprocess.PIPE,
      stderr=subprocess.DEVNULL,
    ) as process:
      try:
        yield process
      finally:
        process.kill()


def output(git_dir: str, *arguments: str) -> str | None:
  """What a git command prints; None when it fails."""
  with running(git_dir, *arguments) as process:
    content, _ = process.communicate()
  return content.decode('utf-8', 'replace') if not process.returncode else None


class BrokenHistoryError(Exception):
  """Git stopped before its work was done."""


def history(git_dir: str, refs: Iterable[str]) -> Iterator[list[str]]:
  """Yields the id of every commit and those of its parents, newest first.

  Args:
    git_dir: see `running`.
    refs: names of commits whose ancestors are wanted; none for all branches
      and tags.

  Raises:
    BrokenHistoryError: after the commits that could be found, when git found
      a damage.
  """
  wanted = tuple(refs) or ('--all',)
  with running(git_dir, 'rev-list', '--parents', *wanted, '--') as process:
    for line in stream_of(process):
      ids = line.decode('ascii', 'replace').split()
      if not ids or not all(map(_ID.fullmatch, ids)):
        raise BrokenHistoryError
      yield ids
    if process.wait():
      raise BrokenHistoryError


def stream_of(process: subprocess.Popen[bytes]) -> IO[bytes]:
  """The standard output of a process that `running` started."""
  if process.stdout is None:
    raise ValueError('This process has no pipe for its output.')
  return process.stdout


@dataclasses.dataclass(frozen=True)
class Limits:
  """What a commit may hold.

  Attributes:
    max_bytes: of message and diff together.
    wants: whether the diff of a file of this name is wanted.
  """

  max_bytes: int
  wants: Callable[[str], bool]


@dataclasses.dataclass(frozen=True)
class Change:
  """A commit's message and diff.

  Attributes:
    message: as its author wrote it, white space at the ends left out.
    diffs: of the wanted files as far as the limit allows, in git's order.
    num_files: changed by the commit, wanted or not.
    num_left_out: wanted files beyond the limit.
  """

  message: str
  diffs: tuple[str, ...]
  num_files: int
  num_left_out: int


def changes(
  git_dir: str, commits: Iterable[tuple[str, str]], limits: Limits
) -> Generator[Change | None, None, None]:
  """Yields what each commit changed; None where git cannot read it.

  Git is told to print a random word around messages and after each commit, so
  that no content can be mistaken for its own lines. When it dies on a damaged
  object it is started again behind that commit.

  Args:
    git_dir: see `running`.
    commits: pairs of a commit and the parent to compare it with, '' for none.
    limits: what to keep of them.
  """
  pending = list(commits)
  while pending:
    word = f'codelaw-{secrets.token_hex(16)}'
    lines = [f'{" ".join(pair).strip()}\n{word}-end\n' for pair in pending]
    with running(
      git_dir,
      *('diff-tree', '--stdin', '--root', '--always', '-r', '-p'),
      *('-M', f'-l{_RENAME_LIMIT}', '--no-ext-diff', '--no-textconv'),
      *('--no-color', '--unified=3', '--submodule=short', '--no-notes'),
      *('--ignore-submodules=none', '--no-relative', '--encoding=UTF-8'),
      *('--src-prefix=a/', '--dst-prefix=b/', '--no-show-signature'),
      f'--format=tformat:{word}-message%n%B%n{word}-diff',
      stdin=''.join(lines),
    ) as process:
      stream = stream_of(process)
      while pending:
        change, ended = _change(stream, word.encode('ascii'), limits)
        pending.pop(0)
        yield change if ended else None
        if not ended:
          break


def _change(
  stream: IO[bytes], word: bytes, limits: Limits
) -> tuple[Change | None, bool]:
  """The next commit, and whether git came to its end."""
  message: list[bytes] | None = None
  message_bytes = 0
  parser: _Diffs | None = None
  at_start = True
  while line := stream.readline(_LINE_BYTES):
    if at_start and line.startswith(word):
      if line == word + b'-end\n':
        if parser is None or message is None:
          return None, True
        text = _message(b''.join(message))
        return parser.change(text), True
      if line == word + b'-message\n':
        message = []
      else:
        parser = _Diffs(limits, message_bytes)
    elif parser is not None:
      parser.add(line, at_start)
    elif message is not None and message_bytes <= limits.max_bytes:
      message.append(line)
      message_bytes += len(line)
    at_start = line.endswith(b'\n')
  return None, False


def _message(content: bytes) -> str:
  """Git has recoded what says its encoding; the rest is most often Latin-1."""
  try:
    text = content.decode('utf-8')
  except UnicodeDecodeError:
    text = content.decode('latin-1')
  return (
    text.replace('\0', '').replace('\r\n', '\n').replace('\r', '\n').strip()
  )


class _Diffs:
  """Collects the diff of one commit, file by file, up to a limit."""

  def __init__(self, limits: Limits, message_bytes: int):
    self._limits = limits
    self._bytes = message_bytes
    self._diffs: list[str] = []
    self._num_files = 0
    self._num_left_out = 0
    self._header: list[bytes] = []
    self._body: list[bytes] = []
    self._in_header = False
    # Whether what comes belongs to a file that is kept.
    self._kept = False

  def add(self, line: bytes, at_start: bool) -> None:
    # Lines of content begin with a sign or a space: this is git's own.
    if at_start and line.startswith(b'diff --git '):
      self._end_file()
      self._num_files += 1
      self._header, self._body = [line], []
      self._in_header = True
      return
    if not self._header:
      return
    if self._in_header and at_start and line.startswith((b'@@', b'Binary ')):
      self._in_header = False
      self._kept = self._limits.wants(_path(self._header))
    if self._in_header:
      if not line.startswith(b'index '):  # Ids say nothing.
        self._header.append(line)
    elif self._kept:
      self._bytes += len(line)
      if self._bytes <= self._limits.max_bytes:
        self._body.append(line)

  def _end_file(self) -> None:
    if not self._header:
      return
    if self._in_header:  # A mode, a name or an empty file: no content.
      self._kept = self._limits.wants(_path(self._header))
    if self._kept:
      self._bytes += sum(map(len, self._header))
      if self._bytes <= self._limits.max_bytes:
        self._diffs.append(_file_text(self._header, self._body))
      else:
        # This one and all that follow, so that what is kept is a beginning.
        self._num_left_out += 1
    self._header, self._body, self._kept = [], [], False

  def change(self, message: str) -> Change:
    """What was collected."""
    self._end_file()
    return Change(
      message, tuple(self._diffs), self._num_files, self._num_left_out
    )


def _file_text(header: list[bytes], body: list[bytes]) -> str:
  """The diff of one file; without its content where that is not text."""
  head = b''.join(header).decode('utf-8', 'backslashreplace')
  content = re.sub(rb'\r+\n', b'\n', b''.join(body))
  try:
    # Git knows no other line ends: such a diff could not be applied.
    if b'\r' in content:
      raise files.RefusedError(files.NOT_TEXT)
    return head + files.checked(content.decode('utf-8'))
  except (UnicodeDecodeError, files.RefusedError):
    # The lines `---` and `+++` announce content.
    names = [
      line
      for line in head.splitlines(keepends=True)
      if not line.startswith(('--- ', '+++ '))
    ]
    return f'{"".join(names)}Binary files differ\n'


def _path(header: list[bytes]) -> str:
  """The name of the changed file, the new one where there are two."""
  named = {
    key: line[len(key) :].rstrip(b'\n')
    for line in header[1:]
    for key in (b'rename to ', b'copy to ', b'--- ', b'+++ ')
    if line.startswith(key)
  }
  for key in (b'rename to ', b'copy to '):
    if key in named:
      return _unquoted(named[key])
  for key in (b'+++ ', b'--- '):
    # A name with a blank is followed by a tab.
    name = _unquoted(named.get(key, b'/dev/null').removesuffix(b'\t'))
    if name != '/dev/null':
      return name[2:]
  # Neither renamed nor with content: `a/NAME b/NAME`.
  both = header[0].removeprefix(b'diff --git ').rstrip(b'\n')
  return _unquoted(both[: len(both) // 2])[2:]


_ESCAPES = {
  b'a': b'\a', b'b': b'\b', b't': b'\t', b'n': b'\n', b'v': b'\v',
  b'f': b'\f', b'r': b'\r', b'"': b'"', b'\\': b'\\',
}  # fmt: skip


def _unquoted(name: bytes) -> str:
  r"""A file name as git prints it, with C's escapes where it is quoted.

  >>> _unquoted(rb'"a/two\nlines"'), _unquoted(b'a/plain')
  ('a/two\nlines', 'a/plain')
  """
  if len(name) > 1 and name.startswith(b'"') and name.endswith(b'"'):
    name = re.sub(
      rb'\\([abtnvfr"\\]|[0-7]{3})',
      lambda match: (
        _ESCAPES.get(match.group(1)) or bytes([int(match.group(1), 8) % 256])
      ),
      name[1:-1],
    )
  return name.decode('utf-8', 'backslashreplace')
