"""Whether a study's corpus can supply its runs, found out before any starts.

Every run gets the very schedule that it will be trained on. A run that starts
from another one of the study goes on behind the sequences that this one draws,
whether that one has been trained or not.

Definitions owned here:
  supply of a study: the training shards of its manifest; where they are not
    there yet, the tokens that `StudyPlan.supply` declares, as shards without
    padding; without either, endless, so that nothing is refused.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import functools
import os

from codelaw import errors
from codelaw import records
from codelaw import storage
from codelaw.data import manifest as manifest_lib
from codelaw.data import schedule as schedule_lib
from codelaw.studies import experiments
from codelaw.studies import sweep
from codelaw.train import checking
from codelaw.train import initial
from codelaw.train import rundir

_ENDLESS = 2**48  # tokens; 281e12
_ADVICE = (
  'lower their rates, train on fewer tokens, add documents, or raise'
  ' RunPlan.max_epochs or RunPlan.source_max_epochs'
)


@dataclasses.dataclass(frozen=True)
class Supply:
  """Where the tokens of a study come from.

  Attributes:
    kind: `shards`, `declared` or `endless`.
    manifest: of the shards that a plan is trained on, or would be.
    tokens: source -> its training tokens; empty where they are endless.
    sources: names of those that may be trained on; None where that is not
      known.
    held_out: names of those that have held-out text; None likewise.
  """

  kind: str
  manifest: Callable[[records.RunPlan], manifest_lib.Manifest]
  tokens: Mapping[str, float]
  sources: frozenset[str] | None
  held_out: frozenset[str] | None


@dataclasses.dataclass(frozen=True)
class Drawn:
  """What one run draws.

  Attributes:
    run: as it is planned.
    schedule: that it is trained on, however often it repeats a source.
    record: that it has when it starts.
    notes: about what could not be taken over from an earlier run.
  """

  run: experiments.PlannedRun
  schedule: schedule_lib.MixtureSchedule
  record: records.RunRecord
  notes: tuple[str, ...] = ()

  @property
  def own_slots(self) -> int:
    """Token slots of the steps that are its own."""
    plan = self.run.plan
    return (plan.num_steps - self.record.first_step) * plan.tokens_per_step

  @functools.cached_property
  def epochs(self) -> dict[str, float]:
    """Source -> how often it is gone through, with earlier runs' draws."""
    return self.schedule.epochs()

  @functools.cached_property
  def max_epochs(self) -> dict[str, float]:
    """Source -> how often it may be repeated."""
    schedule = self.schedule
    return dict(zip(schedule.sources, schedule.max_epochs, strict=True))

  @functools.cached_property
  def over_cap(self) -> dict[str, float]:
    """Source -> epochs, of those repeated more often than they may be."""
    return {s: e for s, e in self.epochs.items() if e > self.max_epochs[s]}

  @functools.cached_property
  def drawn_tokens(self) -> dict[str, int]:
    """Source -> tokens, with those that earlier runs drew before it."""
    schedule = self.schedule
    counts = schedule.sequences_until(schedule.num_steps)
    return {
      supply.source: supply.tokens(before + counts[supply.source])
      for supply, before in zip(
        schedule.supplies, schedule.inherited, strict=True
      )
    }

  @functools.cached_property
  def needed_tokens(self) -> dict[str, float]:
    """Source -> tokens that its shards must have at the least."""
    plan = self.run.plan
    simulated = plan.num_tokens / (plan.target_tokens or plan.num_tokens)
    return {
      source: tokens / self.max_epochs[source] / simulated
      for source, tokens in self.drawn_tokens.items()
    }


def of_study(
  study: sweep.StudyPlan, runs: Iterable[experiments.PlannedRun]
) -> Supply:
  """The supply as it is now; reads the manifest at the most.

  Args:
    study: whose supply.
    runs: that draw from it.
  """
  folder = study.here(study.run.shards_dir)
  if manifest_lib.exists(folder):
    return of_manifest(manifest_lib.read(folder))
  built = None
  if study.corpus is not None:
    readers = study.corpus.readers
    built = frozenset(name for one in readers for name in one.source_names())
  if study.supply:
    tokens = dict(study.supply)
    made = functools.partial(_whole_sequences, tokens, _tokenizer(study))
    return Supply('declared', made, tokens, frozenset(tokens), built)
  names = {source for run in runs for source in run.plan.schedule.sources}
  tokens = dict.fromkeys(sorted(names), _ENDLESS)
  made = functools.partial(_whole_sequences, tokens, _tokenizer(study))
  return Supply('endless', made, {}, built, built)


def of_manifest(manifest: manifest_lib.Manifest) -> Supply:
  """The supply of shards that are there."""
  tokens = {
    source: splits['train'].tokens
    for source, splits in manifest.sources.items()
    if 'train' in splits
  }
  held_out = frozenset(
    source
    for source, splits in manifest.sources.items()
    if 'validation' in splits and splits['validation'].sequences
  )
  return Supply(
    'shards', lambda plan: manifest, tokens, frozenset(tokens), held_out
  )


