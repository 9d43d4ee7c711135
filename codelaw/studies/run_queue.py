"""Which run is trained next: after those it starts from, on a warm step.

Definitions owned here:
  work of a run: its training FLOPs.
  step of a run: what its update is compiled for, see `train.step`; the runs of
    a sweep that have one model have one step.
  ready: its earlier run (`sweep.earlier_run_id`) is finished or is no run of
    this queue.
"""

from collections.abc import Hashable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
import dataclasses

from codelaw import accounting
from codelaw import records
from codelaw.studies import sweep


@dataclasses.dataclass(frozen=True)
class Task:
  """A run to train.

  Attributes:
    run_id: its name.
    plan: what to do.
    model_dir: its folder.
  """

  run_id: str
  plan: records.RunPlan
  model_dir: str

  @property
  def work(self) -> float:
    """Training FLOPs."""
    plan = self.plan
    return plan.num_tokens * accounting.train_flops_per_token(
      plan.model, plan.sequence_length
    )

  @property
  def step(self) -> Hashable:
    """What the run's update is compiled for."""
    plan = self.plan
    optimizer = dataclasses.replace(plan.optimizer, peak_learning_rate=1.0)
    return plan.model, optimizer, plan.sequence_length, plan.batch_size


class RunQueue:
  """Hands out tasks, each once until it is put back.

  Args:
    tasks: in the order in which they are handed out where nothing else counts.
  """

  def __init__(self, tasks: Iterable[Task]):
    self._waiting = {task.run_id: task for task in tasks}
    self._order = {run_id: place for place, run_id in enumerate(self._waiting)}
    self._unfinished = dict(self._waiting)

  def __len__(self) -> int:
    return len(self._waiting)

  def pop(
    self, warm: Hashable = None, busy: Sequence[Hashable] = ()
  ) -> Task | None:
    """Takes out the next run for a worker; None when none is ready.

    A worker keeps to its step while that has a run that is ready. Then it takes
    the step that has the most work for each worker on it, so that all end at
    about the same time.

    Args:
      warm: the step that the worker has compiled.
      busy: the steps that the other workers are on.
    """
    ready = [task for task in self._waiting.values() if self._is_ready(task)]
    if not ready:
      return None
    first = {task.step: task for task in reversed(ready)}
    if warm in first:
      return self._waiting.pop(first[warm].run_id)
    work = dict.fromkeys(first, 0.0)
    for task in self._waiting.values():
      if task.step in work:
        work[task.step] += task.work
    step = max(work, key=lambda step: work[step] / (1 + busy.count(step)))
    return self._waiting.pop(first[step].run_id)

  def put_back(self, task: Task) -> None:
    """The run is to be trained again, before others like it."""
    others = [*self._waiting.values(), task]
    others.sort(key=lambda other: self._order[other.run_id])
    self._waiting = {other.run_id: other for other in others}

  def finished(self, run_id: str) -> None:
    """Those that start from this run may be trained now."""
    del self._unfinished[run_id]

  def give_up(self, run_id: str) -> list[str]:
    """Takes out what starts from this run, however far; returns their names."""
    left_out = list(self._behind(run_id))
    for name in left_out:
      del self._waiting[name]
    return left_out

  def _is_ready(self, task: Task) -> bool:
    return sweep.earlier_run_id(task.plan) not in self._unfinished

  def _behind(self, run_id: str) -> Iterator[str]:
    for task in self._waiting.values():
      if sweep.earlier_run_id(task.plan) == run_id:
        yield task.run_id
        yield from self._behind(task.run_id)
