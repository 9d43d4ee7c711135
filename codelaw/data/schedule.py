"""Which sequence every slot of every global batch holds.

A mixture schedule is a pure function of (manifest, schedule, seed, step):
nothing but the step is needed to resume, on any number of hosts. Over every
prefix of the run's sequences, also across stage borders, no source is one
sequence or more from its target.

Definitions owned here:
  slot: one sequence of a global batch.
  epoch of a source: its training sequences once, in an order of its own that
    follows from the seed, the source and the number of the epoch.
"""

from collections.abc import Mapping
import dataclasses
import difflib
import functools

import numpy as np

from codelaw import errors
from codelaw import records
from codelaw.data import assignment
from codelaw.data import manifest as manifest_lib
from codelaw.data import permutation

_COUNTED_SLOTS = 2**14  # between two stored counts


@dataclasses.dataclass(frozen=True)
class MixtureSchedule:
  """The slots of every step of one run.

  Attributes:
    sources: every source with a positive rate in any stage, sorted; a
      `source_id` is an index into it.
    stages: names of the stages, in order.
    shares: [stages][sources], of the sequences of each stage.
    stage_ends: sequences done when each stage ends.
    num_steps: global batches.
    batch_size: sequences per global batch.
    sequence_length: tokens per sequence.
    available_sequences: per source, in its training shards.
    padding_tokens: per source, in its last training sequence.
    seed: of the order inside the epochs.
    max_epochs: how often a source may be repeated at the most.
  """

  sources: tuple[str, ...]
  stages: tuple[str, ...]
  shares: tuple[tuple[float, ...], ...]
  stage_ends: tuple[int, ...]
  num_steps: int
  batch_size: int
  sequence_length: int
  available_sequences: tuple[int, ...]
  padding_tokens: tuple[int, ...]
  seed: int
  max_epochs: float

  @property
  def stage_end_steps(self) -> dict[str, float]:
    """Stage -> the step, possibly inside a batch, at which it has ended."""
    return {
      stage: end / self.batch_size
      for stage, end in zip(self.stages, self.stage_ends, strict=True)
    }

  def stage_of(self, step: int) -> str:
    """The stage of the first slot of a step (`num_steps`: the last stage)."""
    self._check_step(step, self.num_steps)
    slot = min(step * self.batch_size, self.stage_ends[-1] - 1)
    return self.stages[int(np.searchsorted(self.stage_ends, slot, 'right'))]

  def slots(self, step: int) -> tuple[np.ndarray, np.ndarray]:
    """What the global batch of one step holds.

    Args:
      step: in [0, num_steps).

    Returns:
      (source_ids int32 [batch], indices int64 [batch] of the sequences in the
      training shards of their source).
    """
    self._check_step(step, self.num_steps - 1)
    start = step * self.batch_size
    source_ids = self._assignment[start : start + self.batch_size]
    draws = self._counts(start)[source_ids] + _occurrences(source_ids)
    sizes = np.array(self.available_sequences, np.int64)[source_ids]
    epochs, places = np.divmod(draws, sizes)
    round_keys = np.stack(
      [
        self._keys(k, epoch)
        for k, epoch in zip(source_ids.tolist(), epochs.tolist(), strict=True)
      ]
    )
    indices = permutation.permute(places, sizes, round_keys)
    return source_ids.astype(np.int32), indices

  def planned_sequences(self) -> dict[str, dict[str, int]]:
    """Stage -> source -> sequences."""
    parts = np.split(self._assignment, self.stage_ends[:-1])
    return {
      stage: dict(
        zip(
          self.sources,
          np.bincount(part, minlength=len(self.sources)).tolist(),
          strict=True,
        )
      )
      for stage, part in zip(self.stages, parts, strict=True)
    }

  def stage_tokens(self) -> dict[str, dict[str, int]]:
    """Stage -> source -> training tokens, padding excluded."""
    tokens, done = {}, [0] * len(self.sources)
    for stage, sequences in self.planned_sequences().items():
      until = [d + n for d, n in zip(done, sequences.values(), strict=True)]
      tokens[stage] = {
        source: self._tokens(k, until[k]) - self._tokens(k, done[k])
        for k, source in enumerate(self.sources)
      }
      done = until
    return tokens

  def planned_tokens(self) -> dict[str, int]:
    """Source -> training tokens of the whole run, padding excluded."""
    return self.tokens_until(self.num_steps)

  def tokens_until(self, step: int) -> dict[str, int]:
    """Source -> training tokens of the first `step` steps, padding excluded."""
    self._check_step(step, self.num_steps)
    counts = self._counts(step * self.batch_size).tolist()
    return {
      source: self._tokens(k, counts[k])
      for k, source in enumerate(self.sources)
    }

  def epochs(self) -> dict[str, float]:
    """Source -> how often the run goes through its training sequences."""
    counts = self._counts(self.stage_ends[-1]).tolist()
    return {
      source: counts[k] / self.available_sequences[k]
      for k, source in enumerate(self.sources)
    }

  def over_cap(self) -> dict[str, float]:
    """Source -> epochs, of the sources repeated more than `max_epochs`."""
    return {s: e for s, e in self.epochs().items() if e > self.max_epochs}

  def check_cap(self) -> None:
    """Refuses a run that repeats a source more than `max_epochs` times.

    Raises:
      UserError: naming the source that is furthest above the cap.
    """
    refused = self.over_cap()
    if not refused:
      return
    source = max(refused, key=lambda name: refused[name])
    others = sorted(set(refused) - {source})
    also = f' (also above it: {", ".join(others)})' if others else ''
    raise errors.UserError(
      f'The plan repeats {source} {refused[source]:.2f} times, max_epochs is'
      f' {self.max_epochs:g}{also}; lower its rate, train on fewer tokens,'
      ' add documents to the source, or raise RunPlan.max_epochs.'
    )

  @property
  def _assignment(self) -> np.ndarray:
    return assignment.assign(self.shares, self.stage_ends)

  def _counts(self, slot: int) -> np.ndarray:
    """Sequences per source before a slot, int64 [sources]."""
    block = slot // _COUNTED_SLOTS
    before = _block_counts(self.shares, self.stage_ends)[block]
    rest = self._assignment[block * _COUNTED_SLOTS : slot]
    return before + np.bincount(rest, minlength=len(self.sources))

  def _tokens(self, k: int, count: int) -> int:
    """Tokens of the first `count` sequences drawn from source k.

    Only the last sequence of a source is padded; it comes once per epoch.
    """
    size = self.available_sequences[k]
    epoch, rest = divmod(count, size)
    last = np.array([size - 1])
    place = permutation.place_of(last, size, self._keys(k, epoch))[0]
    padded = epoch + int(place < rest)
    return count * self.sequence_length - padded * self.padding_tokens[k]

  def _keys(self, k: int, epoch: int) -> np.ndarray:
    return permutation.keys(self.seed, self.sources[k], epoch)

  def _check_step(self, step: int, last: int) -> None:
    if not 0 <= step <= last:
      raise errors.UserError(
        f'Step {step} is not in the run, which has {self.num_steps} steps.'
      )


