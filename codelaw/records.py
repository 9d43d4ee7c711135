"""Frozen, validated records that pass between the halves of codelaw.

`MixtureRates`, `Stage`, `Schedule` and `RunPlan` say what a run is meant to
do; `RunRecord` says what it did and is what `run.json` holds. They carry
plain values only, so that training and analysis can share them without
importing each other.
"""

from collections.abc import Mapping
import dataclasses
import math
import os
import re
from typing import Any
from typing import TypeVar

import cattrs

import codelaw
from codelaw import accounting
from codelaw import errors
from codelaw import execution as execution_lib
from codelaw import storage

LEARNING_RATE_SHAPES = ('constant', 'linear', 'cosine')
RUN_STATUSES = ('running', 'finished', 'failed')
_SOURCE_NAME = re.compile(r'[a-z0-9][a-z0-9_.+-]*(/[a-z0-9][a-z0-9_.+-]*)*')


def _require(condition: bool, message: str) -> None:
  if not condition:
    raise errors.UserError(message)


def _is_number(value: Any) -> bool:
  return isinstance(value, (int, float)) and not isinstance(value, bool)


def _whole_number(record: Any, name: str) -> None:
  """Makes a field that gin read as 2e9 the whole number that it is."""
  value = getattr(record, name)
  if isinstance(value, float) and math.isfinite(value) and not value % 1:
    object.__setattr__(record, name, int(value))


def check_source_name(name: Any) -> None:
  """Raises `UserError` unless `name` looks like `code/python`."""
  _require(
    isinstance(name, str) and _SOURCE_NAME.fullmatch(name) is not None,
    'A source is named in lower case, like code/python or commits; got'
    f' {name!r}.',
  )


@dataclasses.dataclass(frozen=True)
class MixtureRates:
  """Relative token weights of the sources of one mixture.

  Attributes:
    rates: source -> weight. A weight is relative: only the shares count. It
      is a share of tokens, never of examples.
  """

  rates: Mapping[str, float]

  def __post_init__(self):
    _require(
      isinstance(self.rates, Mapping) and bool(self.rates),
      'MixtureRates.rates must name at least one source, like'
      f" {{'code/python': 1.0}}; got {self.rates!r}.",
    )
    for source, rate in self.rates.items():
      check_source_name(source)
      _require(
        _is_number(rate) and math.isfinite(rate) and rate >= 0,
        f'MixtureRates.rates[{source!r}] must be a number of at least 0,'
        f' got {rate!r}.',
      )
    total = math.fsum(self.rates.values())
    _require(
      total > 0 and math.isfinite(total),
      'MixtureRates.rates must have a positive, finite sum; got'
      f' {dict(self.rates)!r}.',
    )
    object.__setattr__(
      self, 'rates', {s: float(r) for s, r in self.rates.items()}
    )

  def shares(self) -> dict[str, float]:
    """Shares of tokens: non-negative, with sum 1; zero rates are left out.

    >>> MixtureRates({'code/python': 3, 'code/java': 1, 'commits': 0}).shares()
    {'code/python': 0.75, 'code/java': 0.25}
    """
    total = math.fsum(self.rates.values())
    return {s: rate / total for s, rate in self.rates.items() if rate > 0}


