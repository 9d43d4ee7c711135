"""Which sequence every slot of every global batch holds.

A mixture schedule is a pure function of (manifest, schedule, seed, sequences
inherited, step): nothing but the step is needed to resume, on any number of
hosts, and nothing that grows with the run is computed or stored. Over every
prefix of the run's sequences, also across stage borders and while rates move,
no source is one sequence or more from its target.

Definitions owned here:
  slot: one sequence of a global batch.
  fill: tokens per token slot of a source's training sequences. Rates are
    shares of tokens; a source whose sequences are padded (packed `best_fit` or
    `whole`) gets 1 / fill as many sequences. Packed `concatenate`, the fill is
    1: only the end of a source is padded.
  inherited sequences: what an earlier run, whose parameters this one starts
    from, has drawn from each source. This run's draws come behind them.
"""

from collections.abc import Iterable
from collections.abc import Mapping
import dataclasses
import difflib
import functools
import types

import numpy as np

from codelaw import errors
from codelaw import records
from codelaw.data import assignment
from codelaw.data import manifest as manifest_lib
from codelaw.data import supply as supply_lib
from codelaw.data import targets


@dataclasses.dataclass(frozen=True, eq=False)
class MixtureSchedule:
  """The slots of every step of one run.

  Attributes:
    sources: every source with a positive rate in any stage, sorted; a
      `source_id` is an index into it.
    stages: names of the stages, in order.
    shares: [stages][2][sources], of tokens at the start and the end of each
      stage; they move in proportion to the tokens of the stage.
    fills: per source, in (0, 1].
    stage_ends: sequences done when each stage ends.
    num_steps: global batches.
    batch_size: sequences per global batch.
    supplies: per source.
    inherited: sequences per source, drawn before the first of this run.
    max_epochs: per source, how often it may be repeated at the most.
    target_tokens: of the run that this one stands for in simulated epoching,
      or None.
  """

  sources: tuple[str, ...]
  stages: tuple[str, ...]
  shares: tuple[targets.Span, ...]
  fills: tuple[float, ...]
  stage_ends: tuple[int, ...]
  num_steps: int
  batch_size: int
  supplies: tuple[supply_lib.Supply, ...]
  inherited: tuple[int, ...]
  max_epochs: tuple[float, ...]
  target_tokens: int | None

  @property
  def stage_end_steps(self) -> dict[str, float]:
    """Stage -> the step, possibly inside a batch, at which it has ended."""
    return {
      stage: end / self.batch_size
      for stage, end in zip(self.stages, self.stage_ends, strict=True)
    }

  def shares_at(self, step: int) -> dict[str, float]:
    """Source -> its share of tokens at the first slot of a step."""
    stage = self._stage_index(step)
    progress = self._assignment.targets.progress(
      stage, min(step * self.batch_size, self.stage_ends[-1])
    )
    start, end = self.shares[stage]
    return {
      source: start[k] + (end[k] - start[k]) * progress
      for k, source in enumerate(self.sources)
    }

  def slots(self, step: int, steps: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """What the global batches of one step, or a few, hold.

    Args:
      step: in [0, num_steps).
      steps: consecutive ones, of which `step` is the first.

    Returns:
      (source_ids int32 [steps * batch], indices int64 [steps * batch] of the
      sequences in the training shards of their source).
    """
    self._check_step(step, self.num_steps - 1)
    self._check_step(step + steps, self.num_steps)
    start, end = step * self.batch_size, (step + steps) * self.batch_size
    source_ids = self._assignment.sources(start, end)
    first = self._assignment.counts(start) + np.array(self.inherited, np.int64)
    draws = first[source_ids] + _occurrences(source_ids)
    indices = supply_lib.indices(self.supplies, source_ids, draws)
    return source_ids.astype(np.int32), indices

  def planned_sequences(self) -> dict[str, dict[str, int]]:
    """Stage -> source -> sequences."""
    until = self._counts_at_stage_ends()
    numbers = np.diff(until, axis=0, prepend=0).tolist()
    return {
      stage: dict(zip(self.sources, row, strict=True))
      for stage, row in zip(self.stages, numbers, strict=True)
    }

  def stage_tokens(self) -> dict[str, dict[str, int]]:
    """Stage -> source -> training tokens, padding excluded."""
    until = [
      [self._tokens(k, count) for k, count in enumerate(counts)]
      for counts in self._counts_at_stage_ends()
    ]
    numbers = np.diff(until, axis=0, prepend=0).tolist()
    return {
      stage: dict(zip(self.sources, row, strict=True))
      for stage, row in zip(self.stages, numbers, strict=True)
    }

  def planned_tokens(self) -> dict[str, int]:
    """Source -> training tokens of the whole run, padding excluded."""
    return self.tokens_until(self.num_steps)

  def tokens_until(self, step: int) -> dict[str, int]:
    """Source -> training tokens of the first `step` steps, padding excluded."""
    return {
      source: self._tokens(k, count)
      for k, (source, count) in enumerate(self.sequences_until(step).items())
    }

  def tokens_between(self, start: int, end: int) -> dict[str, int]:
    """Source -> training tokens of steps `start` to `end`, without `end`."""
    before, after = self.tokens_until(start), self.tokens_until(end)
    return {source: after[source] - before[source] for source in self.sources}

  def sequences_until(self, step: int) -> dict[str, int]:
    """Source -> sequences of the first `step` steps."""
    self._check_step(step, self.num_steps)
    counts = self._assignment.counts(step * self.batch_size).tolist()
    return dict(zip(self.sources, counts, strict=True))

  def epochs(self) -> dict[str, float]:
    """Source -> how often its supply was gone through, inherited included."""
    counts = self._assignment.counts(self.stage_ends[-1]).tolist()
    return {
      source: (self.inherited[k] + counts[k]) / self.supplies[k].sequences
      for k, source in enumerate(self.sources)
    }

  def over_cap(self) -> dict[str, float]:
    """Source -> epochs, of the sources repeated more than they may be."""
    caps = dict(zip(self.sources, self.max_epochs, strict=True))
    return {s: e for s, e in self.epochs().items() if e > caps[s]}

  def check_cap(self) -> None:
    """Refuses a run that repeats a source more than its `max_epochs` times.

    Raises:
      UserError: naming all sources above their caps, the furthest first.
    """
    refused = self.over_cap()
    if not refused:
      return
    caps = dict(zip(self.sources, self.max_epochs, strict=True))
    named = ', '.join(
      f'{source} {refused[source]:.2f} times (max_epochs is {caps[source]:g})'
      for source in sorted(refused, key=lambda s: -refused[s] / caps[s])
    )
    told = ', with what the earlier run drew' if any(self.inherited) else ''
    simulated = (
      f', as a run of {self.target_tokens:,} tokens would'
      if self.target_tokens
      else ''
    )
    rates = 'its rate' if len(refused) == 1 else 'their rates'
    raise errors.UserError(
      f'The plan repeats {named}{told}{simulated}; lower {rates}, train on'
      ' fewer tokens, add documents, or raise RunPlan.max_epochs or'
      ' RunPlan.source_max_epochs.'
    )

  @functools.cached_property
  def _assignment(self) -> assignment.Assignment:
    spans = tuple(
      tuple(
        tuple(
          share / fill for share, fill in zip(side, self.fills, strict=True)
        )
        for side in span
      )
      for span in self.shares
    )
    return assignment.of(spans, self.stage_ends)

  def _tokens(self, k: int, count: int) -> int:
    """Tokens of the first `count` draws of this run from source k."""
    before = self.inherited[k]
    tokens = self.supplies[k].tokens(before + count)
    return tokens - self.supplies[k].tokens(before) if before else tokens

  def _counts_at_stage_ends(self) -> list[list[int]]:
    return [self._assignment.counts(end).tolist() for end in self.stage_ends]

  def _stage_index(self, step: int) -> int:
    self._check_step(step, self.num_steps)
    slot = min(step * self.batch_size, self.stage_ends[-1] - 1)
    return int(np.searchsorted(self.stage_ends, slot, 'right'))

  def _check_step(self, step: int, last: int) -> None:
    if not 0 <= step <= last:
      raise errors.UserError(
        f'Step {step} is not in the run, which has {self.num_steps} steps.'
      )


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
  plan: records.RunPlan,
  manifest: manifest_lib.Manifest,
  inherited: Mapping[str, int] = types.MappingProxyType({}),
) -> MixtureSchedule:
  """The plan's schedule, however often it repeats a source; see `from_plan`.

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
  _check_sources(plan.source_max_epochs, 'RunPlan.source_max_epochs', manifest)
  sources = plan.schedule.sources
  shards = [_training_shards(manifest, source) for source in sources]
  return MixtureSchedule(
    sources=sources,
    stages=tuple(stage.name for stage in plan.schedule.stages),
    shares=tuple(_span(stage, sources) for stage in plan.schedule.stages),
    fills=tuple(fill(split, plan.sequence_length) for split in shards),
    stage_ends=plan.schedule.stage_ends(plan.num_sequences),
    num_steps=plan.num_steps,
    batch_size=plan.batch_size,
    supplies=tuple(
      _supply(plan, manifest, source, split)
      for source, split in zip(sources, shards, strict=True)
    ),
    inherited=tuple(inherited.get(source, 0) for source in sources),
    max_epochs=tuple(
      plan.source_max_epochs.get(source, plan.max_epochs) for source in sources
    ),
    target_tokens=plan.target_tokens,
  )


def from_plan(
  plan: records.RunPlan,
  manifest: manifest_lib.Manifest,
  inherited: Mapping[str, int] = types.MappingProxyType({}),
) -> MixtureSchedule:
  """The plan's schedule.

  Args:
    plan: its schedule, number of tokens, batch and seed are used.
    manifest: of `plan.shards_dir`.
    inherited: source -> sequences that were drawn before this run.

  Raises:
    UserError: for a source the shards do not have, for shards of another
      sequence length, and for a source repeated more than `plan.max_epochs`
      times.
  """
  schedule = uncapped(plan, manifest, inherited)
  schedule.check_cap()
  return schedule


def _span(stage: records.Stage, sources: tuple[str, ...]) -> targets.Span:
  start, end = (mixture.shares() for mixture in stage.mixtures)
  return (
    tuple(start.get(source, 0.0) for source in sources),
    tuple(end.get(source, 0.0) for source in sources),
  )


def fill(shards: manifest_lib.SplitShards, sequence_length: int) -> float:
  """The fill of a source with these training shards, as defined above."""
  if shards.packing == 'concatenate':
    return 1.0
  return shards.tokens / (shards.sequences * sequence_length)


def _supply(
  plan: records.RunPlan,
  manifest: manifest_lib.Manifest,
  source: str,
  shards: manifest_lib.SplitShards,
) -> supply_lib.Supply:
  sequences = shards.sequences
  if plan.target_tokens is not None:  # rounded up
    sequences = -(-sequences * plan.num_tokens // plan.target_tokens)
  return supply_lib.Supply(
    source=source,
    seed=plan.seed,
    stored_sequences=shards.sequences,
    sequences=sequences,
    sequence_length=plan.sequence_length,
    read_padding=functools.partial(
      manifest_lib.padded_sequences, plan.shards_dir, manifest, source, 'train'
    ),
  )


def _check_sources(
  names: Iterable[str], where: str, manifest: manifest_lib.Manifest
) -> None:
  known = sorted(manifest.sources)
  for source in names:
    if source not in known:
      nearest = difflib.get_close_matches(source, known, n=1)
      hint = f'did you mean {nearest[0]}?' if nearest else 'check the spelling.'
      raise errors.UserError(
        f'{where} names {source!r}, which the shards do not have; they have'
        f' {", ".join(known)}; {hint}'
      )


def _training_shards(
  manifest: manifest_lib.Manifest, source: str
) -> manifest_lib.SplitShards:
  _check_sources([source], 'MixtureRates', manifest)
  shards = manifest.split(source, 'train')
  if not shards.sequences:
    raise errors.UserError(
      f'Source {source} has no training sequences in the shards; give it the'
      ' rate 0, or add documents and run `codelaw cache` again.'
    )
  return shards
