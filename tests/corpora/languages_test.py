import pytest

from codelaw import errors
from codelaw.corpora import languages


@pytest.mark.parametrize(
  ('name', 'text', 'expected'),
  [
    ('a.py', 'x = 1', 'python'),
    ('a.PY', 'x = 1', 'python'),
    ('a.h', '/* a class of things */\nint f(void);', 'c'),
    ('a.h', 'class A {\n};', 'c++'),
    ('a.h', '#include <vector>\n', 'c++'),
    ('a.h', '#include <stdio.h>\n', 'c'),
    ('a.h', 'extern "C" {\nint f(void);\n}', 'c'),
    ('a.h', 'template <typename T> T f();', 'c++'),
    ('a.hpp', 'int x;', 'c++'),
    ('a.ts', 'const a: number = 1', 'typescript'),
    ('a.ts', '<?xml version="1.0"?><TS/>', None),
    ('a.html', 'not markup at all', None),
    ('a.html', '<!DOCTYPE html><p>x</p>', 'html'),
    ('a.md', '<p>inline</p>', 'markdown'),
    ('a.cs', 'class A {}', 'c#'),
    ('a.bin', 'x', None),
    ('Makefile', 'x', None),
  ],
)
def test_detect(name, text, expected):
  assert languages.detect(name, text) == expected


def test_headers_could_be_either_c_or_cplusplus():
  assert languages.could_be('a.h', ['c++'])
  assert languages.could_be('a.h', ['c'])
  assert not languages.could_be('a.h', ['python'])
  assert not languages.could_be('a.hpp', ['c'])


def test_unknown_language_is_named():
  with pytest.raises(errors.UserError, match="'fortran'; known are python"):
    languages.check(['fortran'], 'here')
