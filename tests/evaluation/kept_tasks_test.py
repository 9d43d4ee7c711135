import dataclasses
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from codelaw import errors
from codelaw import scores
from codelaw.evaluation import kept_tasks
from codelaw.evaluation import task


@dataclasses.dataclass(frozen=True)
class Part:
  seconds: float = 2.0


def _how():
  """Its `repr` has an address."""


@dataclasses.dataclass(frozen=True)
class Task:
  name: str = 'a'
  languages: tuple[str, ...] = ('python', 'java')
  part: Part = Part()
  file: pathlib.Path = pathlib.Path('problems.jsonl')
  limits: dict = dataclasses.field(default_factory=lambda: {'b': 1, 'a': None})
  only: frozenset = frozenset(('x', 'y', 'z'))
  how: object = _how
  workers: int = dataclasses.field(default=1, compare=False)


@pytest.mark.parametrize(
  'change',
  [
    {'languages': ('python',)},
    {'languages': ('java', 'python')},
    {'part': Part(3.0)},
    {'file': pathlib.Path('others.jsonl')},
    {'limits': {'a': None, 'b': 2}},
    {'only': frozenset('x')},
    {'how': max},
  ],
)
def test_every_setting_that_counts_changes_the_fingerprint(change):
  assert kept_tasks.fingerprint(Task(**change)) != kept_tasks.fingerprint(
    Task()
  )


def test_order_of_mappings_and_what_does_not_count_are_irrelevant():
  same = Task(limits={'a': None, 'b': 1}, workers=7)
  assert kept_tasks.fingerprint(same) == kept_tasks.fingerprint(Task())
  text = (
    'from codelaw.evaluation import kept_tasks;'
    'from tests.evaluation import kept_tasks_test as here;'
    'print(kept_tasks.fingerprint(here.Task()))'
  )
  other = subprocess.run(
    [sys.executable, '-c', text], capture_output=True, text=True, check=True
  )
  assert other.stdout.strip() == kept_tasks.fingerprint(Task())


def test_samples_are_json_whatever_libraries_put_into_them(tmp_path):
  sample = {
    'nats': np.float32(0.5),
    'all': (np.int64(3), float('nan')),
    'path': pathlib.Path('x'),
    'worst': np.float32('-inf'),
  }
  score = scores.Score('code/x', 'pass@1', 0.5, None, 1)
  kept_tasks.write(tmp_path, 3, Task(), task.Result([score], [sample]), 1.0)
  text = (tmp_path / 'downstream/samples/step_3/a.jsonl').read_text()
  assert json.loads(text) == {
    'nats': 0.5,
    'all': [3, 'nan'],
    'path': 'x',
    'worst': '-inf',
  }


def test_a_failure_is_kept_and_is_not_done(tmp_path):
  score = scores.Score('code/x', 'pass@1', 0.5, None, 1)
  kept_tasks.write(tmp_path, 3, Task(), task.Result([score]), 1.0)
  assert kept_tasks.is_done(tmp_path, 3, Task())
  kept_tasks.write_failure(tmp_path, 3, Task(), 'no compiler')
  kept = kept_tasks.read(tmp_path, 3)['a']
  assert kept.failure == 'no compiler'
  assert kept.scores == ('code/x/pass@1',)
  assert not kept_tasks.is_done(tmp_path, 3, Task())
  assert not kept_tasks.is_done(tmp_path, 4, Task())


def test_a_damaged_file_is_named(tmp_path):
  folder = tmp_path / 'downstream' / 'tasks' / 'step_3'
  folder.mkdir(parents=True)
  (folder / 'a.json').write_text('{"task": "a"}')
  with pytest.raises(errors.UserError, match=r'a\.json'):
    kept_tasks.read(tmp_path, 3)
