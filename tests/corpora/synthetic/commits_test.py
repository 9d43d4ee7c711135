"""Diffs apply, fixes fix, refactorings change no answer."""

import contextlib
import functools
import io
import random
import re
import shutil
import subprocess

import pytest

from codelaw.corpora.synthetic import commits
from tests.corpora.synthetic import solved_problems


@functools.cache
def _commits(language):
  renderers = (
    solved_problems.PYTHON if language == 'python' else solved_problems.ALL
  )
  return tuple(
    (item, commits.commit(item, renderers, random.Random(f'{number}')))
    for number, item in enumerate(solved_problems.solved())
  )


def _applied(before, diff):
  """The text that a unified diff makes of `before`."""
  old, new, place = before.splitlines(keepends=True), [], 0
  lines = diff.splitlines(keepends=True)
  first = next(n for n, line in enumerate(lines) if line.startswith('@@'))
  for line in lines[first:]:
    hunk = re.match(r'@@ -(\d+)(?:,(\d+))? ', line)
    if hunk:
      start = int(hunk[1]) - (hunk[2] != '0')
      new += old[place:start]
      place = start
    elif line[0] == '+':
      new.append(line[1:])
    else:
      assert old[place] == line[1:]
      place += 1
      new += [line[1:]] if line[0] == ' ' else []
  return ''.join(new + old[place:])


def test_diffs_turn_before_into_after():
  for _, commit in _commits('all'):
    assert commit.before != commit.after
    assert _applied(commit.before, commit.diff) == commit.after


def test_git_applies_the_diffs(tmp_path):
  if shutil.which('git') is None:
    pytest.skip('no git')
  for number, (_, commit) in enumerate(_commits('all')[:25]):
    file = tmp_path / f'{number}' / commit.path
    file.parent.mkdir(parents=True)
    if commit.before:
      file.write_text(commit.before)
    subprocess.run(
      ['git', 'apply', '-'],
      input=commit.text,
      text=True,
      check=True,
      cwd=tmp_path / f'{number}',
    )
    assert file.read_text() == commit.after


def _run(text):
  scope = {'__name__': 'module'}
  with contextlib.redirect_stdout(io.StringIO()):
    exec(compile(text, 'commit', 'exec'), scope)
  return scope


def _without_checks(text):
  """A program without its examples, which may fail where it is wrong."""
  return '\n'.join(
    line for line in text.split('\n') if not line.startswith('assert ')
  )


def test_fixes_change_wrong_answers_into_right_ones():
  fixes = 0
  for item, commit in _commits('python'):
    if commit.kind != 'fix':
      continue
    fixes += 1
    name = item.problem.solution.name
    before = _run(_without_checks(commit.before))[name]
    after = _run(commit.after)[name]
    wrong = [e for e in item.inputs if before(*e.arguments) != e.result]
    assert wrong
    assert all(after(*e.arguments) == e.result for e in item.inputs)
    told = re.search(r'gave|returned|but was|Before:', commit.message)
    if told:
      message = ' '.join(commit.message.split())
      shown = [
        e
        for e in wrong
        if ' '.join(repr(e.arguments)[1:-1].rstrip(',').split()) in message
      ]
      assert any(
        f'{" ".join(repr(value).split())}' in message
        for e in shown
        for value in (before(*e.arguments),)
      )
    count = re.search(r'Of\s(\d+)\sinputs\stried,\s(\w+)', commit.message)
    if count:
      words = ('no', 'one', 'two', 'three', 'four', 'five', 'six')
      number = words[len(wrong)] if len(wrong) < 7 else str(len(wrong))
      assert count.groups() == (str(len(item.inputs)), number)
  assert fixes > 0.3 * solved_problems.NUM_PROBLEMS


def test_other_changes_keep_every_answer():
  kinds = set()
  for item, commit in _commits('python'):
    kinds.add(commit.kind)
    if commit.kind in ('fix', 'rename_function', 'parameter') or (
      not commit.before
    ):
      continue
    name = item.problem.solution.name
    before, after = _run(commit.before)[name], _run(commit.after)[name]
    for example in item.inputs:
      result = before(*example.arguments)
      assert result == after(*example.arguments) == example.result
  assert {'fix', 'add', 'examples', 'describe', 'helper', 'constant'} <= kinds
  # Renames and new parameters run with the examples of the changed file.
  for _, commit in _commits('python'):
    if commit.kind in ('rename_function', 'parameter', 'add'):
      _run(commit.after)


def test_messages_look_like_messages():
  for _, commit in _commits('all'):
    subject, *rest = commit.message.split('\n')
    assert subject
    assert subject == subject.strip()
    assert len(subject) <= 100
    assert not rest or rest[0] == ''
    assert '\0' not in commit.text
    assert '{' not in subject
    assert commit.text.startswith(f'{commit.message}\n\ndiff --git a/')
