"""Tasks of the lm-evaluation-harness (package `lm-eval`), by name.

The harness brings the tasks: data sets, prompts, metrics. `HarnessTasks` lets a
codelaw model answer them (`harness_model.py`), and turns what comes out into
scores with standard errors (`harness_scores.py`). Tasks that the harness lacks
are YAML files in `harness_tasks/`, or in a folder of the user's.

Data sets come from a hub and stay in its own cache (`HF_HOME`); what the
harness prepares from them goes to a temporary folder, or to `cache_dir`.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import importlib.metadata
import importlib.util
import pathlib
import random
from typing import Any

import numpy as np

from codelaw import errors
from codelaw import scores as scores_lib
from codelaw.evaluation import harness_index
from codelaw.evaluation import harness_model
from codelaw.evaluation import harness_scores
from codelaw.evaluation import harness_surroundings
from codelaw.evaluation import language_model
from codelaw.evaluation import task as task_lib


@dataclasses.dataclass(frozen=True)
class HarnessTasks:
  """Some of the harness's tasks, as one task of an evaluation.

  Attributes:
    tasks: names of the harness: tasks, groups (`mmlu`) and tags.
    name: names the file of samples.
    category: of the scores, which are called `<category>/<task>/<metric>`.
    include_path: folder of YAML files with tasks of your own, or empty.
    data_files: task -> local file of data to use in place of the hub's:
      `.json`, `.jsonl`, `.csv` or `.parquet` with the columns of that data set.
      A task whose file is empty ('') is left out.
    num_fewshot: examples in front of each item; None leaves it to the task.
      Where a task's YAML says 0, that stands.
    limit: at most so many items per task, the first ones; None for all.
    metrics: task or group -> metric of the harness that counts, `acc_norm` or
      `exact_match,strict-match`; the first of the task's where it is not named.
    generation: settings that replace those of the tasks that generate:
      `max_gen_toks`, `until`, `do_sample`, `temperature`, `top_p`.
    cache_dir: folder for prepared data sets, empty for a temporary one.
    seed: of examples and draws.
  """

  tasks: Sequence[str]
  name: str = 'harness'
  category: str = ''
  include_path: str = ''
  data_files: Mapping[str, str] = dataclasses.field(default_factory=dict)
  num_fewshot: int | None = None
  limit: int | None = None
  metrics: Mapping[str, str] = dataclasses.field(default_factory=dict)
  generation: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  cache_dir: str = ''
  seed: int = 0

  def __post_init__(self):
    if isinstance(self.tasks, str) or not self.tasks:
      raise errors.UserError(
        'HarnessTasks.tasks must be a list of names of the harness, for'
        f" instance ['hellaswag', 'arc_easy'], got {self.tasks!r}."
      )
    if self.limit is not None and (
      not isinstance(self.limit, int) or self.limit < 1
    ):
      raise errors.UserError(
        f'HarnessTasks.limit must be at least 1 item or None for all, got'
        f' {self.limit!r}.'
      )
    object.__setattr__(self, 'tasks', tuple(self.tasks))

  def check(self) -> None:
    """Names, folders and files, before a model is loaded; see `task.Task`."""
    _require_harness()
    with harness_surroundings.quiet() as folder:
      self._manager(folder)

  def evaluate(
    self,
    model: language_model.LanguageModel,
    report: Callable[[str, float | None], None],
  ) -> task_lib.Result:
    """Asks the model; see `task.Task`."""
    _require_harness()
    scores: dict[str, scores_lib.Score] = {}
    samples: list[dict[str, Any]] = []
    notes = [
      f'{name} was left out: HarnessTasks.data_files has no file for it.'
      for name in self.tasks
      if name not in self._chosen()
    ]
    with harness_surroundings.quiet(self.cache_dir) as folder:
      manager = self._manager(folder)
      # All of the data first: what is missing must not cost what was computed.
      ready = {}
      for name in self._chosen():
        report(f'{name}: loading', 0.0)
        ready[name] = self._load(manager, name)
      for place, (name, loaded) in enumerate(ready.items()):
        start = place / len(ready)
        adapter = harness_model.HarnessModel(
          model, self.seed, _within(report, name, start, 1 / len(ready))
        )
        self._start_draws()
        results = _run(adapter, loaded, self.limit)
        samples += harness_scores.samples(results)
        for score in self._scores(results, loaded):
          scores[score.name] = score
        notes += self._notes(results, loaded)
    return task_lib.Result(list(scores.values()), samples, notes)

  def _chosen(self) -> list[str]:
    return [n for n in self.tasks if self.data_files.get(n) != '']

  def _manager(self, folder: pathlib.Path) -> Any:
    folders = [self.include_path] if self.include_path else []
    names = (*self.tasks, *self.data_files)
    manager = harness_index.manager(names, folders)
    for name in self.tasks:
      harness_index.refuse_unsafe(manager.task_index, name)
    files = {task: file for task, file in self.data_files.items() if file}
    if not files:
      return manager
    written = folder / 'tasks'
    written.mkdir()
    harness_index.from_files(manager.task_index, files, written)
    return harness_index.manager(names, [*folders, written])

  def _start_draws(self) -> None:
    """A task's own functions may draw; other tasks must not matter to it."""
    random.seed(self.seed)
    np.random.seed(self.seed)

  def _load(self, manager: Any, name: str) -> Any:
    """With the data; its seed and settings are set as the harness does."""
    self._start_draws()
    try:
      loaded = manager.load([name])
    except Exception as error:
      raise _cannot_load(manager.task_index, name, error) from error
    for task in loaded['tasks'].values():
      if getattr(task, 'MULTIMODAL', False):
        raise errors.UserError(
          f'The task {task.task_name} asks about images or sound, which codelaw'
          ' models do not take; leave it out.'
        )
      fewshot = task.get_config('num_fewshot')
      if fewshot is None or (self.num_fewshot is not None and fewshot != 0):
        task.set_config('num_fewshot', self.num_fewshot or 0)
      if task.OUTPUT_TYPE == 'generate_until' and self.generation:
        task.set_config('generation_kwargs', dict(self.generation), update=True)
      task.set_fewshot_seed(self.seed)
    return loaded

  def _scores(
    self, results: Mapping[str, Any], loaded: Mapping[str, Any]
  ) -> Iterator[scores_lib.Score]:
    members: dict[str, Mapping[str, scores_lib.Score]] = {}
    for task, of in loaded['tasks'].items():
      wanted = self.metrics.get(task, '')
      members[task] = harness_scores.of_task(
        results, task, of, wanted, self.category
      )
      if wanted and not members[task]:
        there = ', '.join(k.split(',')[0] for k in results['results'][task])
        raise errors.UserError(
          f'HarnessTasks.metrics wants {wanted!r} of {task}, which has {there}.'
        )
      yield from members[task].values()
    for name, group in loaded.get('groups', {}).items():
      yield from harness_scores.of_group(
        results, group, members, self.metrics.get(name, ''), self.category
      ).values()

  def _notes(
    self, results: Mapping[str, Any], loaded: Mapping[str, Any]
  ) -> Iterator[str]:
    version = importlib.metadata.version('lm_eval')
    for task, of in loaded['tasks'].items():
      count = results['n-samples'][task]
      shots = of.get_config('num_fewshot')
      note = f'{task}: version {of.VERSION}, {shots}-shot, lm-eval {version}'
      if wanted := self.metrics.get(task):
        note += f'; {wanted} counts'
      if count['effective'] < count['original']:
        note += f'; the first {count["effective"]} of {count["original"]} items'
      yield note + '.'


