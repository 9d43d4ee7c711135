"""Which tasks the lm-evaluation-harness has, and where each one is written.

A task, a group of tasks or a tag is found by its name among three folders of
YAML files, later ones first: the harness's own, this project's
`harness_tasks/` (what the harness lacks) and the user's. Nothing of a task
is imported or downloaded here.

Loading the harness's own 14,683 names takes about 7 s, so that is only done
when a name is not found in the other two, and once in a process.
"""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import difflib
import functools
import json
import os
import pathlib
from typing import Any

from codelaw import errors

OWN_TASKS = pathlib.Path(__file__).parent / 'harness_tasks'
_LOADERS = {
  '.json': 'json',
  '.jsonl': 'json',
  '.csv': 'csv',
  '.parquet': 'parquet',
}


@functools.cache
def _defaults() -> Mapping[str, Any]:
  from lm_eval import tasks

  return tasks.TaskManager().task_index


def manager(
  names: Sequence[str], folders: Sequence[str | os.PathLike[str]]
) -> Any:
  """A `lm_eval.tasks.TaskManager` that knows all `names`.

  Args:
    names: of tasks, groups or tags.
    folders: with the user's YAML files; later ones win.

  Raises:
    UserError: when a folder is missing or a name unknown.
  """
  from lm_eval import tasks

  for folder in folders:
    if not pathlib.Path(folder).is_dir():
      raise errors.UserError(
        f'HarnessTasks.include_path must be a folder of YAML files of the'
        f' harness; there is no folder {os.fspath(folder)}.'
      )
  found = tasks.TaskManager(
    include_path=[OWN_TASKS, *map(pathlib.Path, folders)],
    include_defaults=False,
  )
  index = found.task_index
  if not all(_is_known(index, name) for name in names):
    for name, entry in _defaults().items():
      index.setdefault(name, entry)
  for name in names:
    if name not in index:
      close = difflib.get_close_matches(name, index, n=3)
      raise errors.UserError(
        f'The harness has no task, group or tag {name!r}'
        + (f'; did you mean {", ".join(close)}?' if close else '.')
        + ' For a task of your own set HarnessTasks.include_path to the folder'
        ' of its YAML file.'
      )
  return found


def _is_known(index: Mapping[str, Any], name: str) -> bool:
  """With all members; a group may have some of the harness's own."""
  if name not in index:
    return False
  return all(of in index for of, _ in members(index, name))


def members(index: Mapping[str, Any], name: str) -> Iterator[tuple[str, Any]]:
  """Tasks that a name stands for, each with its YAML as a mapping.

  A group may also define a task in its own YAML; of that, and of a name that
  is not in the index, only what the group says of it is known.
  """
  entry = index.get(name)
  if entry is None:
    yield name, {}
  elif entry.kind.name == 'TAG':
    for tagged in sorted(entry.tags):
      yield from members(index, tagged)
  elif entry.kind.name == 'GROUP':
    yield from _of_group(index, entry.cfg or {})
  else:
    yield name, entry.cfg or {}


def _of_group(
  index: Mapping[str, Any], group: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
  listed = group.get('task')
  for item in listed if isinstance(listed, list) else ():
    if isinstance(item, str):
      yield from members(index, item)
    elif 'group' in item and item['group'] not in index:
      yield from _of_group(index, item)
    else:
      name = item.get('group') or item['task']
      yield from ((of, {**cfg, **item}) for of, cfg in members(index, name))


def refuse_unsafe(index: Mapping[str, Any], name: str) -> None:
  """Loading such a task already runs a program, so its YAML is asked.

  Raises:
    UserError: when a task would run generated programs.
  """
  for task, config in members(index, name):
    if config.get('unsafe_code'):
      raise errors.UserError(
        f'The harness would run the programs that a model writes for {task}'
        ' outside of any sandbox, so codelaw does not start it; evaluate code'
        ' with CodeExecution (gin_configs/evaluation/code.gin), which runs'
        ' HumanEval, MBPP and MultiPL-E in a sandbox.'
      )


def from_files(
  index: Mapping[str, Any],
  data_files: Mapping[str, str],
  folder: pathlib.Path,
) -> None:
  """Writes tasks that read files of the user's in place of the hub's.

  Args:
    index: of a manager.
    data_files: task -> its data, `.json`, `.jsonl`, `.csv` or `.parquet`, with
      the columns that the task's YAML expects.
    folder: to write to; becomes the last of a manager's folders.

  Raises:
    UserError: when a file is missing or of another kind.
  """
  for task, file in data_files.items():
    loader = _LOADERS.get(pathlib.Path(file).suffix)
    if loader is None or not pathlib.Path(file).is_file():
      raise errors.UserError(
        f'HarnessTasks.data_files names {file} for {task}; it must be an'
        f' existing file that ends in {", ".join(_LOADERS)}.'
      )
    config = index[task].cfg
    split = 'test_split' if config.get('test_split') else 'validation_split'
    files: dict[str, Any] = {'data_files': {'eval': os.path.abspath(file)}}
    if loader == 'json' and _is_wrapped(file):
      files['field'] = 'data'
    content = {
      'include': str(index[task].yaml_path),
      'task': task,
      'dataset_path': loader,
      'dataset_name': None,
      'dataset_kwargs': files,
      'training_split': None,
      'validation_split': None,
      'test_split': None,
      'fewshot_split': None,
      split: 'eval',
    }
    # JSON is YAML.
    (folder / f'{task}.yaml').write_text(json.dumps(content))


def _is_wrapped(file: str) -> bool:
  """Whether a JSON file is `{"data": [...]}`, as SQuAD's and QuAC's are."""
  with open(file, encoding='utf-8') as content:
    first = content.read(64)
  return first.lstrip().startswith('{"data"')
