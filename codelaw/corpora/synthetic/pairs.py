"""Parallel pairs of generated programs (see `pairing`)."""

from collections.abc import Iterator
import dataclasses

from codelaw.corpora import pairing
from codelaw.corpora import reading
from codelaw.corpora.synthetic import reader


@dataclasses.dataclass(frozen=True)
class SyntheticPairs:
  """Generates problems, each as pairs of solutions in two languages.

  They are the problems that `SyntheticPrograms` has with the same seed: in
  one corpus, give the two readers different seeds, or the second loses what
  it shares with the first. Programs of one shape share a split in any case.

  Attributes:
    num_problems: how many are drawn.
    pairing: directions and strategy.
    seed: of the problems.
  """

  num_problems: int
  pairing: pairing.Pairing
  seed: int = 0

  def __post_init__(self):
    reader.check_problems('SyntheticPairs', self.num_problems, self.seed)
    pairing.check(
      'SyntheticPairs', self.pairing, reader.RENDERERS, 'there are programs in'
    )

  def source_names(self) -> tuple[str, ...]:
    """A source per direction."""
    return self.pairing.source_names()

  def parts(self, max_bytes_per_source: int) -> Iterator[range]:
    """Groups of problem numbers."""
    del max_bytes_per_source  # Problems are made one by one.
    return reader.problem_parts(self.num_problems)

  def read(
    self, part: range, is_full: reading.IsFull
  ) -> Iterator[reading.Item]:
    """The pairs of a group of problems."""
    for index in part:
      directions = [
        direction
        for direction in self.pairing.chosen(
          f'{self.seed} {index}', reader.RENDERERS
        )
        if not is_full(self.pairing.source_name(direction))
      ]
      if not directions:
        continue
      item = reader.solved(self.seed, index, 0)
      languages = {name for both in directions for name in both.split('-')}
      programs = {
        name: reader.RENDERERS[name]().document(item.problem)
        for name in sorted(languages)
      }
      for direction in directions:
        yield from self.pairing.pair(
          direction, programs, item.origin, reader.LICENSE, item.group
        )
