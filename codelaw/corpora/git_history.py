"""Documents from the history of git repositories: messages and diffs."""

from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import dataclasses
import os
import pathlib
import shutil

from codelaw import errors
from codelaw import records
from codelaw.corpora import documents
from codelaw.corpora import git_process
from codelaw.corpora import languages
from codelaw.corpora import reading

_COMMITS_PER_PART = 200
_MERGES = ('leave_out', 'first_parent')
_OVERSIZED = ('cut', 'leave_out')


@dataclasses.dataclass(frozen=True)
class Commit:
  """A commit to read, or one that was found to give no document.

  Attributes:
    id: of the commit.
    parent: to compare it with; '' for the first of a history.
    reason: why it gives no document; '' when it is to be read.
    damaged: see `reading.Skipped`.
  """

  id: str
  parent: str = ''
  reason: str = ''
  damaged: bool = False


@dataclasses.dataclass(frozen=True)
class Commits:
  """Commits of one repository: a part of a reader's work."""

  git_dir: str
  name: str
  commits: tuple[Commit, ...]


@dataclasses.dataclass(frozen=True)
class GitHistory:
  """Reads a document per commit: its message, an empty line, its diff.

  The diff is unified, against the first parent, with renames found; the first
  commit of a history is compared with nothing. Binary files, and files that
  are not UTF-8, are named without content. Commits come newest first.

  Attributes:
    repositories: folders on this machine: work trees or bare repositories.
    source: of all documents.
    license: of all repositories; '' when unknown.
    refs: branches, tags or commits whose history is read, in every
      repository; an empty list stands for all branches and tags.
    languages: keep only what a commit changes in files that may be of these
      languages; none stands for all files. Commits that change nothing else
      are left out.
    merges: `leave_out`, or `first_parent` to read what a merge brought.
    max_changed_files: commits that change more are left out.
    max_document_bytes: of message and diff.
    oversized: what becomes of longer commits: `cut` keeps the files that come
      first, whole, `leave_out` none. Either is counted.
  """

  repositories: Sequence[str]
  source: str = 'commits'
  license: str = ''
  refs: Sequence[str] = ('HEAD',)
  languages: Sequence[str] = ()
  merges: str = 'leave_out'
  max_changed_files: int = 100
  max_document_bytes: int = 100_000
  oversized: str = 'cut'

  def __post_init__(self):
    if isinstance(self.repositories, str) or not self.repositories:
      raise errors.UserError(
        'GitHistory.repositories must be a list of folders, got'
        f' {self.repositories!r}.'
      )
    records.check_source_name(self.source)
    if isinstance(self.refs, str) or any(
      not isinstance(ref, str) or not ref or ref.startswith(('-', '^'))
      for ref in self.refs
    ):
      raise errors.UserError(
        'GitHistory.refs must be a list of branches, tags or commits, got'
        f' {self.refs!r}.'
      )
    if isinstance(self.languages, str):
      raise errors.UserError(
        f'GitHistory.languages must be a list, got {self.languages!r}.'
      )
    languages.check(self.languages, 'GitHistory.languages')
    for name, value, known in (
      ('merges', self.merges, _MERGES),
      ('oversized', self.oversized, _OVERSIZED),
    ):
      if value not in known:
        raise errors.UserError(
          f'GitHistory.{name} must be one of {", ".join(known)}; got {value!r}.'
        )
    if self.max_changed_files < 1 or self.max_document_bytes < 1:
      raise errors.UserError(
        'GitHistory.max_changed_files and max_document_bytes must be above 0,'
        f' got {self.max_changed_files!r} and {self.max_document_bytes!r}.'
      )

  def source_names(self) -> tuple[str, ...]:
    """The one source."""
    return (self.source,)

  def parts(self, max_bytes_per_source: int) -> Iterator[Commits]:
    """Ranges of commits, repository by repository.

    Raises:
      UserError: when there is no git, a folder is not a repository, or a
        repository has none of the refs.
    """
    del max_bytes_per_source
    if shutil.which('git') is None:
      raise errors.UserError(
        'GitHistory needs the program git, which is not on the PATH; install'
        ' it.'
      )
    for folder in self.repositories:
      git_dir = _git_dir(folder)
      name = pathlib.Path(os.path.realpath(git_dir)).name
      if name == '.git':
        name = pathlib.Path(os.path.realpath(git_dir)).parent.name
      held: list[Commit] = []
      for commit in self._commits(git_dir, folder):
        held.append(commit)
        if len(held) == _COMMITS_PER_PART:
          yield Commits(git_dir, name.removesuffix('.git'), tuple(held))
          held = []
      if held:
        yield Commits(git_dir, name.removesuffix('.git'), tuple(held))

  def _commits(self, git_dir: str, folder: str) -> Iterator[Commit]:
    """All commits of the refs, with what is known of them beforehand."""
    if git_process.output(git_dir, 'rev-parse', '--git-dir') is None:
      yield Commit('', reason='git cannot open the repository', damaged=True)
      return
    if not git_process.output(git_dir, 'for-each-ref', '--count=1') and (
      git_process.output(git_dir, 'rev-parse', '--verify', 'HEAD') is None
    ):
      yield Commit('', reason='no commits')
      return
    refs = []
    for ref in self.refs:
      found = git_process.output(
        git_dir, 'rev-parse', '--verify', '--end-of-options', ref
      )
      if found is None:
        raise errors.UserError(
          f'GitHistory.refs names {ref}, which {folder} does not have.'
        )
      refs.append(found.strip())
    border = _border_of_shallow_clone(git_dir)
    try:
      for id_, *parents in git_process.history(git_dir, refs):
        if id_ in border:
          yield Commit(id_, reason='its parent is not in a shallow clone')
        elif len(parents) > 1 and self.merges == 'leave_out':
          yield Commit(id_, reason='merge')
        else:
          yield Commit(id_, parents[0] if parents else '')
    except git_process.BrokenHistoryError:
      yield Commit('', reason='its history is broken', damaged=True)

  def read(
    self, part: Commits, is_full: reading.IsFull
  ) -> Iterator[reading.Item]:
    """The documents of a range of commits."""
    changes = git_process.changes(
      part.git_dir,
      [(c.id, c.parent) for c in part.commits if not c.reason],
      git_process.Limits(self.max_document_bytes, self._wants),
    )
    with contextlib.closing(changes):
      for commit in part.commits:
        if is_full(self.source):
          return
        origin = f'{part.name}@{commit.id}' if commit.id else part.name
        if commit.reason:
          yield reading.Skipped(
            self.source, origin, commit.reason, commit.damaged
          )
        else:
          yield from self._items(origin, next(changes))

  def _wants(self, path: str) -> bool:
    return not self.languages or languages.could_be(path, self.languages)

  def _items(
    self, origin: str, change: git_process.Change | None
  ) -> Iterator[reading.Item]:
    reason = ''
    if change is None:
      yield reading.Skipped(
        self.source, origin, 'git cannot read it', damaged=True
      )
      return
    if change.num_files > self.max_changed_files:
      reason = 'too many changed files'
    elif change.num_left_out and (
      self.oversized == 'leave_out' or not change.diffs
    ):
      reason = 'too large'
    elif not change.diffs:
      reason = 'no change of interest' if change.num_files else 'no change'
    if reason:
      yield reading.Skipped(self.source, origin, reason)
      return
    message = f'{change.message}\n\n' if change.message else ''
    yield documents.RawDocument(
      message + ''.join(change.diffs),
      self.source,
      'diff',
      origin,
      self.license,
    )
    if change.num_left_out:
      yield reading.Skipped(self.source, origin, 'last files cut off')


def _git_dir(folder: str) -> str:
  root = pathlib.Path(folder).expanduser()
  inside = root / '.git'
  if inside.exists():
    return os.path.abspath(inside)
  if (root / 'HEAD').exists() and (root / 'objects').is_dir():
    return os.path.abspath(root)
  raise errors.UserError(
    f'GitHistory.repositories names {folder}, which is not a git repository'
    ' on this machine (a work tree or a bare one).'
  )


def _border_of_shallow_clone(git_dir: str) -> frozenset[str]:
  """Commits whose parents were not cloned."""
  found = git_process.output(git_dir, 'rev-parse', '--git-path', 'shallow')
  try:
    path = pathlib.Path('/', (found or '').rstrip('\n'))
    return frozenset(path.read_text('ascii').split())
  except (OSError, UnicodeDecodeError):
    return frozenset()
