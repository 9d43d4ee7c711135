"""Documents from the running Python environment: the embedded corpus.

Every environment that runs codelaw holds real code: the standard library,
the installed distributions, and the C and C++ headers and the JavaScript
that some of them carry. Reading it needs no download. What it holds depends
on what is installed; the same environment gives the same documents.
"""

from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import csv
import dataclasses
import email.message
import importlib.metadata
import os
import re
import sys
import sysconfig
from typing import cast

from codelaw import errors
from codelaw.corpora import files
from codelaw.corpora import languages
from codelaw.corpora import reading
from codelaw.corpora import source_trees

_PYTHON_LICENSE = 'PSF-2.0'
# Classifiers that name one SPDX license; the others are kept as they are.
_SPDX_BY_CLASSIFIER = {
  'Apache Software License': 'Apache-2.0',
  'ISC License (ISCL)': 'ISC',
  'MIT License': 'MIT',
  'Mozilla Public License 2.0 (MPL 2.0)': 'MPL-2.0',
  'Python Software Foundation License': _PYTHON_LICENSE,
}


@dataclasses.dataclass(frozen=True)
class PythonEnvironment:
  """Reads the source files of the running Python environment.

  Standard library and interpreter headers, and every file that an installed
  distribution lists in its RECORD. A document's license is the one that its
  distribution declares; code that a distribution vendors may carry another.

  Attributes:
    sources: source -> languages that belong to it.
    max_share_per_distribution: of a source's bytes, as long as other
      distributions still have files to give.
    min_file_bytes: smaller files (an empty `__init__.py`) are not documents.
    max_file_bytes: larger files are data or bundles more often than code.
    seed: of the order in which files are taken.
  """

  sources: Mapping[str, Sequence[str]]
  max_share_per_distribution: float = 0.25
  min_file_bytes: int = 100
  max_file_bytes: int = 100_000
  seed: int = 0

  def __post_init__(self):
    source_trees.check_sources(self.sources, 'PythonEnvironment')
    source_trees.check_sizes(
      self.min_file_bytes, self.max_file_bytes, 'PythonEnvironment'
    )
    if not 0 < self.max_share_per_distribution <= 1:
      raise errors.UserError(
        'PythonEnvironment.max_share_per_distribution must be above 0 and at'
        f' most 1, got {self.max_share_per_distribution!r}.'
      )

  def source_names(self) -> tuple[str, ...]:
    """The sources that were asked for."""
    return tuple(self.sources)

  def parts(
    self, max_bytes_per_source: int
  ) -> Iterator[source_trees.FilesOfSource]:
    """Groups of files, source by source."""
    found = [*_python_files(), *_distribution_files()]
    for source, wanted in self.sources.items():
      ordered = sample_order(
        (file for file in found if languages.could_be(file.origin, wanted)),
        self.seed,
        self.max_share_per_distribution * max_bytes_per_source,
        self.max_file_bytes,
      )
      yield from source_trees.grouped(ordered, source)

  def read(
    self, part: source_trees.FilesOfSource, is_full: reading.IsFull
  ) -> Iterator[reading.Item]:
    """The documents of a group of files."""
    return source_trees.read_files(
      part,
      self.sources[part.source],
      self.min_file_bytes,
      self.max_file_bytes,
      is_full,
    )


def sample_order(
  found: Iterable[source_trees.SourceFile],
  seed: int,
  max_bytes_per_owner: float,
  max_file_bytes: int,
) -> Iterator[source_trees.SourceFile]:
  """Yields files in the order of `source_trees.order_key`, owners sharing.

  Once an owner has given `max_bytes_per_owner`, the rest of its files come
  after those of all other owners, so that a large package dominates a source
  only when there is nothing else to read. Files of more than `max_file_bytes`
  give nothing.
  """
  given: Counter[str] = Counter()
  deferred = []
  ordered = sorted(
    found,
    key=lambda file: (source_trees.order_key(file.origin, seed), file.path),
  )
  for file in ordered:
    try:
      size = os.path.getsize(file.path)
    except OSError:  # Reading it says so.
      size = 0
    if size > max_file_bytes:
      size = 0
    if given[file.owner] + size > max_bytes_per_owner:
      deferred.append(file)
      continue
    given[file.owner] += size
    yield file
  yield from deferred


def _python_files() -> Iterator[source_trees.SourceFile]:
  """Files of the standard library and the interpreter's headers."""
  version = f'python{sys.version_info.major}.{sys.version_info.minor}'
  for name, prefix in (('stdlib', version), ('include', f'{version}/include')):
    for path, relative in files.walk(
      sysconfig.get_path(name), leave_out=('site-packages', 'dist-packages')
    ):
      yield source_trees.SourceFile(
        path, f'{prefix}/{files.valid(relative)}', version, _PYTHON_LICENSE
      )


def _distribution_files() -> Iterator[source_trees.SourceFile]:
  """Files that the installed distributions list in their RECORD.

  A distribution whose metadata cannot be read has no name, license or list of
  files to go by, and is left out.
  """
  folders = {sysconfig.get_path('purelib'), sysconfig.get_path('platlib')}
  seen = set()
  for distribution in importlib.metadata.distributions(path=sorted(folders)):
    try:
      metadata = cast(email.message.Message, distribution.metadata)
      record = distribution.read_text('RECORD') or ''
      rows = [row[0] for row in csv.reader(record.splitlines()) if row]
    except (OSError, UnicodeDecodeError, csv.Error):
      continue
    name = _normalized(metadata.get('Name') or '')
    if not name or name in seen or not rows:
      continue
    seen.add(name)
    license_ = license_of(metadata)
    for row in rows:
      if not row.startswith('/') and '..' not in row.split('/'):
        yield source_trees.SourceFile(
          str(distribution.locate_file(row)), f'{name}/{row}', name, license_
        )


def license_of(metadata: email.message.Message) -> str:
  """The license that a distribution declares, SPDX where possible.

  Taken from License-Expression (PEP 639), else from the license
  classifiers, else from a License field of one short line; '' otherwise.
  """
  expression = metadata.get('License-Expression')
  if expression:
    return expression
  named = [
    classifier.split(' :: ')[-1]
    for classifier in metadata.get_all('Classifier') or ()
    if classifier.startswith('License :: ') and classifier.count(' :: ') > 1
  ]
  if named:
    return ' AND '.join(_SPDX_BY_CLASSIFIER.get(name, name) for name in named)
  text = (metadata.get('License') or '').strip()
  return text if len(text) <= 40 and '\n' not in text else ''


def _normalized(name: str) -> str:
  return re.sub(r'[-_.]+', '-', name).lower()