def _within(
  report: Callable[[str, float | None], None],
  name: str,
  start: float,
  share: float,
) -> Callable[[str, float | None], None]:
  """Progress of one of several tasks."""

  def progress(text: str, done: float | None) -> None:
    report(f'{name}: {text}', start + (done or 0.0) * share)

  return progress


def _require_harness() -> None:
  if importlib.util.find_spec('lm_eval') is None:
    raise errors.UserError(
      'HarnessTasks needs the lm-evaluation-harness, which is not installed;'
      " install codelaw's extra `eval` (pip install codelaw[eval])."
    )


def _run(
  adapter: harness_model.HarnessModel,
  loaded: Mapping[str, Any],
  limit: int | None,
) -> Mapping[str, Any]:
  from lm_eval import evaluator

  return evaluator.evaluate(
    lm=adapter,
    task_dict=loaded,
    limit=limit,
    # Its bootstrap forks processes; `harness_scores` has errors of its own.
    bootstrap_iters=0,
    log_samples=True,
    confirm_run_unsafe_code=False,
  )


def _cannot_load(
  index: Mapping[str, Any], name: str, error: Exception
) -> errors.UserError:
  """A sentence for what can go wrong in data and code that are not ours."""
  if isinstance(error, errors.UserError):
    return error
  first = (str(error).strip() or type(error).__name__).splitlines()[0]
  if isinstance(error, ImportError):
    return errors.UserError(
      f'The harness cannot load {name}: {first}; install what is missing.'
    )
  data = {
    str(config.get('dataset_path'))
    for _, config in harness_index.members(index, name)
  }
  if isinstance(error, OSError) or type(error).__module__.split('.')[0] in (
    'datasets',
    'huggingface_hub',
    'httpx',
    'requests',
  ):
    return errors.UserError(
      f'The data of {name} ({", ".join(sorted(data))}) could not be read from'
      f' the hub or from disk ({first}); connect once so that it lands in the'
      ' cache (HF_HOME), or name local files with HarnessTasks.data_files ='
      f" {{'{name}': '/path/of.jsonl'}}."
    )
  return errors.UserError(
    f'The harness cannot load {name} ({type(error).__name__}: {first}); check'
    ' its YAML file and the columns of its data.'
  )
