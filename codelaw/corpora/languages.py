"""The language of a source file, from its name and then its content.

Owns the list of languages that readers can type. The extension proposes a
language; the content can refuse it (a `.ts` file may be a Qt translation)
or settle it (a `.h` file may be C or C++).
"""

from collections.abc import Iterable
import posixpath
import re

from codelaw import errors

_LANGUAGE_BY_EXTENSION = {
  '.py': 'python',
  '.c': 'c',
  '.h': 'c',  # or C++: see `detect`
  '.cc': 'c++',
  '.cpp': 'c++',
  '.cxx': 'c++',
  '.cu': 'c++',
  '.cuh': 'c++',
  '.hh': 'c++',
  '.hpp': 'c++',
  '.hxx': 'c++',
  '.js': 'javascript',
  '.cjs': 'javascript',
  '.mjs': 'javascript',
  '.jsx': 'javascript',
  '.ts': 'typescript',
  '.tsx': 'typescript',
  '.md': 'markdown',
  '.markdown': 'markdown',
  '.html': 'html',
  '.htm': 'html',
  '.css': 'css',
  '.rst': 'restructuredtext',
  '.java': 'java',
  '.go': 'go',
  '.rs': 'rust',
  '.cs': 'c#',
}
LANGUAGES = tuple(dict.fromkeys(_LANGUAGE_BY_EXTENSION.values()))

# Constructs that C does not have, at places where prose cannot imitate them.
_CPLUSPLUS = re.compile(
  r'^\s*(?:template\s*<|namespace\s+\w*\s*\{|namespace\s+\w+(?:::\w+)*\s*\{'
  r'|using\s+[\w:]+\s*[;=]|using\s+namespace\b|(?:public|private|protected):'
  r'|class\s+\w[\w\s]*(?:[:{]|;$)|#include\s+<\w+>)'
  r'|\bstd::|\bnullptr\b|\bconstexpr\b|\bstatic_cast<',
  re.MULTILINE,
)
_HTML_TAG = re.compile(r'<(?:!doctype|html|head|body|div|p|h[1-6])\b', re.I)
_MARKUP_START = re.compile(r'\s*<(?:\?xml|!doctype|html|svg)\b', re.I)


def candidate(name: str) -> str | None:
  """The language that a file's extension proposes, or None.

  >>> candidate('numpy/core/arrayobject.h'), candidate('data.json')
  ('c', None)
  """
  return _LANGUAGE_BY_EXTENSION.get(posixpath.splitext(name)[1].lower())


def detect(name: str, text: str) -> str | None:
  """The language of a file, or None when its content belies its name.

  >>> detect('a.h', 'namespace n {}'), detect('a.h', 'struct s { int i; };')
  ('c++', 'c')
  >>> detect('a.ts', '<?xml version="1.0"?><TS></TS>') is None
  True
  """
  language = candidate(name)
  if language == 'html':
    return language if _HTML_TAG.search(text) else None
  if language in (None, 'markdown', 'restructuredtext'):
    return language
  if _MARKUP_START.match(text):
    return None
  if name.lower().endswith('.h') and _CPLUSPLUS.search(text):
    return 'c++'
  return language


def could_be(name: str, wanted: Iterable[str]) -> bool:
  """Whether a file's extension allows one of the languages `wanted`."""
  language = candidate(name)
  if name.lower().endswith('.h'):
    return bool({'c', 'c++'} & set(wanted))
  return language is not None and language in wanted


def check(wanted: Iterable[str], where: str) -> None:
  """Raises `UserError` unless every language is one that files can have."""
  for language in wanted:
    if language not in LANGUAGES:
      raise errors.UserError(
        f'{where} names the language {language!r}; known are'
        f' {", ".join(LANGUAGES)}.'
      )
