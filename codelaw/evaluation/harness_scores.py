"""The harness's results as scores and samples.

Definitions owned here:
  counted metric: the one of a task that speaks for it; the first of its YAML's
    `metric_list` (with the first of its filters) unless the user names another.
    An accuracy that counts, be it `acc` or `acc_norm` (log-likelihoods per
    letter), is called `accuracy` in its score. The other metrics become scores
    under the harness's names, `acc_norm`, `f1`, `exact_match:strict`.
  standard error: over items. Of a mean its usual one, s / sqrt(n); of anything
    else (perplexity, F1 of classes) the delete-a-group jackknife with up to
    100 groups, which draws nothing at random. Of a group of tasks from those of
    its members, as independent.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import math
import numbers
import re
from typing import Any

from codelaw import scores as scores_lib

_ACCURACIES = ('acc', 'acc_norm', 'acc_bytes')
# More groups cost more; the error of the error is about 1 / sqrt(2 groups), 7%.
_GROUPS = 100


def standard_error(
  items: Sequence[Any], aggregate: Callable[[Sequence[Any]], Any], is_mean: bool
) -> float | None:
  """Of `aggregate(items)`, see the module; None for fewer than 2 items.

  Args:
    items: what each item contributes: a number, or what `aggregate` takes.
    aggregate: of items to a number.
    is_mean: whether it is the mean of numbers.
  """
  count = len(items)
  if count < 2:
    return None
  if is_mean:
    center = math.fsum(items) / count
    squares = math.fsum((x - center) ** 2 for x in items)
    return math.sqrt(squares / (count - 1) / count)
  groups = min(count, _GROUPS)
  # In a task's order neighbours are often alike: every group gets some of each.
  without = [
    float(aggregate([x for i, x in enumerate(items) if i % groups != group]))
    for group in range(groups)
  ]
  center = math.fsum(without) / groups
  squares = math.fsum((x - center) ** 2 for x in without)
  error = math.sqrt(squares * (groups - 1) / groups)
  return error if math.isfinite(error) else None


def _number(value: Any) -> float | None:
  if isinstance(value, bool | numbers.Real) and math.isfinite(value):
    return float(value)
  return None


def _plain(value: Any) -> Any:
  """The same in what JSON has."""
  if value is None or isinstance(value, str | bool):
    return value
  if isinstance(value, numbers.Integral):
    return int(value)
  if isinstance(value, numbers.Real):
    return float(value) if math.isfinite(value) else None
  if isinstance(value, Mapping):
    return {str(name): _plain(of) for name, of in value.items()}
  if hasattr(value, 'tolist'):
    return _plain(value.tolist())
  if isinstance(value, list | tuple | set):
    return [_plain(of) for of in value]
  return str(value)


def samples(results: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
  """One row per item of a task (and filter of its answers)."""
  for task, rows in results['samples'].items():
    for row in rows:
      yield {
        'task': task,
        'item': _plain(row['doc_id']),
        'filter': row['filter'],
        'document': _plain(row['doc']),
        'target': _plain(row['target']),
        'requests': _plain(row['arguments']),
        'responses': _plain(row['resps']),
        'filtered': _plain(row['filtered_resps']),
        'metrics': {name: _plain(row[name]) for name in row['metrics']},
      }


def _metrics(result: Mapping[str, Any]) -> dict[str, float]:
  """`metric,filter` -> value, in the order of the task's YAML."""
  return {
    key: value
    for key, value in ((k, _number(v)) for k, v in result.items())
    if ',' in key and '_stderr,' not in key and value is not None
  }


def counted_metric(metrics: Mapping[str, float], wanted: str) -> str | None:
  """Its key, `metric,filter`.

  Args:
    metrics: of a task; the first counts where none is wanted.
    wanted: `metric` or `metric,filter`, or empty.

  Returns:
    None where the task has no such metric.
  """
  for key in metrics:
    if wanted in ('', key, key.split(',')[0]):
      return key
  return None


def _score_metrics(keys: Sequence[str], counted: str) -> dict[str, str]:
  """`metric,filter` -> the metric's name in a score."""
  metric, kept = counted.split(',', 1)
  names = {counted: 'accuracy' if metric in _ACCURACIES else metric}
  for key in keys:
    metric, of = key.split(',', 1)
    name = metric if of == kept else f'{metric}:{of}'
    names.setdefault(key, re.sub(r'[\s/]+', '_', name))
  return names


def score_name(category: str, task: str) -> str:
  """`category/task`, or the task alone; without spaces and further slashes."""
  bare = re.sub(r'[\s/]+', '_', task)
  return f'{category}/{bare}' if category else bare


def of_task(
  results: Mapping[str, Any],
  task: str,
  loaded: Any,
  wanted: str,
  category: str,
) -> dict[str, scores_lib.Score]:
  """`metric,filter` -> score, the counted one first; empty where none fits.

  Args:
    results: of `lm_eval.evaluator.evaluate`, with samples.
    task: its name.
    loaded: the harness's task object, which knows how items are put together.
    wanted: metric to count, or empty.
    category: of the scores.
  """
  from lm_eval.api import metrics as harness_metrics

  values = _metrics(results['results'][task])
  counted = counted_metric(values, wanted)
  if counted is None:
    return {}
  names = _score_metrics(list(values), counted)
  better = results['higher_is_better'].get(task, {})
  found: dict[str, scores_lib.Score] = {}
  for key in names:
    metric, of = key.split(',', 1)
    items = [
      row[metric]
      for row in results['samples'][task]
      if row['filter'] == of and metric in row['metrics']
    ]
    aggregate = loaded.aggregation().get(metric, harness_metrics.mean)
    found[key] = scores_lib.Score(
      task=score_name(category, task),
      metric=names[key],
      value=values[key],
      standard_error=standard_error(
        items, aggregate, aggregate is harness_metrics.mean
      ),
      num_items=len(items),
      higher_is_better=better.get(metric) is not False,
      category=category,
    )
  return found


def of_group(
  results: Mapping[str, Any],
  group: Any,
  members: Mapping[str, Mapping[str, scores_lib.Score]],
  wanted: str,
  category: str,
) -> dict[str, scores_lib.Score]:
  """Of a group whose YAML says how to put its tasks together.

  Args:
    results: of `lm_eval.evaluator.evaluate`.
    group: the harness's group object.
    members: task -> what `of_task` gave.
    wanted: metric to count, or empty.
    category: of the scores.
  """
  values = _metrics(results['results'].get(group.name, {}))
  counted = counted_metric(values, wanted)
  if counted is None:
    return {}
  tasks = [task.task_name for task in group.get_all_tasks()]
  weighted = {
    of.metric: of.weight_by_size for of in group.aggregate_metric_list or ()
  }
  names = _score_metrics(list(values), counted)
  found: dict[str, scores_lib.Score] = {}
  for key in names:
    parts = [members[t][key] for t in tasks if key in members.get(t, {})]
    by_size = weighted.get(key.split(',', 1)[0], True)
    weights = [part.num_items if by_size else 1 for part in parts]
    shares = [weight / sum(weights) for weight in weights]
    known = [p.standard_error for p in parts if p.standard_error is not None]
    found[key] = scores_lib.Score(
      task=score_name(category, group.name),
      metric=names[key],
      value=values[key],
      standard_error=math.hypot(
        *(share * error for share, error in zip(shares, known, strict=True))
      )
      if parts and len(known) == len(parts)
      else None,
      num_items=sum(part.num_items for part in parts),
      higher_is_better=all(part.higher_is_better for part in parts),
      category=category,
    )
  return found
