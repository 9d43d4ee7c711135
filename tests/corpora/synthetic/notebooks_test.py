"""A notebook's cells run, and give what is shown under them."""

import ast
import random
import re

from codelaw.corpora.synthetic import notebooks
from tests.corpora.synthetic import solved_problems

_CELL = re.compile(r'^# %%(.*)\n', re.MULTILINE)


def _cells(text):
  """(what follows the mark, lines) of every cell."""
  start, *parts = _CELL.split(text)
  assert not start
  return list(zip(parts[::2], parts[1::2], strict=True))


def test_calls_give_what_is_shown_under_them():
  shown = 0
  for number, item in enumerate(solved_problems.solved()):
    text, language = notebooks.notebook(
      item, solved_problems.PYTHON, random.Random(number)
    )
    assert language == 'python'
    scope = {}
    for mark, cell in _cells(text):
      if mark:
        assert mark == ' [markdown]'
        continue
      code, _, result = cell.partition('\n\n# ')
      if result:
        assert eval(code, scope) == ast.literal_eval(result)
        shown += 1
      else:
        exec(cell, scope)
    assert item.problem.solution.name in scope
  assert shown > 2 * solved_problems.NUM_PROBLEMS


def test_it_says_what_is_wanted():
  for item in solved_problems.solved()[:10]:
    text, _ = notebooks.notebook(item, solved_problems.PYTHON, random.Random(0))
    assert item.problem.statement in ' '.join(re.findall('^# (.*)', text, re.M))


def test_other_languages_have_their_own_comments():
  found = set()
  for number, item in enumerate(solved_problems.solved()):
    text, language = notebooks.notebook(
      item, solved_problems.ALL, random.Random(number)
    )
    sign = '#' if language == 'python' else '//'
    assert text.startswith(f'{sign} %% [markdown]\n{sign} # ')
    found.add(language)
  assert found == set(solved_problems.ALL)