@dataclasses.dataclass(frozen=True)
class Stage:
  """A span of training tokens with one mixture and one learning-rate shape.

  Attributes:
    name: of the stage, for logs and tables: `main`, `cooldown`.
    mixture: what it trains on, or begins with.
    token_weight: its length relative to the run's other stages; a run's
      tokens are divided among its stages in proportion to these weights.
    learning_rate_shape: `constant`, `linear` or `cosine` between the two
      factors over the span of the stage.
    start_factor: of the peak learning rate, at the first token of the stage.
    end_factor: of the peak learning rate, after its last token.
    end_mixture: shares move in proportion to the stage's tokens from those of
      `mixture` to these; None keeps them. A source that only one of the two
      names starts or ends at 0.
  """

  name: str
  mixture: MixtureRates
  token_weight: float = 1.0
  learning_rate_shape: str = 'constant'
  start_factor: float = 1.0
  end_factor: float = 1.0
  end_mixture: MixtureRates | None = None

  def __post_init__(self):
    check_source_name(self.name)
    _require(
      isinstance(self.mixture, MixtureRates),
      f'Stage {self.name}: mixture must be @MixtureRates(), got'
      f' {self.mixture!r}.',
    )
    _require(
      self.end_mixture is None or isinstance(self.end_mixture, MixtureRates),
      f'Stage {self.name}: end_mixture must be None or a scoped'
      f' @{self.name}/end_mixture/MixtureRates(), got {self.end_mixture!r}.',
    )
    _require(
      _is_number(self.token_weight)
      and math.isfinite(self.token_weight)
      and self.token_weight > 0,
      f'Stage {self.name}: token_weight must be a positive number, got'
      f' {self.token_weight!r}.',
    )
    _require(
      self.learning_rate_shape in LEARNING_RATE_SHAPES,
      f'Stage {self.name}: learning_rate_shape must be one of'
      f' {LEARNING_RATE_SHAPES}, got {self.learning_rate_shape!r}.',
    )
    for name in ('start_factor', 'end_factor'):
      value = getattr(self, name)
      _require(
        _is_number(value) and math.isfinite(value) and value >= 0,
        f'Stage {self.name}: {name} must be a number of at least 0, got'
        f' {value!r}.',
      )
    if self.learning_rate_shape == 'constant':
      _require(
        self.start_factor == self.end_factor,
        f'Stage {self.name}: a constant learning rate needs equal'
        f' start_factor and end_factor, got {self.start_factor} and'
        f' {self.end_factor}; name another learning_rate_shape.',
      )

  @property
  def mixtures(self) -> tuple[MixtureRates, MixtureRates]:
    """At the stage's first token and after its last."""
    return self.mixture, self.end_mixture or self.mixture


@dataclasses.dataclass(frozen=True)
class Schedule:
  """The stages of a run, in order; the last may be a cooldown.

  Attributes:
    stages: at least one; names must differ.
    warmup_fraction: of the run's tokens, over which the learning rate is also
      multiplied by a linear ramp from 0 to 1.
    warmup_tokens: the same, in tokens; one of the two at the most.
  """

  stages: tuple[Stage, ...]
  warmup_fraction: float = 0.0
  warmup_tokens: int = 0

  def __post_init__(self):
    _require(
      isinstance(self.stages, (list, tuple))
      and bool(self.stages)
      and all(isinstance(s, Stage) for s in self.stages),
      'Schedule.stages must be a list of @Stage() references, got'
      f' {self.stages!r}.',
    )
    object.__setattr__(self, 'stages', tuple(self.stages))
    names = [stage.name for stage in self.stages]
    _require(
      len(set(names)) == len(names),
      f'Schedule.stages must have different names, got {names}.',
    )
    _require(
      _is_number(self.warmup_fraction) and 0 <= self.warmup_fraction < 1,
      'Schedule.warmup_fraction must be in [0, 1), got'
      f' {self.warmup_fraction!r}.',
    )
    _whole_number(self, 'warmup_tokens')
    _require(
      isinstance(self.warmup_tokens, int) and self.warmup_tokens >= 0,
      'Schedule.warmup_tokens must be a whole number of at least 0, got'
      f' {self.warmup_tokens!r}.',
    )
    _require(
      not (self.warmup_tokens and self.warmup_fraction),
      'Set one of Schedule.warmup_tokens and Schedule.warmup_fraction, got'
      f' {self.warmup_tokens!r} and {self.warmup_fraction!r}.',
    )

  @property
  def sources(self) -> tuple[str, ...]:
    """Every source with a positive rate in any stage, sorted."""
    names = {
      source
      for stage in self.stages
      for mixture in stage.mixtures
      for source in mixture.shares()
    }
    return tuple(sorted(names))

  def stage_ends(self, total: int) -> tuple[int, ...]:
    """Where each stage ends when `total` units are divided among them.

    Each border is the cumulated weight share of `total`, rounded to the
    nearest unit; the last is `total`. Works in any unit (sequences, tokens).

    >>> rates = MixtureRates({'commits': 1})
    >>> Schedule((Stage('main', rates, token_weight=4),
    ...           Stage('cooldown', rates))).stage_ends(101)
    (81, 101)
    """
    weights = [stage.token_weight for stage in self.stages]
    whole = math.fsum(weights)
    return tuple(
      round(total * (math.fsum(weights[: i + 1]) / whole))
      for i in range(len(weights))
    )


