"""Whether the settings of a study are what they must be, and hang together.

Gin binds anything to anything; what is wrong is said here, in one sentence,
before it shows as something else further on.
"""

from __future__ import annotations

from collections.abc import Mapping
import math
import re
import typing
from typing import Any

from codelaw import errors
from codelaw import records
from codelaw.corpora import plan as plan_lib
from codelaw.data import shards as shards_lib
from codelaw.launch import job as job_lib
from codelaw.launch import mount as mount_lib
from codelaw.laws import fitting
from codelaw.laws import forms
from codelaw.planning import allocation as allocation_lib
from codelaw.planning import ladder
from codelaw.planning import objective as objective_lib
from codelaw.studies import attempts as attempts_lib
from codelaw.studies import experiments as experiments_lib
from codelaw.studies import scale as scale_lib

if typing.TYPE_CHECKING:
  from codelaw.studies import sweep

# Of settings that may be several things, those they may be.
_EXAMPLES: Mapping[Any, str] = {
  ladder.Sizing: '@LearningRateRule(), @DeepSeekSizing()',
  experiments_lib.Experiment: 'a list of @Grid(), @Branches() and the like',
}


def check(study: sweep.StudyPlan) -> None:
  """Refuses what cannot be a study.

  Raises:
    UserError: for a setting of another kind, and for settings that contradict
      each other.
  """
  _check_kinds(study)
  _check_numbers(study)
  _check_supply(study)
  forms.check_name(study.law)
  for source in study.target_sources:
    records.check_source_name(source)
  _check_folders(study)
  if study.engine is not None:
    _check_engine(study, study.engine)
  if study.allocation is not None:
    _check_allocation(study, study.allocation)
  elif study.confirmation_seeds:
    raise errors.UserError(
      'StudyPlan.confirmation_seeds compares allocated with uniform rates;'
      ' bind StudyPlan.allocation = @AllocationSettings() too.'
    )


def _check_kinds(study: sweep.StudyPlan) -> None:
  """Refuses what gin gave in another place's stead."""
  given: list[tuple[str, Any, tuple[type, ...]]] = [
    ('run', study.run, (records.RunPlan,)),
    ('corpus', study.corpus, (plan_lib.CorpusPlan, type(None))),
    ('shards', study.shards, (shards_lib.CachePlan, type(None))),
    ('sizing', study.sizing, (ladder.Sizing, type(None))),
    ('scale', study.scale, (scale_lib.Scale, type(None))),
    ('fit', study.fit, (fitting.FitSettings,)),
    ('retries', study.retries, (attempts_lib.RetryPolicy,)),
    (
      'allocation',
      study.allocation,
      (allocation_lib.AllocationSettings, type(None)),
    ),
    *(
      ('experiments', one, (experiments_lib.Experiment,))
      for one in study.experiments
    ),
  ]
  for name, value, kinds in given:
    if isinstance(value, type) or not isinstance(value, kinds):
      what = _EXAMPLES.get(kinds[0], f'@{kinds[0].__name__}()')
      raise errors.UserError(
        f'StudyPlan.{name} takes {what}{" or None" if kinds[1:] else ""}, got'
        f' {value!r}.'
      )
  if not isinstance(study.name, str) or not re.fullmatch(r'[^/]+', study.name):
    raise errors.UserError(
      'StudyPlan.name names files, so it must be a text without /, got'
      f' {study.name!r}.'
    )
  models = [where.model for where in study.slices]
  if len(set(models)) < len(models):
    raise errors.UserError(
      'StudyPlan.slices has two for one model; a model is trained on one.'
    )
  if not study.run.eval_sequences:
    raise errors.UserError(
      'A study compares held-out losses; got RunPlan.eval_sequences = 0.'
    )


def _check_numbers(study: sweep.StudyPlan) -> None:
  for name, kinds in (
    ('num_workers', int),
    ('confirmation_seeds', int),
    ('poll_seconds', (int, float)),
    ('dollars_per_chip_hour', (int, float)),
  ):
    value = getattr(study, name)
    if (
      isinstance(value, bool)
      or not isinstance(value, kinds)
      or not 0 <= value < math.inf
    ):
      what = 'whole number' if kinds is int else 'number'
      raise errors.UserError(
        f'StudyPlan.{name} must be a {what} of at least 0, got {value!r}.'
      )


def _check_folders(study: sweep.StudyPlan) -> None:
  for name in ('study_dir', 'generated_dir'):
    folder = getattr(study, name)
    if not isinstance(folder, str) or not folder:
      raise errors.UserError(
        f'StudyPlan.{name} must be a folder to write into, got {folder!r}.'
      )
  corpus_dir = study.shards and study.shards.corpus_dir
  if study.corpus and study.shards and corpus_dir != study.corpus.output_dir:
    raise errors.UserError(
      'StudyPlan.shards must read the corpus that the study builds, got'
      f' {corpus_dir} and {study.corpus.output_dir}.'
    )
  if study.shards and study.run.shards_dir != study.shards.shards_dir:
    raise errors.UserError(
      'StudyPlan.run must train on the shards that the study writes, got'
      f' {study.run.shards_dir} and {study.shards.shards_dir}.'
    )


def _check_supply(study: sweep.StudyPlan) -> None:
  supply = study.supply or {}
  if not isinstance(supply, Mapping):
    raise errors.UserError(
      "StudyPlan.supply must be like {'code/python': 20e9}, got"
      f' {study.supply!r}.'
    )
  for source, tokens in supply.items():
    if (
      isinstance(tokens, bool)
      or not isinstance(tokens, (int, float))
      or not 0 <= tokens < math.inf
    ):
      raise errors.UserError(
        f'StudyPlan.supply[{source!r}] must be a number of at least 0, got'
        f' {tokens!r}.'
      )


def _check_engine(study: sweep.StudyPlan, engine: job_lib.Engine) -> None:
  if not isinstance(engine, job_lib.Engine):
    raise errors.UserError(
      'StudyPlan.engine must be @QueuedResources(), @JobSet(), @Xpk() or'
      f' None, got {engine!r}; ENGINE of a file in gin_configs/launch/ binds'
      ' it.'
    )
  if not isinstance(study.max_jobs, int) or study.max_jobs < 1:
    raise errors.UserError(
      'StudyPlan.max_jobs must be a whole number of at least 1, got'
      f' {study.max_jobs!r}.'
    )
  folders = {
    'StudyPlan.study_dir': study.study_dir,
    'RunPlan.shards_dir': study.run.shards_dir,
  }
  for name, folder in folders.items():
    mount_lib.check_seen(engine.mount, name, folder)


def _check_allocation(
  study: sweep.StudyPlan, found: allocation_lib.AllocationSettings
) -> None:
  if not study.target_sources:
    raise errors.UserError(
      'StudyPlan.allocation needs laws: name the sources whose held-out loss'
      ' counts in StudyPlan.target_sources.'
    )
  if found.objective == objective_lib.SCORE:
    raise errors.UserError(
      'A study allocates for losses; got'
      f' AllocationSettings.objective = {found.objective!r}. Fit'
      ' laws of scores to its runs afterwards, and give them to `codelaw'
      ' allocate --score_fit`.'
    )
  if found.stages:
    raise errors.UserError(
      'The confirmation of a study trains one mixture throughout a run; got'
      f' AllocationSettings.stages of {len(found.stages)} stages.'
      ' Give stages to `codelaw allocate --stages` on its laws.'
    )
  if study.confirmation_seeds == 1:
    raise errors.UserError(
      'StudyPlan.confirmation_seeds must be 0 or at least 2, because an'
      ' interval needs repetition; got 1.'
    )