def check_targets(study: sweep.StudyPlan, supply: Supply) -> None:
  """Refuses laws of losses that no run of the study will have.

  Raises:
    UserError: naming the targets without held-out text.
  """
  if supply.held_out is None:
    return
  missing = sorted({*study.target_sources} - supply.held_out)
  if missing:
    raise errors.UserError(
      f'StudyPlan.target_sources names {", ".join(missing)}, of which there is'
      f' no held-out text; there is of {", ".join(sorted(supply.held_out))}.'
    )


def draw(
  study: sweep.StudyPlan,
  runs: Iterable[experiments.PlannedRun],
  supply: Supply,
) -> list[Drawn]:
  """What each run draws, in the order of the runs.

  Args:
    study: that they are of.
    runs: one that starts from another comes behind it.
    supply: of the study.

  Raises:
    UserError: for sources that the supply has not, and for a run that cannot
      start from the one it names, or not be trained on these shards.
  """
  runs_dir = study.pattern.runs_dir
  runs = list(runs)
  _check_sources(runs, supply)
  at_end: dict[str, records.RunRecord] = {}
  found = []
  for run in runs:
    plan = run.plan
    manifest = supply.manifest(plan)
    checking.check_vocabulary(plan, manifest)
    earlier = (
      at_end.get(storage.real_path(plan.initial.model_dir))
      if plan.initial
      else None
    )
    here = study.plan_here(plan)
    inherited = initial.of_plan(here, manifest, earlier)
    schedule = schedule_lib.uncapped(here, manifest, inherited.sequences)
    record = rundir.planned_record(
      plan, manifest, schedule, run.run_id, inherited
    )
    found.append(Drawn(run, schedule, record, inherited.notes))
    folder = os.fspath(storage.path(runs_dir) / run.run_id)
    at_end[storage.real_path(folder)] = rundir.at_end(record)
  return found


def check(found: Sequence[Drawn]) -> None:
  """Refuses runs that repeat a source more often than they may.

  Raises:
    UserError: naming every such source, with the run that repeats it most.
  """
  refused: dict[str, list[tuple[float, float, str]]] = {}
  for drawn in found:
    for source, epochs in drawn.over_cap.items():
      refused.setdefault(source, []).append(
        (epochs, drawn.max_epochs[source], drawn.run.run_id)
      )
  if not refused:
    return
  number = sum(bool(drawn.over_cap) for drawn in found)
  named = '; '.join(
    _told(source, runs) for source, runs in sorted(refused.items())
  )
  raise errors.UserError(
    f'The corpus cannot supply {number:,} of {len(found):,} runs: {named};'
    f' {_ADVICE}.'
  )


def _told(source: str, runs: Sequence[tuple[float, float, str]]) -> str:
  epochs, cap, run_id = max(runs, key=lambda run: run[0] / run[1])
  where = run_id if len(runs) == 1 else f'{len(runs):,} runs, {run_id} the most'
  return f'{source} is repeated {epochs:.2f} times of {cap:g} ({where})'


def _check_sources(
  runs: Sequence[experiments.PlannedRun], supply: Supply
) -> None:
  if supply.sources is None:
    return
  missing: dict[str, int] = {}
  for run in runs:
    for source in run.plan.schedule.sources:
      if source not in supply.sources:
        missing[source] = missing.get(source, 0) + 1
  if not missing:
    return
  named = ', '.join(f'{s} ({n:,} runs)' for s, n in sorted(missing.items()))
  where = {
    'shards': f'the shards in {runs[0].plan.shards_dir} do not have',
    'declared': 'StudyPlan.supply does not name',
    'endless': 'StudyPlan.corpus does not build',
  }[supply.kind]
  raise errors.UserError(
    f'The study trains on sources that {where}: {named}; there are'
    f' {", ".join(sorted(supply.sources))}.'
  )


def _tokenizer(study: sweep.StudyPlan) -> str:
  """Of the run outside the study that its runs start from, if there is one."""
  start = study.plan_here(study.run).initial
  if start is None or not (storage.path(start.model_dir) / 'run.json').exists():
    return ''
  return records.read_run_record(start.model_dir).tokenizer_fingerprint


def _whole_sequences(
  tokens: Mapping[str, float], tokenizer: str, plan: records.RunPlan
) -> manifest_lib.Manifest:
  """Shards of so many tokens without padding, as the plan would read them."""
  length = plan.sequence_length
  return manifest_lib.Manifest(
    vocab_size=1,
    sequence_length=length,
    token_dtype='uint32',
    tokenizer_fingerprint=tokenizer,
    corpus_fingerprint='',
    plan_fingerprint='',
    sources={
      source: {
        'train': manifest_lib.SplitShards(
          packing='concatenate',
          documents=0,
          bytes=0,
          tokens=int(number) // length * length,
          sequences=int(number) // length,
          padding_tokens=0,
          truncated_tokens=0,
          left_out_documents=0,
          files=(),
          padding_file=None,
        )
      }
      for source, number in tokens.items()
    },
  )
