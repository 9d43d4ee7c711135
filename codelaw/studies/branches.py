"""Trunks and branches: the points of a grid for less than its runs cost.

With a constant learning rate the runs of one model on one source differ, up to
their cooldowns, in length alone. So one run, the trunk, makes the steps that
they share, and each number of tokens is a branch, which starts from one of the
trunk's checkpoints and cools down (arXiv:2405.18392). A branch ends bit-equal
to a run from random parameters with its schedule, so its point is the same.
"""

from collections.abc import Iterator
from collections.abc import Sequence
import dataclasses

from codelaw import accounting
from codelaw import errors
from codelaw import records
from codelaw.planning import ladder
from codelaw.studies import experiments


@dataclasses.dataclass(frozen=True)
class Branches:
  """The points of a grid by trunks and branches, for laws of sources.

  The pattern's schedule must be one stage at a constant learning rate and a
  cooldown, its warm-up in tokens, as runs/trunk.gin and runs/branch.gin have
  it. The border between the two is moved to the nearest step.

  Attributes:
    grid: whose points; it is then no experiment of its own.
  """

  grid: experiments.Grid

  def __post_init__(self):
    if not isinstance(self.grid, experiments.Grid):
      raise errors.UserError(
        f'Branches.grid must be @Grid(), got {self.grid!r}.'
      )

  def runs(
    self, pattern: experiments.Pattern
  ) -> Iterator[experiments.PlannedRun]:
    """Yields for each model and source the trunk, then its branches."""
    _check(pattern.run)
    for model in self.grid.models:
      for source in self.grid.sources:
        mixture = records.MixtureRates({source: 1.0})
        schedule = ladder.with_mixture(pattern.run.schedule, mixture)
        wholes = [
          pattern.plan(model=model, num_tokens=tokens, schedule=schedule)
          for tokens in sorted(set(self.grid.token_budgets))
        ]
        yield from _grown(pattern, wholes)


def _grown(
  pattern: experiments.Pattern, wholes: Sequence[records.RunPlan]
) -> Iterator[experiments.PlannedRun]:
  """A trunk and its branches, from what each is as a whole."""
  _check_sizing(wholes)
  borders = [_border(whole) for whole in wholes]
  longest = wholes[-1]
  main = dataclasses.replace(longest.schedule.stages[0], token_weight=1.0)
  trunk = pattern.named(
    'trunk',
    dataclasses.replace(
      longest,
      num_tokens=borders[-1] * longest.tokens_per_step,
      schedule=dataclasses.replace(longest.schedule, stages=(main,)),
      checkpoint_steps_kept=tuple(sorted(set(borders))),
    ),
  )
  yield trunk
  for whole, border in zip(wholes, borders, strict=True):
    weights = (border, whole.num_steps - border)
    stages = tuple(
      dataclasses.replace(stage, token_weight=float(weight))
      for stage, weight in zip(whole.schedule.stages, weights, strict=True)
    )
    yield pattern.named(
      'single',
      dataclasses.replace(
        whole,
        schedule=dataclasses.replace(whole.schedule, stages=stages),
        initial=records.InitialCheckpoint(
          pattern.folder(trunk), border, schedule=True
        ),
      ),
    )


def _border(whole: records.RunPlan) -> int:
  """The step at which the cooldown begins."""
  border, _ = whole.schedule.stage_ends(whole.num_steps)
  if not 0 < border < whole.num_steps:
    raise errors.UserError(
      f'A branch needs a step before its cooldown and one in it, got'
      f' {whole.num_steps} steps for {whole.num_tokens:,} tokens of'
      f' {accounting.num_params(whole.model):,} parameters; take more tokens.'
    )
  return border


def _check(run: records.RunPlan) -> None:
  """Refuses patterns whose runs do not begin alike."""
  stages = run.schedule.stages
  if len(stages) != 2 or stages[0].learning_rate_shape != 'constant':
    shapes = [stage.learning_rate_shape for stage in stages]
    raise errors.UserError(
      'Branches need a schedule of one stage at a constant learning rate and a'
      f' cooldown, like schedules/wsd.gin; got stages that are {shapes}.'
    )
  if run.schedule.warmup_fraction:
    raise errors.UserError(
      'Branches of different length begin alike where the warm-up is in tokens;'
      f' got Schedule.warmup_fraction = {run.schedule.warmup_fraction}. Set it'
      ' to 0, and Schedule.warmup_tokens.'
    )
  if run.target_tokens is not None:
    raise errors.UserError(
      'Branches of different length draw the same sequences where they have'
      ' the same supply; got RunPlan.target_tokens ='
      f' {run.target_tokens:,}. Set it to None, or train the grid itself.'
    )


def _check_sizing(wholes: Sequence[records.RunPlan]) -> None:
  for whole in wholes:
    for name in ('batch_size', 'optimizer'):
      first, other = (getattr(plan, name) for plan in (wholes[0], whole))
      if first != other:
        raise errors.UserError(
          'Branches of one trunk have one batch and one peak learning rate, but'
          f' StudyPlan.sizing gives {name} {first!r} for'
          f' {wholes[0].num_tokens:,} tokens and {other!r} for'
          f' {whole.num_tokens:,}; take a sizing that does not depend on'
          ' tokens, or train the grid itself.'
        )