@dataclasses.dataclass(frozen=True)
class OptimizerSettings:
  """AdamW (arXiv:1711.05101) with global-norm clipping.

  Attributes:
    peak_learning_rate: multiplied by the schedule's factors.
    beta1: decay of the first moment.
    beta2: decay of the second moment.
    epsilon: added to the root of the second moment.
    weight_decay: decoupled, times the learning rate; not on norms.
    clip_norm: global gradient norm above which gradients are scaled down.
    z_loss: weight of log(Z)^2, kept apart from the reported loss.
  """

  peak_learning_rate: float
  beta1: float = 0.9
  beta2: float = 0.95
  epsilon: float = 1e-8
  weight_decay: float = 0.1
  clip_norm: float = 1.0
  z_loss: float = 0.0

  def __post_init__(self):
    for field in dataclasses.fields(self):
      value = getattr(self, field.name)
      _require(
        _is_number(value) and math.isfinite(value) and value >= 0,
        f'OptimizerSettings.{field.name} must be a number of at least 0, got'
        f' {value!r}.',
      )
    for name in ('peak_learning_rate', 'clip_norm', 'epsilon'):
      _require(
        getattr(self, name) > 0,
        f'OptimizerSettings.{name} must be positive, got'
        f' {getattr(self, name)!r}.',
      )
    for name in ('beta1', 'beta2'):
      _require(
        getattr(self, name) < 1,
        f'OptimizerSettings.{name} must be below 1, got'
        f' {getattr(self, name)!r}.',
      )


@dataclasses.dataclass(frozen=True)
class InitialCheckpoint:
  """Where a run takes its first parameters from.

  The tokens that the earlier run has seen count as seen by this one, and each
  source goes on behind the sequences that it has used, if the shards are the
  same.

  Attributes:
    model_dir: of the earlier run.
    step: of its checkpoint; None takes the last.
    optimizer_state: whether the moments of the gradient are taken over; they
      start from zero otherwise.
    schedule: whether the earlier run's place in the schedule is taken over:
      this run is then the rest of its own schedule, whose first steps the
      earlier run has made. Otherwise its schedule starts from the beginning.
  """

  model_dir: str
  step: int | None = None
  optimizer_state: bool = True
  schedule: bool = False

  def __post_init__(self):
    _require(
      isinstance(self.model_dir, str) and bool(self.model_dir),
      'InitialCheckpoint.model_dir must be the folder of an earlier run, got'
      f' {self.model_dir!r}.',
    )
    _require(
      self.step is None or (isinstance(self.step, int) and self.step > 0),
      'InitialCheckpoint.step must be None or a positive whole number, got'
      f' {self.step!r}.',
    )
    for name in ('optimizer_state', 'schedule'):
      _require(
        isinstance(getattr(self, name), bool),
        f'InitialCheckpoint.{name} must be True or False, got'
        f' {getattr(self, name)!r}.',
      )


