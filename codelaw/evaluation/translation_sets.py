"""Test sets of translation: the same programs in several languages.

A *set* gives items, each a program in two or more languages. Two kinds:

  ParallelTestSet: files of the user, Parquet or JSON-lines, with a row per
    program and a column per language, the format of
    `corpora/parallel_table.py`:
      {"py": "def f(x): ...", "java": "class F { ... }", "cs": null}
    A row may lack languages (null, absent or blank).
  SyntheticParallel: generated problems, which need no file. Only they can be
    checked by running them.

Languages are called as in `parallel/<from>-<to>`: `csharp`, without hyphens.
"""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
from typing import Protocol

from codelaw import errors
from codelaw.corpora import clusters
from codelaw.corpora import files
from codelaw.corpora import parallel_table
from codelaw.corpora.synthetic import execution
from codelaw.corpora.synthetic import reader

_ALL_BYTES = 1 << 62  # A test set is read whole.
# Problems are drawn until enough are found; some shapes come again and again.
_DRAWS_PER_HELD_OUT = 50


@dataclasses.dataclass(frozen=True)
class Item:
  """One program in several languages.

  Attributes:
    name: where it comes from.
    programs: language -> program.
    solved: the problem behind a generated program, with verified inputs;
      None for programs from files.
  """

  name: str
  programs: Mapping[str, str]
  solved: execution.Solved | None = None


class AlignedPrograms(Protocol):
  """A test set."""

  def languages(self) -> tuple[str, ...]:
    """Every language that items may have, in the order to report them."""

  def items(self) -> Iterator[Item]:
    """The programs, the same on every machine.

    Raises:
      UserError: when they cannot be read.
    """


@dataclasses.dataclass(frozen=True)
class ParallelTestSet:
  """Aligned programs from files.

  Attributes:
    paths: files, folders or globs of Parquet or JSON-lines (also compressed).
    columns: language -> column of its programs.
  """

  paths: Sequence[str]
  columns: Mapping[str, str]

  def __post_init__(self):
    table = parallel_table.AlignedTable(self.paths, self.columns)
    for language in table.columns:
      check_language('ParallelTestSet.columns', language)
    object.__setattr__(self, 'paths', tuple(self.paths))

  def languages(self) -> tuple[str, ...]:
    """Those that have a column."""
    return tuple(self.columns)

  def items(self) -> Iterator[Item]:
    """The rows with two languages or more.

    Raises:
      UserError: for a damaged row: a test set is whole or no test set.
    """
    table = parallel_table.AlignedTable(self.paths, self.columns)
    for part in table.parts(_ALL_BYTES):
      for origin, programs in table.rows(part):
        if isinstance(programs, files.RefusedError):
          raise errors.UserError(
            f'The row {origin} of the test set cannot be read: {programs};'
            ' correct it or take it out.'
          )
        if len(programs) > 1:
          yield Item(origin, programs)


@dataclasses.dataclass(frozen=True)
class SyntheticParallel:
  """Generated programs that synthetic corpora hold out.

  The split of a generated problem follows from a hash of its solution's shape
  (names and constants apart) alone. Items are problems whose shape is in the
  validation split of every corpus that holds out `validation_fraction` or
  more, whatever its seed; each has a shape of its own.

  Attributes:
    num_problems: items.
    seed: of the problems.
    validation_fraction: not more than that of the corpus trained on.
    language_names: of the programs.
  """

  num_problems: int = 50
  seed: int = 0
  validation_fraction: float = 0.1
  language_names: Sequence[str] = tuple(reader.RENDERERS)

  def __post_init__(self):
    where = type(self).__name__
    reader.check_problems(where, self.num_problems, self.seed)
    reader.check_choices(
      f'{where}.language_names', self.language_names, reader.RENDERERS
    )
    object.__setattr__(self, 'language_names', tuple(self.language_names))
    if not 0 < self.validation_fraction < 1:
      raise errors.UserError(
        f'{where}.validation_fraction must be between 0 and 1, got'
        f' {self.validation_fraction!r}.'
      )

  def languages(self) -> tuple[str, ...]:
    """As given."""
    return tuple(self.language_names)

  def items(self) -> Iterator[Item]:
    """The problems, in the order in which they are drawn.

    Raises:
      UserError: when there are not that many of different shapes.
    """
    most = _DRAWS_PER_HELD_OUT * self.num_problems / self.validation_fraction
    shapes: set[str] = set()
    index = 0
    while len(shapes) < self.num_problems:
      if index >= most:
        raise errors.UserError(
          f'Only {len(shapes)} of {index} problems are held out and of'
          f' different shapes; ask for fewer than {self.num_problems}, or'
          ' hold out more.'
        )
      shape = reader.solved(self.seed, index, 0).group
      place = clusters.place(shape)
      if shape not in shapes and clusters.held_out(
        place, self.validation_fraction
      ):
        shapes.add(shape)
        yield self._item(index)
      index += 1

  def _item(self, index: int) -> Item:
    solved = reader.solved(self.seed, index)
    return Item(
      solved.origin,
      {
        name: reader.RENDERERS[name]().document(solved.problem)
        for name in self.language_names
      },
      solved,
    )


def check_language(where: str, name: str) -> None:
  """Raises `UserError` unless `name` can be a side of a direction."""
  if not name or '-' in name or '/' in name or len(name.split()) != 1:
    raise errors.UserError(
      f'{where} names the language {name!r}; names of languages have no'
      ' hyphens, slashes or blanks: C# is csharp.'
    )
