"""The sequences of one source, in the order in which a run draws them.

Definitions owned here:
  draw: the c-th sequence that a run takes from a source, counted from 0; where
    it goes on from an earlier run, that one's draws are counted first.
  supply: the sequences that a run may draw. In simulated epoching they are a
    seeded sample of the stored ones, so that a short run repeats them as often
    as the long run that it stands for.
  epoch of a source: its supply once, in an order of its own that follows from
    the seed, the source and the number of the epoch.
"""

from collections.abc import Callable
from collections.abc import Sequence
import dataclasses
import functools

import numpy as np

from codelaw.data import permutation

_KEPT_EPOCHS = 4


@dataclasses.dataclass(frozen=True, eq=False)
class Supply:
  """What a run may draw from one source.

  Attributes:
    source: its name.
    seed: of the orders.
    stored_sequences: in its training shards.
    sequences: of the supply, at most `stored_sequences`.
    sequence_length: tokens per sequence, padding included.
    read_padding: gives the stored sequences that are padded and by how many
      tokens, as `manifest.padded_sequences`; called when it is needed first.
  """

  source: str
  seed: int
  stored_sequences: int
  sequences: int
  sequence_length: int
  read_padding: Callable[[], tuple[np.ndarray, np.ndarray]]

  def tokens(self, count: int) -> int:
    """Tokens of the first `count` draws, padding excluded."""
    epoch, rest = divmod(count, self.sequences)
    padding = epoch * int(np.sum(self._padded[1]))
    if rest and len(self._padded[0]):
      places, sums = self._padded_places(epoch)
      padding += int(sums[np.searchsorted(places, rest, 'left')])
    return count * self.sequence_length - padding

  def order_keys(self, epoch: int) -> np.ndarray:
    """Keys of the permutation of the supply in one epoch."""
    return permutation.keys(self.seed, self.source, epoch)

  @property
  def sample_keys(self) -> np.ndarray:
    """Keys of the permutation whose first elements are the supply."""
    return permutation.keys(self.seed, self.source, 'supply')

  @functools.cached_property
  def _padded(self) -> tuple[np.ndarray, np.ndarray]:
    """Places in the supply that are padded, and their paddings, int64 [p]."""
    places, paddings = self.read_padding()
    if self.sequences < self.stored_sequences:
      places = permutation.place_of(
        places, self.stored_sequences, self.sample_keys
      )
      inside = places < self.sequences
      places, paddings = places[inside], paddings[inside]
    return places, paddings

  @functools.cached_property
  def _padded_places(self) -> Callable[[int], tuple[np.ndarray, np.ndarray]]:
    """Epoch -> ascending places of padded draws, sums of padding before each.

    A pass over all padded sequences, so the last epochs are kept.
    """

    @functools.lru_cache(maxsize=_KEPT_EPOCHS)
    def of_epoch(epoch: int) -> tuple[np.ndarray, np.ndarray]:
      elements, paddings = self._padded
      places = permutation.place_of(
        elements, self.sequences, self.order_keys(epoch)
      )
      order = np.argsort(places)
      return places[order], np.cumsum([0, *paddings[order]])

    return of_epoch


def indices(
  supplies: Sequence[Supply], source_ids: np.ndarray, draws: np.ndarray
) -> np.ndarray:
  """Which stored sequence each draw is.

  Args:
    supplies: of all sources.
    source_ids: which of them each draw is from, [n].
    draws: number of each draw from its source, int64 [n].

  Returns:
    Indices of sequences in the training shards of their sources, int64 [n].
  """
  sizes = np.array([s.sequences for s in supplies], np.int64)[source_ids]
  epochs, places = np.divmod(draws, sizes)
  round_keys = np.stack(
    [
      supplies[k].order_keys(epoch)
      for k, epoch in zip(source_ids.tolist(), epochs.tolist(), strict=True)
    ]
  )
  elements = permutation.permute(places, sizes, round_keys)
  stored = np.array([s.stored_sequences for s in supplies], np.int64)[
    source_ids
  ]
  cut = sizes < stored
  if cut.any():
    sample_keys = np.stack([s.sample_keys for s in supplies])[source_ids[cut]]
    elements[cut] = permutation.permute(elements[cut], stored[cut], sample_keys)
  return elements
