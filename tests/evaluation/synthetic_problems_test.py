"""Held-out generated problems: prompts, tests, and their own solutions."""

import dataclasses
import functools
import re

import pytest

from codelaw import errors
from codelaw.corpora import clusters
from codelaw.corpora.synthetic import reader
from codelaw.evaluation import code_problems
from codelaw.evaluation import program_endings
from codelaw.evaluation import program_verdicts
from codelaw.evaluation import synthetic_problems
from codelaw.evaluation import toolchains


@functools.cache
def _of(problem_id):
  _, seed, index = problem_id.split('/')
  return reader.solved(int(seed), int(index))


def _solved(problem):
  return _of(problem.problem_id)


@pytest.fixture(scope='module')
def many():
  return synthetic_problems.SyntheticProblems(40, seed=5).problems(())


def test_every_language_has_the_same_problems(many):
  ids = {}
  for problem in many:
    ids.setdefault(problem.language, []).append(problem.problem_id)
  assert ids.keys() == set(toolchains.LANGUAGES)
  assert all(found == ids['python'] for found in ids.values())
  assert len(set(ids['python'])) == 40


def test_prompt_and_solution_are_the_document_of_the_corpus(many):
  """So a model sees in prompts what it saw in training."""
  for problem in many:
    item = _solved(problem)
    document = reader.RENDERERS[problem.language]().document(item.problem)
    assert document.startswith(problem.prompt + problem.solution + '\n')
    assert problem.prompt == problem.prompt.rstrip()
    assert problem.solution.startswith('\n')


def test_prompts_state_the_problem_and_end_with_the_signature(many):
  for problem in many:
    item = _solved(problem)
    words = re.sub(r'[/*#!]+ ', ' ', problem.prompt).split()
    assert item.problem.statement in ' '.join(words)
    tail = '\n'.join(problem.prompt.splitlines()[-2:])
    if problem.language == 'python':
      assert tail.endswith((':', '"""'))
    else:
      assert tail.endswith('{')


def test_stop_strings_end_a_solution_where_it_ends(many):
  for problem in many:
    item = _solved(problem)
    document = reader.RENDERERS[problem.language]().document(item.problem)
    rest = document[len(problem.prompt) :]
    ends = [rest.find(stop) for stop in problem.stop if stop in rest]
    if problem.language != 'python':
      assert ends
    completion = rest[: min(ends)] if ends else rest
    assert completion.rstrip() == problem.solution.rstrip()


def test_no_training_document_has_their_shape(many):
  """The corpora split by the same hash, whatever their seed."""
  groups = {_solved(p).group for p in many if p.language == 'python'}
  assert all(clusters.held_out(clusters.place(group), 0.1) for group in groups)
  trained = {
    item.group
    for item in (reader.solved(0, index, 0) for index in range(500))
    if not clusters.held_out(clusters.place(item.group), 0.1)
  }
  assert trained
  assert not groups & trained
  few = synthetic_problems.SyntheticProblems(3, validation_fraction=0.02)
  for problem in few.problems(['python']):
    assert clusters.held_out(clusters.place(_solved(problem).group), 0.02)


def test_tests_hold_inputs_that_no_prompt_shows(many):
  for problem in many:
    if problem.language == 'python':
      checks = problem.after.splitlines()
      assert len(checks) >= 6
      calls = [line.split(' == ')[0][len('assert ') :] for line in checks]
      assert sum(call not in problem.prompt for call in calls) >= 2


def test_short_ones_can_be_chosen():
  short = synthetic_problems.SyntheticProblems(5, max_lines=6, dataset='short')
  for problem in short.problems(['python', 'java']):
    assert problem.dataset == 'short'
    if problem.language == 'python':
      assert problem.solution.count('\n') <= 6


@pytest.mark.parametrize(
  ('field', 'value'),
  [
    ('num_problems', 0),
    ('seed', 'x'),
    ('validation_fraction', 1.0),
    ('max_lines', 0),
  ],
)
def test_refuses_what_cannot_be(field, value):
  with pytest.raises(errors.UserError, match=field):
    synthetic_problems.SyntheticProblems(**{field: value})


def _judged(problem, completion):
  if toolchains.available(problem.language):
    pytest.skip(f'no {problem.language} here')
  return program_verdicts.judge(problem, completion)


def test_solutions_of_many_pass_in_one_script(many):
  for language, opening, closing in (
    ('python', '', ''),  # What comes later replaces what has its name.
    ('javascript', '(() => {\n', '})();\n'),
  ):
    chosen = [p for p in many if p.language == language]
    rest = ''.join(
      opening + p.program(p.solution) + closing for p in chosen[1:]
    )
    first = dataclasses.replace(chosen[0], after=chosen[0].after + rest)
    verdict = _judged(first, first.solution)
    assert verdict.passed, verdict.detail


@pytest.mark.parametrize('language', toolchains.LANGUAGES)
def test_solutions_with_helpers_pass(language):
  problem = _with_helper(language)
  verdict = _judged(problem, problem.solution)
  assert verdict.passed, verdict.detail


@pytest.mark.parametrize(
  'language',
  [
    pytest.param(
      language,
      marks=[pytest.mark.slow] if language in ('java', 'csharp', 'go') else [],
    )
    for language in toolchains.LANGUAGES
  ],
)
def test_others_fail(language):
  verdict = _judged(_with_helper(language), _CONSTANT[language])
  assert verdict.outcome == program_verdicts.FAILED, verdict.detail


# A body that gives a number whatever it is asked.
_CONSTANT = {
  'python': '\n    return 1',
  'java': '\n        return 1;',
  'javascript': '\n  return 1;',
  'typescript': '\n  return 1;',
  'csharp': '\n        return 1;',
  'go': '\n\treturn 1',
  'rust': '\n    1',
}


def _with_helper(language):
  """A problem with a helper, whose result is a number."""
  for index in range(1000):
    item = reader.solved(7, index)
    if len(item.problem.functions) > 1 and (
      item.problem.solution.returns == 'int'
    ):
      return synthetic_problems.problem(item, language)
  raise AssertionError('no problem has a helper')


@pytest.mark.parametrize('returns', ['ints', 'text'])
@pytest.mark.parametrize('language', ['csharp', 'go', 'rust'])
def test_lists_and_texts_are_compared_by_value(language, returns):
  item = next(
    item
    for item in (reader.solved(7, index) for index in range(1000))
    if item.problem.solution.returns == returns
  )
  problem = synthetic_problems.problem(item, language)
  assert _judged(problem, problem.solution).passed


@pytest.mark.slow
@pytest.mark.parametrize('language', toolchains.LANGUAGES)
def test_solutions_of_many_pass(language, many):
  for problem in many:
    if problem.language == language:
      verdict = _judged(problem, problem.solution)
      assert verdict.passed, (problem.problem_id, verdict.detail)


def test_endings_find_their_place(many):
  for problem in many:
    files = program_endings.files(problem, 'X', 'file')
    assert isinstance(problem, code_problems.Problem)
    assert problem.before + 'X' in files['file']
