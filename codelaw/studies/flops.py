"""FLOPs of a study's runs, and what runs that start from others save.

Counted for whole batches, by `accounting.train_flops_per_token`.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses

from codelaw import accounting
from codelaw import records
from codelaw.studies import experiments
from codelaw.studies import sweep


@dataclasses.dataclass(frozen=True)
class Flops:
  """What the runs of a study cost.

  Attributes:
    trained: of all runs, each from where it starts.
    from_scratch: of the runs that are compared, were each of them trained from
      random parameters by itself.
  """

  trained: float
  from_scratch: float

  @property
  def saving(self) -> float:
    """Share of `from_scratch` that shared beginnings save."""
    return 1 - self.trained / self.from_scratch


def of(runs: Sequence[experiments.PlannedRun]) -> Flops:
  """What runs cost together; a run that starts from another comes behind it."""
  plans = {run.run_id: run.plan for run in runs}
  return Flops(
    trained=sum(
      _per_step(plan) * (plan.num_steps - first_step(plan, plans))
      for plan in plans.values()
    ),
    from_scratch=sum(
      _until(run.plan, run.plan.num_steps, plans)
      for run in runs
      if run.is_result
    ),
  )


def first_step(
  plan: records.RunPlan, plans: Mapping[str, records.RunPlan]
) -> int:
  """Step of its own schedule at which a planned run starts.

  Args:
    plan: of the run.
    plans: of the study's runs, by their names.
  """
  goes_on = plan.initial is not None and plan.initial.schedule
  return _initial_step(plan, plans) if goes_on else 0


def _initial_step(
  plan: records.RunPlan, plans: Mapping[str, records.RunPlan]
) -> int:
  """Step of the earlier run's checkpoint; 0 where nothing is known of it."""
  if plan.initial is not None and plan.initial.step is not None:
    return plan.initial.step
  earlier = plans.get(sweep.earlier_run_id(plan) or '')
  return 0 if earlier is None else earlier.num_steps


def _until(
  plan: records.RunPlan, step: int, plans: Mapping[str, records.RunPlan]
) -> float:
  """FLOPs of the study that are behind the parameters at a step of a run."""
  own = _per_step(plan) * (step - first_step(plan, plans))
  earlier = plans.get(sweep.earlier_run_id(plan) or '')
  if earlier is None:
    return own
  return own + _until(earlier, _initial_step(plan, plans), plans)


def _per_step(plan: records.RunPlan) -> float:
  per_token = accounting.train_flops_per_token(plan.model, plan.sequence_length)
  return per_token * plan.tokens_per_step
