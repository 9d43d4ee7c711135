"""Bugs are bugs and refactorings are none, found by running them."""

import dataclasses
import random
import subprocess

import pytest

from codelaw.corpora.synthetic import mutations
from codelaw.corpora.synthetic import refactorings
from codelaw.corpora.synthetic import rendering
from tests.corpora.synthetic import solved_problems
from tests.corpora.synthetic import translation_test


def _bugs(rounds=1):
  for item in solved_problems.solved():
    for number in range(rounds):
      rng = random.Random(f'{item.origin}:{number}')
      bug = mutations.find_bug(item, rng)
      if bug:
        yield item, bug


def _refactorings(rounds=1):
  for item in solved_problems.solved():
    for number in range(rounds):
      rng = random.Random(f'{item.origin}:{number}')
      yield item, refactorings.find_refactoring(item, rng)


def test_bugs_fail_on_what_they_say_and_on_nothing_else():
  kinds = set()
  for item, bug in _bugs(rounds=3):
    solve = solved_problems.plain(bug.functions)
    assert bug.failing
    for example, observed in bug.failing:
      assert solve(example.arguments) == observed != example.result
    for example in bug.passing:
      assert solve(example.arguments) == example.result
    told = {id(example) for example, _ in bug.failing}
    told |= {id(example) for example in bug.passing}
    assert told == {id(example) for example in item.inputs}
    kinds.add(bug.kind)
  assert kinds == {
    *('boundary', 'comparison', 'connective', 'sign', 'constant', 'extreme'),
    *('negation', 'branches', 'missing_case', 'missing_check'),
    *('missing_step', 'range'),
  }


def test_most_problems_have_a_bug_to_find():
  found = len(list(_bugs()))
  assert found > 0.8 * solved_problems.NUM_PROBLEMS


def test_refactorings_give_every_answer_as_before():
  kinds = set()
  for item, change in _refactorings(rounds=3):
    solve = solved_problems.plain(change.functions)
    before = solved_problems.plain(item.problem.functions)
    extra = ()
    if change.kind == 'parameter':
      extra = (int(change.names[0]),)
    for example in item.inputs:
      assert solve((*example.arguments, *extra)) == before(example.arguments)
    for example in change.examples:
      assert solve(example.arguments) == example.result
    kinds.add(change.kind)
  assert kinds == {
    *('rename_variable', 'rename_function', 'helper', 'constant'),
    *('parameter', 'by_index', 'assignment', 'nested'),
  }


def test_refactorings_change_the_code():
  render = solved_problems.PYTHON['python']
  for item, change in _refactorings():
    old = [render.function(f, '') for f in item.problem.functions]
    assert [render.function(f, '') for f in change.functions] != old


def _problems():
  """Wrong programs with what they give, and refactored ones."""
  for item, bug in _bugs():
    wrong = tuple(
      rendering.Example(example.arguments, observed)
      for example, observed in bug.failing
    )
    yield dataclasses.replace(
      item.problem, functions=bug.functions, examples=wrong
    )
  for item, change in _refactorings():
    yield dataclasses.replace(
      item.problem, functions=change.functions, examples=change.examples
    )


@pytest.mark.parametrize(
  'language',
  [
    'javascript',
    *(
      pytest.param(name, marks=pytest.mark.slow)
      for name in ('typescript', 'java', 'csharp', 'go', 'rust')
    ),
  ],
)
def test_other_languages_give_the_same_wrong_answers(
  language, tmp_path, monkeypatch
):
  """Compilers may warn of bugs like `a || a`, so warnings are no errors."""
  run = translation_test._run

  def run_leniently(*command, **settings):
    if command[0] == 'gofmt' or command[:2] == ('go', 'vet'):
      return []
    if command[0] == 'tsc':  # Writes the program whatever it thinks of it.
      subprocess.run(list(map(str, command)), capture_output=True, check=False)
      return []
    strict = ('-D', 'warnings', '-warnaserror', '-Werror')
    return run(*(part for part in command if part not in strict), **settings)

  monkeypatch.setattr(translation_test, '_run', run_leniently)
  problems = list(_problems())
  found = translation_test.RUNNERS[language](problems, tmp_path)
  assert found == translation_test._expected(problems)
