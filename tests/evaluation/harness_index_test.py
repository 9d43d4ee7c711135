import json
import types

import pytest

from codelaw import errors
from codelaw.evaluation import averages
from codelaw.evaluation import harness_index

pytest.importorskip('lm_eval')

TASK = """
task: {name}
dataset_path: someone/of_the_hub
dataset_name: main
output_type: generate_until
training_split: train
{split}: {split}
doc_to_text: "{{{{a}}}}"
doc_to_target: "{{{{b}}}}"
"""


@pytest.fixture
def no_defaults(monkeypatch):
  """The harness's own tasks without reading its thousands of files."""
  entries = {
    name: types.SimpleNamespace(
      kind=types.SimpleNamespace(name='TASK'), cfg={'task': name}, tags=set()
    )
    for name in ('hellaswag', 'arc_easy', 'arc_challenge')
  }
  read = []
  monkeypatch.setattr(
    harness_index, '_defaults', lambda: read.append(1) or entries
  )
  return read


def _folder(tmp_path, **tasks):
  for name, text in tasks.items():
    (tmp_path / f'{name}.yaml').write_text(text)
  return [tmp_path]


def _task(name, split='test_split'):
  return TASK.format(name=name, split=split)


def test_own_tasks_are_found_without_the_harnesss(no_defaults, tmp_path):
  folders = _folder(tmp_path, mine=_task('mine'))
  found = harness_index.manager(['quac', 'storycloze_csv', 'mine'], folders)
  assert {'quac', 'storycloze_csv', 'mine'} <= set(found.task_index)
  assert not no_defaults


def test_the_harnesss_tasks_too(no_defaults, tmp_path):
  folders = _folder(tmp_path, arc_easy=_task('arc_easy'))
  index = harness_index.manager(['hellaswag', 'arc_easy'], folders).task_index
  assert no_defaults
  assert index['arc_easy'].cfg['dataset_path'] == 'someone/of_the_hub'


def test_a_misspelled_name(no_defaults):
  with pytest.raises(
    errors.UserError, match="no task.*'hellaswagg'; did you mean hellaswag?"
  ):
    harness_index.manager(['hellaswagg'], [])
  with pytest.raises(errors.UserError, match="'xyzzy'. For a task of your own"):
    harness_index.manager(['xyzzy'], [])


def test_groups_may_have_tasks_of_the_harness(no_defaults, tmp_path):
  group = 'group: both\ntask: [mine, arc_easy, {task: hellaswag, repeats: 2}]'
  folders = _folder(tmp_path, mine=_task('mine'), both=group)
  index = harness_index.manager(['both'], folders).task_index
  assert no_defaults
  assert [name for name, _ in harness_index.members(index, 'both')] == [
    'mine',
    'arc_easy',
    'hellaswag',
  ]
  assert dict(harness_index.members(index, 'both'))['hellaswag'] == {
    'task': 'hellaswag',
    'repeats': 2,
  }


@pytest.mark.parametrize(
  'group',
  [
    'group: g\ntask: [runs]',
    'group: g\ntask: [{group: inner, task: [runs]}]',
    'group: g\ntask: [{task: harmless, unsafe_code: true}]',
    'group: g\ntask: [{task: inline, dataset_path: x, unsafe_code: true}]',
    'group: g\ntask: [tagged]',
  ],
)
def test_programs_are_refused_however_they_are_named(
  no_defaults, tmp_path, group
):
  runs = _task('runs') + 'unsafe_code: true\ntag: tagged\n'
  folders = _folder(tmp_path, r=runs, h=_task('harmless'), g=group)
  index = harness_index.manager(['g'], folders).task_index
  with pytest.raises(errors.UserError, match='CodeExecution'):
    harness_index.refuse_unsafe(index, 'g')
  harness_index.refuse_unsafe(index, 'harmless')


@pytest.mark.parametrize('split', ['test_split', 'validation_split'])
@pytest.mark.parametrize(
  ('name', 'content', 'loader', 'field'),
  [
    ('a.jsonl', '{"a": 1}\n', 'json', None),
    ('a.json', '{"data": [{"a": 1}]}', 'json', 'data'),
    ('a.csv', 'a,b\n', 'csv', None),
  ],
)
def test_local_files(tmp_path, split, name, content, loader, field):
  folders = _folder(tmp_path, mine=_task('mine', split))
  index = harness_index.manager(['mine'], folders).task_index
  (tmp_path / name).write_text(content)
  (tmp_path / 'new').mkdir()
  harness_index.from_files(
    index, {'mine': str(tmp_path / name)}, tmp_path / 'new'
  )
  written = json.loads((tmp_path / 'new' / 'mine.yaml').read_text())
  assert written['dataset_path'] == loader
  assert written['dataset_name'] is None
  assert written['dataset_kwargs'].get('field') == field
  assert {k: v for k, v in written.items() if k.endswith('_split') and v} == {
    split: 'eval'
  }


@pytest.mark.parametrize('name', ['none.csv', 'there.txt'])
def test_files_of_another_kind(tmp_path, name):
  (tmp_path / 'there.txt').write_text('x')
  index = harness_index.manager(['quac'], []).task_index
  with pytest.raises(
    errors.UserError, match='existing file that ends in .json'
  ):
    harness_index.from_files(index, {'quac': str(tmp_path / name)}, tmp_path)


@pytest.mark.slow
def test_paper_b_and_the_installed_harness():
  """Names exist, programs are refused, misspellings get near matches."""
  parts = [
    name.split('/')[1]
    for average in averages._PAPER_B[:2]
    for choices in average.parts
    for name in choices
  ]
  assert len(parts) == 15
  found = harness_index.manager(parts, [])
  for name in ('humaneval', 'mbpp', 'mbpp_plus', 'humaneval_64_instruct'):
    with pytest.raises(errors.UserError, match=f'writes for {name} outside'):
      harness_index.refuse_unsafe(found.task_index, name)
  harness_index.refuse_unsafe(found.task_index, 'mmlu')
  assert len(dict(harness_index.members(found.task_index, 'mmlu'))) == 57
  with pytest.raises(errors.UserError, match='did you mean .*hellaswag'):
    harness_index.manager(['helaswag'], [])
