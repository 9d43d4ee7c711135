"""Spaces of Go expressions, against what gofmt writes."""

import random
import shutil
import subprocess

import pytest

from codelaw.corpora.synthetic import gofmt


@pytest.mark.parametrize(
  ('text', 'expected'),
  [
    ('a * b', 'a * b'),
    ('a * b + c', 'a*b + c'),
    ('(a + b) * c', '(a + b) * c'),
    ('a % 3 == 0 && b * b < c', 'a%3 == 0 && b*b < c'),
    ('f(a + 1)', 'f(a + 1)'),
    ('f(a + 1, values[i - 1])', 'f(a+1, values[i-1])'),
    ('values[len(values) - 1]', 'values[len(values)-1]'),
    ('text[a + 1:b]', 'text[a+1 : b]'),
    ('text[a + 1:]', 'text[a+1:]'),
    ('text[:3]', 'text[:3]'),
    ('a - -b', 'a - -b'),
    ('-(a * b + c)', '-(a*b + c)'),
    ('!(a == b || c)', '!(a == b || c)'),
    ("rune(int(c) - 97 + k * 3) % 26 != 'a'", "rune(int(c)-97+k*3)%26 != 'a'"),
    ('[]int{1, -2}', '[]int{1, -2}'),
    ('append([]int{}, a...)', 'append([]int{}, a...)'),
    ('strings.Join(words, " + ")', 'strings.Join(words, " + ")'),
  ],
)
def test_spaces(text, expected):
  assert gofmt.spaced(text) == expected


@pytest.mark.parametrize('text', ['a b', 'a ? b', 'f(a) g'])
def test_what_is_no_expression_is_refused(text):
  with pytest.raises(ValueError, match='goes on with|no expression'):
    gofmt.spaced(text)


def _expression(rng, depth):
  kind = rng.randrange(8) if depth else 7
  if kind == 7:
    return rng.choice(['a', '7', 'f(a)', 'g(a, b)', 'v[i]'])
  one, two = _expression(rng, depth - 1), _expression(rng, depth - 1)
  return (
    f'{one} {rng.choice("+-*/%")} {two}',
    f'{one} {rng.choice("+-*/%")} {two}',
    one if one.startswith('(') else f'({one})',
    f'f({one})',
    f'-f({one})',
    f'g({one}, {two})',
    rng.choice((f'v[{one}]', f's[{one}:{two}]', f's[{one}:]')),
  )[kind]


def test_gofmt_leaves_random_expressions_as_they_are():
  if shutil.which('gofmt') is None:
    pytest.skip('no gofmt on this machine')
  rng = random.Random(0)
  texts = [_expression(rng, rng.randint(1, 4)) for _ in range(2000)]
  lines = [f'\tx = {gofmt.spaced(text)}' for text in texts]
  text = '\n'.join(['package main', '', 'func f() {', *lines, '}', ''])
  done = subprocess.run(
    ['gofmt'], input=text, capture_output=True, text=True, check=True
  )
  assert done.stdout.splitlines() == text.splitlines()