@functools.lru_cache(maxsize=4)
def _block_counts(
  shares: tuple[tuple[float, ...], ...], ends: tuple[int, ...]
) -> np.ndarray:
  """Sequences per source before each block of slots, [blocks, sources]."""
  assigned = assignment.assign(shares, ends)
  counts = [np.zeros(len(shares[0]), np.int64)]
  for start in range(0, len(assigned), _COUNTED_SLOTS):
    block = assigned[start : start + _COUNTED_SLOTS]
    counts.append(np.bincount(block, minlength=len(shares[0])))
  return np.cumsum(counts, axis=0)


def _occurrences(values: np.ndarray) -> np.ndarray:
  """How often each value came before it.

  >>> _occurrences(np.array([3, 5, 3, 3])).tolist()
  [0, 0, 1, 2]
  """
  order = np.argsort(values, kind='stable')
  ordered = values[order]
  result = np.empty(len(values), np.int64)
  first = np.searchsorted(ordered, ordered, 'left')
  result[order] = np.arange(len(values)) - first
  return result


def uncapped(
  plan: records.RunPlan, manifest: manifest_lib.Manifest
) -> MixtureSchedule:
  """The plan's schedule, however often it repeats a source.

  Raises:
    UserError: for a source the shards do not have, and for shards of another
      sequence length.
  """
  if plan.sequence_length != manifest.sequence_length:
    raise errors.UserError(
      f'RunPlan.sequence_length is {plan.sequence_length}, but the shards in'
      f' {plan.shards_dir} have {manifest.sequence_length} tokens per'
      ' sequence; set SEQUENCE_LENGTH to that, or write other shards with'
      ' `codelaw cache`.'
    )
  sources = plan.schedule.sources
  shards = [_training_shards(manifest, source) for source in sources]
  by_stage = [stage.mixture.shares() for stage in plan.schedule.stages]
  return MixtureSchedule(
    sources=sources,
    stages=tuple(stage.name for stage in plan.schedule.stages),
    shares=tuple(
      tuple(shares.get(source, 0.0) for source in sources)
      for shares in by_stage
    ),
    stage_ends=plan.schedule.stage_ends(plan.num_sequences),
    num_steps=plan.num_steps,
    batch_size=plan.batch_size,
    sequence_length=plan.sequence_length,
    available_sequences=tuple(split.sequences for split in shards),
    padding_tokens=tuple(split.padding_tokens for split in shards),
    seed=plan.seed,
    max_epochs=plan.max_epochs,
  )


def from_plan(
  plan: records.RunPlan, manifest: manifest_lib.Manifest
) -> MixtureSchedule:
  """The plan's schedule.

  Args:
    plan: its schedule, number of tokens, batch and seed are used.
    manifest: of `plan.shards_dir`.

  Raises:
    UserError: for a source the shards do not have, for shards of another
      sequence length, and for a source repeated more than `plan.max_epochs`
      times.
  """
  schedule = uncapped(plan, manifest)
  schedule.check_cap()
  return schedule


def _training_shards(
  manifest: manifest_lib.Manifest, source: str
) -> manifest_lib.SplitShards:
  known: Mapping[str, object] = manifest.sources
  if source not in known:
    nearest = difflib.get_close_matches(source, known, n=1)
    hint = f' did you mean {nearest[0]}?' if nearest else ''
    raise errors.UserError(
      f'MixtureRates names {source!r}, which the shards do not have; they'
      f' have {", ".join(sorted(known))};{hint or " check the spelling."}'
    )
  shards = manifest.split(source, 'train')
  if not shards.sequences:
    raise errors.UserError(
      f'Source {source} has no training sequences in the shards; give it the'
      ' rate 0, or add documents and run `codelaw cache` again.'
    )
  return shards
