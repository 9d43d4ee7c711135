"""Parallel pairs: a program and its translation, as documents.

The strategies are those of the paper on scaling laws for code (paper A of
DESIGN.md, "Parallel pairing"): *shuffled* leaves the two programs documents
of their own; *direct* makes one document of them, the translation after the
program; *prompt* puts a prompt between that names the target language. The
paper does not give its prompt; ours is `Pairing.prompt`.

A *direction* is a source and a target language. An aligned set (a problem, or
a row of a table) is written in `directions_per_set` of the directions, chosen
by a hash, so that no text is repeated: the two directions of one pair are
near-copies of each other. *Held-out directions* are for evaluation: they are
written as one document whatever the strategy, and only for sets that the
corpus holds out (`RawDocument.only_split`). All documents of a set share a
group, so a held-out pair is unseen in every direction, and as a program.

`prefix_bytes` of a pair is where its translation begins: what evaluation
scores is the log-likelihood of the text from there on. A model that was
trained on shuffled programs is scored on the pairs that a direct corpus of
the same sets holds out: both hold out the same.
"""

from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import hashlib
import string

from codelaw import errors
from codelaw import records
from codelaw.corpora import documents
from codelaw.corpora import files
from codelaw.corpora import languages
from codelaw.corpora.synthetic import notation

STRATEGIES = ('shuffled', 'direct', 'prompt')
DEFAULT_PROMPT = '\nThe same program in {target}:\n\n'
_PIVOT = 'python'
_OTHERS = ('java', 'javascript', 'typescript', 'csharp', 'go', 'rust')
PIVOT_DIRECTIONS = tuple(
  direction
  for other in _OTHERS
  for direction in (f'{_PIVOT}-{other}', f'{other}-{_PIVOT}')
)


