"""Attempts fail as their threads say, answers work."""

import ast
import functools
import random
import re

from codelaw.corpora.synthetic import questions
from tests.corpora.synthetic import solved_problems

_CODE = re.compile(r'```python\n(.*?)```', re.S)
_CALL = r'`\w+\((.*?)\)`'
# The observed result comes first, or second.
_OBSERVED_FIRST = re.compile(
  rf'(?:For )?{_CALL} (?:gives|I get) `(.*?)`(?:, but I expect|\. It should be)'
  r' `(.*?)`'
)
_EXPECTED_FIRST = re.compile(
  rf'Expected for {_CALL}: `(.*?)`\n\nActual: `(.*?)`'
)


@functools.cache
def _threads():
  return tuple(
    (
      item,
      questions.thread(item, solved_problems.PYTHON, random.Random(number)),
    )
    for number, item in enumerate(solved_problems.solved())
  )


def _defined(text, scope):
  scope = dict(scope)
  exec(compile(text, 'thread', 'exec'), scope)
  return scope


def test_attempts_give_what_the_question_says():
  told = 0
  for item, text in _threads():
    question = text.partition('## Answer 1')[0]
    blocks = [code for code in _CODE.findall(question) if 'def ' in code]
    if not blocks:
      continue
    (attempt,) = blocks
    wrong = _defined(attempt, {})[item.problem.solution.name]
    right = solved_problems.plain(item.problem.functions)
    claims = [(a, w, r) for a, w, r in _OBSERVED_FIRST.findall(question)]
    claims += [(a, w, r) for a, r, w in _EXPECTED_FIRST.findall(question)]
    for arguments, observed, expected in claims:
      values = ast.literal_eval(f'[{arguments}]')
      assert wrong(*values) == ast.literal_eval(observed)
      assert right(values) == ast.literal_eval(expected)
      assert observed != expected
      told += 1
    worked = re.search(
      rf'(?:work for|Strangely,) {_CALL}(?:, where I get| is right:) `(.*?)`',
      question,
    )
    if worked:
      values = ast.literal_eval(f'[{worked[1]}]')
      assert wrong(*values) == right(values) == ast.literal_eval(worked[2])
  assert told > 0.5 * solved_problems.NUM_PROBLEMS


def test_answers_work():
  checked = 0
  for item, text in _threads():
    whole = '\n'.join(
      '\n'.join(solved_problems.PYTHON['python'].function(f, ''))
      for f in item.problem.functions
    )
    base = _defined(whole, {})
    name = item.problem.solution.name
    for answer in text.split('\n## Answer ')[1:]:
      for code in _CODE.findall(answer):
        if not code.startswith('def '):
          continue
        # A block may hold a helper alone, or another name or parameter.
        solve = _defined(code, base)[name]
        if solve.__code__.co_argcount != len(item.inputs[0].arguments):
          continue
        for example in item.inputs:
          assert solve(*example.arguments) == example.result, answer
        checked += 1
  assert checked > solved_problems.NUM_PROBLEMS


def test_threads_have_their_parts():
  for number, item in enumerate(solved_problems.solved()):
    text = questions.thread(item, solved_problems.ALL, random.Random(number))
    assert re.match('# .+\n', text)
    assert len(re.findall('^(?:Tags|tags|Tagged): `', text, re.M)) == 1
    assert re.search(
      r'^## Answer 1 \(score -?\d+(?:, accepted)?\)$', text, re.M
    )
    assert text.count('\n```') % 2 == 0
    assert '{old}' not in text
    assert '{1}' not in text
    assert '\0' not in text