@dataclasses.dataclass(frozen=True)
class RunPlan:
  """What one run is meant to do.

  Attributes:
    model: shape of the model.
    schedule: stages with their mixtures and learning-rate shapes.
    optimizer: its settings.
    shards_dir: folder with `manifest.json`, written by `codelaw cache`.
    num_tokens: training tokens asked for; rounded to whole batches. Of the
      whole schedule, also where an earlier run has made its first steps.
    sequence_length: tokens per sequence; must equal the shards'.
    batch_size: sequences per update, over all hosts.
    seed: of the initial parameters and of the data order.
    max_epochs: how often a source may be repeated at the most, with what was
      drawn from it before the initial checkpoint.
    source_max_epochs: source -> the same for one source, instead of
      `max_epochs`.
    target_tokens: tokens of a longer run that this one stands for (simulated
      epoching): each source has only num_tokens / target_tokens of its
      sequences, and is repeated as often as in the longer run. None uses
      all sequences.
    eval_sequences: held-out sequences per source and evaluation, at the most.
    eval_every_steps: 0 evaluates only after the last update.
    checkpoint_every_steps: 0 keeps only the checkpoint after the last update.
    checkpoints_kept: the latest ones that stay on disk.
    checkpoint_steps_kept: steps with a checkpoint that stays on disk besides,
      for runs that branch off there.
    initial: the checkpoint of an earlier run to start from; None starts from
      random parameters.
  """

  model: accounting.ModelShape
  schedule: Schedule
  optimizer: OptimizerSettings
  shards_dir: str
  num_tokens: int
  sequence_length: int
  batch_size: int
  seed: int = 0
  max_epochs: float = 4.0
  source_max_epochs: Mapping[str, float] = dataclasses.field(
    default_factory=dict
  )
  target_tokens: int | None = None
  eval_sequences: int = 64
  eval_every_steps: int = 0
  checkpoint_every_steps: int = 0
  checkpoints_kept: int = 2
  checkpoint_steps_kept: tuple[int, ...] = ()
  initial: InitialCheckpoint | None = None

  def __post_init__(self):
    for name, kind in (
      ('model', accounting.ModelShape),
      ('schedule', Schedule),
      ('optimizer', OptimizerSettings),
    ):
      value = getattr(self, name)
      _require(
        isinstance(value, kind),
        f'RunPlan.{name} must be @{kind.__name__}(), got {value!r}.',
      )
    for name in ('num_tokens', 'target_tokens'):
      _whole_number(self, name)
    for name, least in (
      ('num_tokens', 1),
      ('sequence_length', 2),
      ('batch_size', 1),
      ('seed', 0),
      ('eval_sequences', 0),
      ('eval_every_steps', 0),
      ('checkpoint_every_steps', 0),
      ('checkpoints_kept', 1),
    ):
      value = getattr(self, name)
      _require(
        isinstance(value, int)
        and not isinstance(value, bool)
        and value >= least,
        f'RunPlan.{name} must be a whole number of at least {least}, got'
        f' {value!r}.',
      )
    _require(
      _is_number(self.max_epochs) and self.max_epochs > 0,
      f'RunPlan.max_epochs must be a positive number, got {self.max_epochs!r}.',
    )
    self._check_source_max_epochs()
    _require(
      self.schedule.warmup_tokens < self.num_steps * self.tokens_per_step,
      f'Schedule.warmup_tokens ({self.schedule.warmup_tokens:,}) must be fewer'
      f" than the run's {self.num_steps * self.tokens_per_step:,}; shorten the"
      ' warm-up or train on more tokens.',
    )
    object.__setattr__(
      self, 'checkpoint_steps_kept', tuple(self.checkpoint_steps_kept)
    )
    _require(
      all(isinstance(s, int) and s > 0 for s in self.checkpoint_steps_kept),
      'RunPlan.checkpoint_steps_kept must be a list of positive whole numbers,'
      f' got {self.checkpoint_steps_kept!r}.',
    )
    _require(
      self.initial is None or isinstance(self.initial, InitialCheckpoint),
      'RunPlan.initial must be None or @InitialCheckpoint(), got'
      f' {self.initial!r}.',
    )
    _require(
      self.target_tokens is None
      or (
        isinstance(self.target_tokens, int)
        and not isinstance(self.target_tokens, bool)
        and self.target_tokens >= self.num_tokens
      ),
      'RunPlan.target_tokens must be None or a whole number of at least'
      f' num_tokens ({self.num_tokens}), because it is what the longer run'
      f' trains on; got {self.target_tokens!r}.',
    )
    _require(
      isinstance(self.shards_dir, str) and bool(self.shards_dir),
      'RunPlan.shards_dir must be the folder that `codelaw cache` wrote,'
      f' got {self.shards_dir!r}.',
    )

  def _check_source_max_epochs(self) -> None:
    caps = self.source_max_epochs
    _require(
      isinstance(caps, Mapping),
      "RunPlan.source_max_epochs must be like {'code/python': 2.0}, got"
      f' {caps!r}.',
    )
    for source, cap in caps.items():
      _require(
        _is_number(cap) and cap > 0,
        f'RunPlan.source_max_epochs[{source!r}] must be a positive number,'
        f' got {cap!r}.',
      )
    object.__setattr__(
      self, 'source_max_epochs', {s: float(cap) for s, cap in caps.items()}
    )

  @property
  def tokens_per_step(self) -> int:
    """Token slots of one global batch, padding included."""
    return self.batch_size * self.sequence_length

  @property
  def num_steps(self) -> int:
    """Updates: `num_tokens` rounded to whole batches, at least one."""
    return max(1, round(self.num_tokens / self.tokens_per_step))

  @property
  def num_sequences(self) -> int:
    """Sequences the run trains on."""
    return self.num_steps * self.batch_size


