"""Documents from the public dumps of Stack Exchange: a thread each.

A dump holds one `Posts.xml` per site, in which answers come long after their
question. A first pass puts the posts that are wanted into a database in a
temporary folder, a second reads them thread by thread, so that memory does
not grow with the site. The dumps come as .7z archives, which have to be
unpacked.
"""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import dataclasses
import itertools
import os
import pathlib
import posixpath
import re
import sqlite3
import tempfile
from typing import Any
from typing import BinaryIO
from xml.parsers import expat

from codelaw import errors
from codelaw import records
from codelaw.corpora import documents
from codelaw.corpora import files
from codelaw.corpora import html_text
from codelaw.corpora import reading

_QUESTION, _ANSWER = '1', '2'
# No row of a dump comes near this; what does is not a dump.
_MAX_ROW_BYTES = 1 << 22
_MAX_DEPTH = 8
_SCHEMA = """
CREATE TABLE posts (
  thread INTEGER, is_answer INTEGER, id INTEGER, score INTEGER,
  accepted INTEGER, title TEXT, tags TEXT, body TEXT, license TEXT)
"""
_INSERT = """
INSERT INTO posts VALUES (
  :thread, :is_answer, :id, :score, :accepted, :title, :tags, :body, :license)
"""
_LICENSE = re.compile(r'CC BY-SA (\d\.\d)')


@dataclasses.dataclass(frozen=True)
class Site:
  """A site's posts: a part of the reader's work."""

  name: str
  file: files.InputFile


@dataclasses.dataclass(frozen=True)
class StackExchangeDump:
  """Reads threads: title, tags, question, answers by their score.

  The accepted answer comes first. Bodies become Markdown, with code kept to
  the character. A thread's license is that of its posts; those of several
  versions are joined by AND.

  Attributes:
    paths: `Posts.xml` files, or folders that hold them, one per site; also
      compressed (.gz, .bz2, .xz, .zst), local or in a bucket. A site is
      called as the folder of its file, or as what comes before `Posts.xml`
      in the file's name.
    source: of all documents.
    min_question_score: questions with less, and their answers, are left out.
    min_answer_score: answers with less are left out, also accepted ones.
    min_answers: threads that then have fewer are left out.
    temporary_dir: for the database, which takes about as much space as the
      posts that are kept; '' for the system's own.
  """

  paths: Sequence[str]
  source: str = 'stackexchange'
  min_question_score: int = 0
  min_answer_score: int = 0
  min_answers: int = 1
  temporary_dir: str = ''

  def __post_init__(self):
    files.check_paths(self.paths, 'StackExchangeDump.paths')
    records.check_source_name(self.source)
    for name in ('min_question_score', 'min_answer_score', 'min_answers'):
      value = getattr(self, name)
      if isinstance(value, bool) or not isinstance(value, int):
        raise errors.UserError(
          f'StackExchangeDump.{name} must be a whole number, got {value!r}.'
        )

  def source_names(self) -> tuple[str, ...]:
    """The one source."""
    return (self.source,)

  def parts(self, max_bytes_per_source: int) -> Iterator[Site]:
    """The sites."""
    del max_bytes_per_source
    for file in files.listed(
      self.paths, 'StackExchangeDump.paths', ('posts.xml',)
    ):
      yield Site(_site_name(file), file)

  def read(self, part: Site, is_full: reading.IsFull) -> Iterator[reading.Item]:
    """The threads of one site, in the order of their questions' numbers."""
    if is_full(self.source):
      return
    try:
      folder = tempfile.TemporaryDirectory(
        prefix='codelaw-', dir=self.temporary_dir or None
      )
    except OSError as error:
      raise errors.UserError(
        'StackExchangeDump.temporary_dir cannot be used'
        f' ({error.strerror}): {self.temporary_dir!r}.'
      ) from error
    with folder, contextlib.closing(_database(folder.name)) as database:
      try:
        yield from self._collect(part, database)
        database.execute('CREATE INDEX threads ON posts (thread, is_answer)')
        for thread, posts in itertools.groupby(
          database.execute('SELECT * FROM posts ORDER BY thread, is_answer'),
          key=lambda post: post['thread'],
        ):
          if is_full(self.source):
            return
          yield self._thread(f'{part.name}/{thread}', list(posts))
      except sqlite3.Error as error:
        raise errors.UserError(
          f'Cannot keep the posts of {part.file.path} in {folder.name}'
          f' ({error}); give StackExchangeDump.temporary_dir a folder with'
          ' more space.'
        ) from error

  def _collect(
    self, part: Site, database: sqlite3.Connection
  ) -> Iterator[reading.Skipped]:
    """Puts the posts of a file into the database; yields what it cannot."""
    origin = part.file.origin
    try:
      with files.opened(part.file.path) as stream:
        for number, row in enumerate(rows(stream)):
          if row.get('PostTypeId') not in (_QUESTION, _ANSWER):
            continue  # Wikis of tags, nominations of moderators.
          try:
            post = _post(row)
          except (ValueError, KeyError):
            yield files.RefusedError('not a post').skipped(
              self.source, f'{origin}#{number}'
            )
            continue
          if post['score'] >= (
            self.min_answer_score
            if post['is_answer']
            else self.min_question_score
          ):
            database.execute(_INSERT, post)
    except files.RefusedError as refused:
      yield refused.skipped(self.source, origin)
    except expat.ExpatError:
      yield files.RefusedError('damaged XML').skipped(self.source, origin)
    except files.READ_ERRORS as error:
      yield files.broken(error).skipped(self.source, origin)

  def _thread(self, origin: str, posts: Sequence[sqlite3.Row]) -> reading.Item:
    question, *answers = posts
    if question['is_answer']:
      # It is missing, damaged, or below the score.
      return reading.Skipped(self.source, origin, 'no question')
    if len(answers) < self.min_answers:
      return reading.Skipped(self.source, origin, 'too few answers')
    accepted = question['accepted']
    answers.sort(
      key=lambda answer: (
        answer['id'] != accepted,
        -answer['score'],
        answer['id'],
      )
    )
    blocks = [f'# {question["title"]}'] if question['title'] else []
    tags = re.findall(r'[^<>|]+', question['tags'])
    if tags:
      blocks.append(f'Tags: {", ".join(tags)}')
    blocks.append(html_text.markdown(question['body']))
    for answer in answers:
      blocks.append(
        '## Accepted answer' if answer['id'] == accepted else '## Answer'
      )
      blocks.append(html_text.markdown(answer['body']))
    text = '\n\n'.join(block for block in blocks if block) + '\n'
    try:
      return documents.RawDocument(
        files.checked(text), self.source, 'markdown', origin, _license(posts)
      )
    except files.RefusedError as refused:
      return refused.skipped(self.source, origin)


