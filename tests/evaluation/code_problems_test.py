"""The three formats, read from files, and what is said of broken ones."""

import dataclasses
import json
import sys
import types

import pyarrow as pa
from pyarrow import parquet
import pytest

from codelaw import errors
from codelaw.evaluation import code_problems
from codelaw.evaluation import toolchains
from tests.evaluation import code_rows

_ALL_MULTIPLE = list(code_rows.MULTIPLE.values())


def _file(folder, rows):
  path = folder / 'problems.jsonl'
  path.write_text('\n'.join(map(json.dumps, rows)) + '\n\n')
  return str(path)


def test_human_eval(tmp_path):
  path = _file(tmp_path, [code_rows.HUMAN_EVAL])
  (problem,) = code_problems.ProblemFile(path).problems(())
  assert problem.problem_id == 'HumanEval/0'
  assert (problem.dataset, problem.language) == ('humaneval', 'python')
  assert problem.prompt == code_rows.HUMAN_EVAL['prompt']
  assert problem.program('    return 0') == (
    code_rows.HUMAN_EVAL['prompt']
    + '    return 0\n'
    + code_rows.HUMAN_EVAL['test']
    + '\ncheck(twice_sum)\n'
  )
  assert '\ndef' in problem.stop
  assert problem.solution == '    return 2 * (a + b)\n'


def test_mbpp(tmp_path):
  path = _file(tmp_path, [code_rows.MBPP, code_rows.MBPP_SANITIZED])
  first, second = code_problems.ProblemFile(path).problems(())
  assert first.prompt == (
    'You are an expert Python programmer, and here is your task: Write a'
    ' function to double the sum of two numbers. Your code should pass these'
    ' tests:\n\nassert twice_sum(1, 2) == 6\nassert twice_sum(x, y) == -6\n'
    '[BEGIN]\n'
  )
  assert first.stop == ('[DONE]',)
  assert first.program('CODE') == (
    'CODE\nx = -4\ny = 1\nassert twice_sum(1, 2) == 6\n'
    'assert twice_sum(x, y) == -6\n'
  )
  assert '\r' not in first.solution
  assert second.program('CODE') == (
    'CODE\nimport math\nassert math.isclose(twice_sum(1, 2), 6)\n'
  )


@pytest.mark.parametrize('language', toolchains.LANGUAGES)
def test_multiple(language):
  row = code_rows.MULTIPLE[language]
  (problem,) = code_problems.from_rows([row], 'here')
  assert problem.dataset == 'multiple-humaneval'
  assert problem.language == language
  assert problem.program('X') == f'{row["prompt"]}X\n{row["tests"]}'
  assert problem.stop == tuple(row['stop_tokens'])


def test_parquet_is_read_as_json_lines_are(tmp_path):
  table = pa.Table.from_pylist(_ALL_MULTIPLE)
  parquet.write_table(table, tmp_path / 'problems.parquet')
  path = str(tmp_path / 'problems.parquet')
  assert code_problems.ProblemFile(path).problems(()) == (
    code_problems.from_rows(_ALL_MULTIPLE, 'here')
  )


def test_languages_are_chosen_and_sets_named(tmp_path):
  path = _file(tmp_path, _ALL_MULTIPLE)
  found = code_problems.ProblemFile(path, dataset='mine').problems(
    ['go', 'rust']
  )
  assert [(p.dataset, p.language) for p in found] == [
    ('mine', 'go'),
    ('mine', 'rust'),
  ]


def test_stripped_prompts_leave_the_program_as_it_is():
  rows = [code_rows.HUMAN_EVAL, code_rows.MBPP]
  plain = code_problems.from_rows(rows, 'here')
  stripped = code_problems.from_rows(rows, 'here', strip_prompt=True)
  for old, new in zip(plain, stripped, strict=True):
    assert new.prompt == old.prompt.rstrip() != old.prompt
    assert new.program(new.solution) == old.program(old.solution)


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    ({'language': 'lua'}, "problem 2 is in the language 'lua'"),
    ({'tests': ''}, "tests must be a text that is not empty, got ''"),
    ({'stop_tokens': '\n}'}, 'stop_tokens must be a list of texts'),
    ({'stop_tokens': ['']}, 'stop_tokens must be a list of texts'),
    ({}, 'two problems HumanEval_0_twice_sum in rust'),
  ],
)
def test_broken_rows_are_named(change, message):
  rows = [code_rows.MULTIPLE['rust'], code_rows.MULTIPLE['rust'] | change]
  with pytest.raises(errors.UserError, match='here') as caught:
    code_problems.from_rows(rows, 'here')
  assert message in str(caught.value)


def test_an_unknown_format_is_named():
  with pytest.raises(errors.UserError, match='problem 1 has the fields id, x'):
    code_problems.from_rows([{'x': 1, 'id': 2}], 'here')


def test_a_dataset_is_part_of_a_name():
  with pytest.raises(errors.UserError, match='a/b'):
    code_problems.from_rows([code_rows.MBPP], 'here', dataset='a/b')


@pytest.mark.parametrize(
  ('content', 'message'),
  [
    (
      json.dumps(code_rows.MBPP) + '\n\n{"task',
      'problems.jsonl:3 is no JSON object',
    ),
    ('[1]\n', 'problems.jsonl:1 is no JSON object but list'),
    (b'\xff\xfe', 'no text in UTF-8'),
  ],
)
def test_damaged_files_are_named(tmp_path, content, message):
  path = tmp_path / 'problems.jsonl'
  if isinstance(content, bytes):
    path.write_bytes(content)
  else:
    path.write_text(content)
  with pytest.raises(errors.UserError, match=message):
    code_problems.ProblemFile(str(path)).problems(())


def test_missing_and_false_files(tmp_path):
  with pytest.raises(errors.UserError, match='no file of problems'):
    code_problems.ProblemFile(str(tmp_path / 'x.jsonl')).problems(())
  path = tmp_path / 'x.parquet'
  path.write_text('no table')
  with pytest.raises(errors.UserError, match='no Parquet file'):
    code_problems.ProblemFile(str(path)).problems(())


def _hub(monkeypatch, load_dataset):
  module = types.ModuleType('datasets')
  module.load_dataset = load_dataset
  monkeypatch.setitem(sys.modules, 'datasets', module)


def test_hub_problems_are_those_of_a_file(monkeypatch):
  asked = []

  def load(repository, configuration, split):
    asked.append((repository, configuration, split))
    return [code_rows.HUMAN_EVAL]

  _hub(monkeypatch, load)
  source = code_problems.HubProblems(
    'openai/openai_humaneval', strip_prompt=True
  )
  assert source.problems(()) == code_problems.from_rows(
    [code_rows.HUMAN_EVAL], 'x', strip_prompt=True
  )
  assert asked == [('openai/openai_humaneval', None, 'test')]


def test_without_a_network_or_the_package(monkeypatch):
  def load(*_, **__):
    raise ConnectionError('no route\nto host')

  _hub(monkeypatch, load)
  source = code_problems.HubProblems('nuprl/MultiPL-E', 'humaneval-rs')
  with pytest.raises(errors.UserError, match='humaneval-rs could not be had'):
    source.problems(())
  monkeypatch.setitem(sys.modules, 'datasets', None)
  with pytest.raises(errors.UserError, match='extra `eval`'):
    source.problems(())


def test_problems_cannot_be_changed():
  (problem,) = code_problems.from_rows([code_rows.MBPP], 'here')
  with pytest.raises(dataclasses.FrozenInstanceError):
    problem.prompt = ''