@dataclasses.dataclass(frozen=True)
class RunRecord:
  """What one run did; the content of `run.json`.

  Attributes:
    run_id: name of the run, unique in a run table.
    plan: what was asked for.
    status: `running`, `finished` or `failed`.
    step: updates done when the record was written.
    num_params: all parameters.
    num_params_no_embed: without embedding and output projection.
    params_by_group: of `accounting.params_by_group`.
    train_flops: of the run's own steps, by `flops_convention`.
    flops_convention: in words.
    planned_tokens: source -> tokens of the run's own steps, padding excluded.
    realised_tokens: source -> those trained on so far.
    stage_end_steps: stage -> first step (possibly fractional) after it.
    manifest_fingerprint: of the shards.
    tokenizer_fingerprint: of the tokenizer.
    code_revision: git revision, or the package version where there is none;
      this and the next two are of the last start.
    package_versions: distribution -> version.
    hardware: chip kind, count and peak, hosts.
    wall_seconds: time spent in the run so far, over all restarts.
    message: why it failed; empty otherwise.
    execution: how the last start computed it.
    initial_step: of the checkpoint that the run started from; None when it
      started from random parameters.
    inherited_tokens: source -> tokens that the initial checkpoint had seen.
    inherited_sequences: source -> sequences of the same shards that were drawn
      before step 0 of the plan's schedule.
    inherited_flops: that the initial checkpoint had cost, like `train_flops`.
    supply_tokens: source -> different tokens that the run and those that it
      goes on from may draw, padding excluded. A source whose draws overlap in
      an unknown way is missing, see `train.initial`.
    goodput: share of `wall_seconds` spent on updates that count, as defined in
      `train.bookkeeping`; None before it is known.
    scores_step: the latest step whose checkpoint was evaluated on downstream
      tasks; None for none.
    scores: `task/metric` -> value at that step, see `scores`.
  """

  run_id: str
  plan: RunPlan
  status: str
  step: int
  num_params: int
  num_params_no_embed: int
  params_by_group: Mapping[str, int]
  train_flops: float
  flops_convention: str
  planned_tokens: Mapping[str, int]
  realised_tokens: Mapping[str, int]
  stage_end_steps: Mapping[str, float]
  manifest_fingerprint: str
  tokenizer_fingerprint: str
  code_revision: str
  package_versions: Mapping[str, str]
  hardware: Mapping[str, str]
  wall_seconds: float
  message: str = ''
  execution: execution_lib.Execution = execution_lib.AUTOMATIC
  initial_step: int | None = None
  inherited_tokens: Mapping[str, int] = dataclasses.field(default_factory=dict)
  inherited_sequences: Mapping[str, int] = dataclasses.field(
    default_factory=dict
  )
  inherited_flops: float = 0.0
  supply_tokens: Mapping[str, int] = dataclasses.field(default_factory=dict)
  goodput: float | None = None
  scores_step: int | None = None
  scores: Mapping[str, float] = dataclasses.field(default_factory=dict)

  def __post_init__(self):
    _require(
      self.status in RUN_STATUSES,
      f'RunRecord.status must be one of {RUN_STATUSES}, got {self.status!r}.',
    )

  @property
  def first_step(self) -> int:
    """Where the run begins in its schedule; its own steps are from there."""
    goes_on = self.plan.initial is not None and self.plan.initial.schedule
    return (self.initial_step or 0) if goes_on else 0

  def tokens_seen(self, own: Mapping[str, int]) -> dict[str, int]:
    """Source -> tokens its parameters have seen after `own` of the run."""
    sources = sorted({*self.inherited_tokens, *own})
    return {
      source: self.inherited_tokens.get(source, 0) + own.get(source, 0)
      for source in sources
    }


_Record = TypeVar('_Record')
_converter = cattrs.Converter(forbid_extra_keys=True)


def to_json(record: Any) -> Any:
  """Returns a record as plain JSON values."""
  return _converter.unstructure(record)


def from_json(content: Any, kind: type[_Record]) -> _Record:
  """Builds a record of class `kind` from the values `to_json` returned.

  Raises:
    UserError: when `content` does not describe such a record.
  """
  try:
    return _converter.structure(content, kind)
  except Exception as error:
    reasons = '; '.join(cattrs.transform_error(error))
    raise errors.UserError(
      f'Expected a {kind.__name__} in JSON: {reasons}.'
    ) from error


def read_run_record(model_dir: storage.PathLike) -> RunRecord:
  """Reads `run.json` of a run directory.

  Raises:
    UserError: when there is none, or it is not what this codelaw writes.
  """
  file = storage.path(model_dir) / 'run.json'
  content = storage.read_json(file)
  try:
    return from_json(content, RunRecord)
  except errors.UserError as error:
    versions = content.get('package_versions') if content else None
    version = dict(versions or {}).get('codelaw', 'an unknown version')
    raise errors.UserError(
      f'{os.fspath(file)} was written by codelaw {version} and cannot be read'
      f' by this one ({codelaw.__version__}): {error} Use that version, or'
      ' restore the file.'
    ) from error


def write_run_record(model_dir: storage.PathLike, record: RunRecord) -> None:
  """Writes `run.json` of a run directory, whole or not at all."""
  storage.write_json(storage.path(model_dir) / 'run.json', to_json(record))