def _site_name(file: files.InputFile) -> str:
  folder, name = posixpath.split(file.path)
  before = re.split(r'[-_.]*posts\.xml', name, flags=re.IGNORECASE)[0]
  folder = posixpath.basename(
    folder if '://' in folder else os.path.abspath(folder)
  )
  return files.valid(before or folder)


def _database(folder: str) -> sqlite3.Connection:
  database = sqlite3.connect(
    pathlib.Path(folder, 'posts.sqlite'), isolation_level=None
  )
  database.row_factory = sqlite3.Row
  # It is thrown away: nothing has to survive a crash.
  for setting in ('journal_mode = OFF', 'synchronous = OFF'):
    database.execute(f'PRAGMA {setting}')
  # In pages of 4 kB.
  database.execute('PRAGMA cache_size = 16000')
  database.execute(_SCHEMA)
  database.execute('BEGIN')
  return database


def _post(row: Mapping[str, str]) -> dict[str, Any]:
  """The columns of `_SCHEMA`.

  Raises:
    KeyError: when the row lacks what every post has.
    ValueError: when a number is none.
  """
  is_answer = row['PostTypeId'] == _ANSWER
  number = _number(row['Id'])
  return {
    'thread': _number(row['ParentId']) if is_answer else number,
    'is_answer': int(is_answer),
    'id': number,
    'score': _number(row.get('Score', '0')),
    'accepted': _number(row.get('AcceptedAnswerId', '0')),
    'title': row.get('Title', ''),
    'tags': row.get('Tags', ''),
    'body': row['Body'],
    'license': row.get('ContentLicense', ''),
  }


def _number(digits: str) -> int:
  number = int(digits)
  if abs(number) >= 2**63:
    raise ValueError(f'{number} is no number of a post.')
  return number


def _license(posts: Sequence[sqlite3.Row]) -> str:
  """The licenses of all posts; '' when one of them is not known.

  The dumps name them like `CC BY-SA 4.0`, SPDX like `CC-BY-SA-4.0`.
  """
  matches = [_LICENSE.fullmatch(post['license']) for post in posts]
  named = {f'CC-BY-SA-{match.group(1)}' for match in matches if match}
  return ' AND '.join(sorted(named)) if all(matches) else ''


def rows(stream: BinaryIO) -> Iterator[dict[str, str]]:
  """Yields the attributes of every `row` of a dump.

  Raises:
    RefusedError: for what a dump never has and what could fill the memory:
      entities, deep nesting, a row without end.
    expat.ExpatError: at the place where the XML is damaged, after the rows
      that come before it.
  """
  parser = expat.ParserCreate('utf-8')
  found: list[dict[str, str]] = []
  depth = 0

  def start(name: str, attributes: dict[str, str]) -> None:
    nonlocal depth
    depth += 1
    if depth > _MAX_DEPTH:
      raise files.RefusedError('damaged XML')
    if name == 'row':
      found.append(attributes)

  def end(name: str) -> None:
    nonlocal depth
    depth -= 1

  def refuse(*_: Any) -> None:
    raise files.RefusedError('XML with entities')

  parser.StartElementHandler, parser.EndElementHandler = start, end
  parser.EntityDeclHandler = refuse
  unfinished = 0
  for block in itertools.chain(files.blocks(stream), [b'']):
    try:
      parser.Parse(block, not block)
    finally:
      # What came before a damage stays.
      yield from found
    unfinished = 0 if found else unfinished + len(block)
    found.clear()
    if unfinished > _MAX_ROW_BYTES:
      raise files.RefusedError('damaged XML')