@dataclasses.dataclass(frozen=True)
class Pairing:
  """How pairs are written.

  Attributes:
    strategy: one of `STRATEGIES`.
    directions: to train on, like `python-java`; by default Python to and from
      six languages. None for the evaluation of models that saw no pairs.
    held_out_directions: for evaluation alone.
    directions_per_set: directions that one aligned set is written in, of
      either kind. More than one repeats texts: deduplication may drop what
      it then takes for copies.
    prompt: text between the programs, with `{source}` and `{target}` for the
      names of their languages; for the strategy `prompt`.
    separator: text between the programs, for direct concatenation.
    source: what its sources are named under, `<source>/<from>-<to>`: one
      corpus may hold the same sets written in several ways, like
      `parallel/direct` and `parallel/prompt`.
  """

  strategy: str = 'direct'
  directions: Sequence[str] = PIVOT_DIRECTIONS
  held_out_directions: Sequence[str] = ()
  directions_per_set: int = 1
  prompt: str = DEFAULT_PROMPT
  separator: str = '\n'
  source: str = 'parallel'

  def __post_init__(self):
    records.check_source_name(self.source)
    if self.strategy not in STRATEGIES:
      raise errors.UserError(
        f'Pairing.strategy must be one of {", ".join(STRATEGIES)}; got'
        f' {self.strategy!r}.'
      )
    for name in ('directions', 'held_out_directions'):
      given = getattr(self, name)
      if isinstance(given, str) or not all(map(_is_direction, given)):
        raise errors.UserError(
          f'Pairing.{name} must be a list of two different languages each,'
          f" like ['python-java']; got {given!r}."
        )
      if len(set(given)) < len(given):
        raise errors.UserError(f'Pairing.{name} names a direction twice.')
      object.__setattr__(self, name, tuple(given))
    both = sorted(set(self.directions) & set(self.held_out_directions))
    if both:
      raise errors.UserError(
        f'Pairing.held_out_directions names {both[0]}, which is in'
        ' Pairing.directions too; take it out of one.'
      )
    files.check_positive('Pairing', directions_per_set=self.directions_per_set)
    fields = {field for _, field, _, _ in _fields(self.prompt) if field}
    if fields - {'source', 'target'} or 'target' not in fields:
      raise errors.UserError(
        'Pairing.prompt must name the target language as {target}, and may'
        f' name {{source}}, nothing else in braces; got {self.prompt!r}.'
      )

  def source_names(self) -> tuple[str, ...]:
    """A source per direction."""
    everything = (*self.directions, *self.held_out_directions)
    return tuple(map(self.source_name, everything))

  def source_name(self, direction: str) -> str:
    """The source that holds a direction's documents."""
    return f'{self.source}/{direction}'

  def languages(self) -> tuple[str, ...]:
    """Every language of a direction, in order of first mention."""
    everything = (*self.directions, *self.held_out_directions)
    return tuple(
      dict.fromkeys(name for item in everything for name in item.split('-'))
    )

  def chosen(self, key: str, available: Collection[str]) -> Iterator[str]:
    """The directions that an aligned set is written in.

    Args:
      key: of the set; decides.
      available: languages that the set has.
    """
    for directions in (self.directions, self.held_out_directions):
      possible = [
        item for item in directions if set(item.split('-')) <= set(available)
      ]
      possible.sort(key=lambda item: _hash(f'{key} {item}'))
      yield from possible[: self.directions_per_set]

  def texts(
    self, direction: str, program: str, translation: str
  ) -> Iterator[tuple[str, str, int]]:
    """Texts of a pair's documents, their languages and `prefix_bytes`."""
    source, target = direction.split('-')
    held_out = direction in self.held_out_directions
    if self.strategy == 'shuffled' and not held_out:
      yield program, source, 0
      yield translation, target, 0
      return
    prefix = self.prefix(direction, program)
    yield prefix + translation, target, len(prefix.encode('utf-8'))

  def prefix(self, direction: str, program: str) -> str:
    """What a document of the pair says before the translation begins."""
    if self.strategy != 'prompt':
      return program + self.separator
    source, target = direction.split('-')
    return program + self.prompt.format(
      source=notation.shown_language(source),
      target=notation.shown_language(target),
    )

  def pair(
    self,
    direction: str,
    programs: Mapping[str, str],
    origin: str,
    license_: str,
    group: str,
  ) -> Iterator[documents.RawDocument]:
    """The documents of an aligned set in one direction.

    Args:
      direction: one of those that were `chosen`.
      programs: language -> program.
      origin: of the set.
      license_: of the programs.
      group: of the set.
    """
    source, target = direction.split('-')
    only = 'validation' if direction in self.held_out_directions else ''
    for text, language, prefix_bytes in self.texts(
      direction, programs[source], programs[target]
    ):
      yield documents.RawDocument(
        text=text,
        source=self.source_name(direction),
        language=languages.from_label(language) or language,
        origin=origin,
        license=license_,
        group=group,
        only_split=only,
        prefix_bytes=prefix_bytes,
      )


def _is_direction(name: str) -> bool:
  parts = name.split('-') if isinstance(name, str) else []
  return len(parts) == 2 and all(parts) and parts[0] != parts[1]


def _fields(
  template: str,
) -> list[tuple[str, str | None, str | None, str | None]]:
  try:
    return list(string.Formatter().parse(template))
  except ValueError as error:
    raise errors.UserError(
      f'Pairing.prompt must be a template; {template!r} is none ({error}).'
    ) from error


def _hash(key: str) -> str:
  return hashlib.sha256(key.encode('utf-8')).hexdigest()


def check(
  where: str, settings: Pairing, languages: Collection[str], known: str
) -> None:
  """Raises `UserError` unless a reader can write what `settings` ask for.

  Args:
    where: the reader.
    settings: its field `pairing`.
    languages: that it has programs in.
    known: what to say before those languages.
  """
  if not isinstance(settings, Pairing):
    raise errors.UserError(
      f'{where}.pairing must be @Pairing(), got {settings!r}.'
    )
  if not settings.directions:
    raise errors.UserError(
      f'{where}.pairing: Pairing.directions must name at least one.'
    )
  for language in settings.languages():
    if language not in languages:
      raise errors.UserError(
        f'{where}.pairing has a direction with {language}; {known}'
        f' {", ".join(languages)}.'
      )
