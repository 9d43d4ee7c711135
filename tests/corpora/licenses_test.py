import hypothesis
from hypothesis import strategies
import pytest

from codelaw import errors
from codelaw.corpora import licenses

_ALLOWED = ['MIT', 'Apache-2.0', 'BSD License', 'GPL-2.0-only WITH LLVM']


@pytest.mark.parametrize(
  ('expression', 'expected'),
  [
    ('MIT', True),
    ('mit', True),
    ('GPL-3.0-only', False),
    ('MIT OR GPL-3.0-only', True),
    ('GPL-3.0-only OR Apache-2.0', True),
    ('MIT AND GPL-3.0-only', False),
    ('MIT AND Apache-2.0', True),
    ('MIT/Apache-2.0', True),
    ('GPL-3.0-only/MPL-2.0', False),
    # AND binds more tightly than OR.
    ('MIT OR X AND Y', True),
    ('X AND Y OR MIT', True),
    ('X AND (Y OR MIT)', False),
    ('MIT AND (Y OR Apache-2.0)', True),
    ('((MIT))', True),
    ('(MIT AND (Apache-2.0))', True),
    # An exception only permits more.
    ('Apache-2.0 WITH LLVM-exception', True),
    ('GPL-2.0-only WITH LLVM', True),
    ('GPL-2.0-only WITH Classpath-exception-2.0', False),
    ('GPL-2.0-only', False),
    ('BSD License', True),
    ('MIT AND BSD License', True),
    ('MIT License', False),
    ('', False),
    ('MIT OR', False),
    ('AND MIT', False),
    ('(MIT', False),
    ('MIT)', False),
    ('MIT (expat)', False),
    ('MIT WITH', False),
    ('(' * 100_000 + 'MIT', False),
    (' OR '.join(['MIT'] * 100), True),
  ],
)
def test_expressions(expression, expected):
  assert licenses.allows(_ALLOWED, expression) is expected


_NAMES = ('MIT', 'X', 'Y')
_TREES = strategies.recursive(
  strategies.sampled_from(_NAMES),
  lambda inner: strategies.tuples(
    strategies.sampled_from(('AND', 'OR')), inner, inner
  ),
)


def _text(tree):
  if isinstance(tree, str):
    return tree
  return f'({_text(tree[1])} {tree[0]} {_text(tree[2])})'


def _value(tree, allowed):
  if isinstance(tree, str):
    return tree in allowed
  left, right = (_value(part, allowed) for part in tree[1:])
  return (left and right) if tree[0] == 'AND' else (left or right)


@hypothesis.given(_TREES, strategies.sets(strategies.sampled_from(_NAMES)))
def test_expressions_are_what_their_trees_say(tree, allowed):
  assert licenses.allows(allowed, _text(tree)) == _value(tree, allowed)


@hypothesis.given(strategies.text('MIT()/ANDORWITH ', max_size=30))
def test_any_text_gets_an_answer(text):
  assert licenses.allows(['MIT'], text) in (True, False)


@pytest.mark.parametrize('allowed', ['MIT', [], ['MIT OR X'], [3], [' ']])
def test_mistakes_are_explained(allowed):
  with pytest.raises(errors.UserError, match='CorpusPlan.licenses must'):
    licenses.check(allowed, 'CorpusPlan.licenses')
