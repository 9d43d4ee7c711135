"""What texts say that calls give, read from their markup."""

import ast
import html
import re

_CALL = r'\w+\((?:[^()`\'"\n]|\'[^\'\n]*\'|"[^"\n]*")*\)'
# A call and its result in code spans; between them a few words or a table's
# bar, and perhaps the end of a line, a cell or a heading.
_BETWEEN = r'[^`\n]{0,40}(?:\n\s+- |\n(?:~+\n)?\n|\n)?'
_SPANS = re.compile(rf'`({_CALL})`{_BETWEEN}`([^`]*)`')
_COMMENT = re.compile(rf'^\s*({_CALL})  # (?:(?:->|=>|gives) )?(.*)$', re.M)
_TAG = re.compile(r'</?code[^>]*>')


def plain(text):
  """A page with its code spans in single backquotes, whatever its format."""
  text = html.unescape(_TAG.sub('`', text))
  return re.sub(r'</?(?:td|th|tr|li|p|h\d)>', ' ', text).replace('``', '`')


def found(text, name):
  """Arguments and results of the calls of `name` that a page tells."""
  for pattern in (_SPANS, _COMMENT):
    for call, result in pattern.findall(text):
      if call.startswith(f'{name}('):
        try:
          value = ast.literal_eval(result)
        except (SyntaxError, ValueError):
          continue
        yield ast.literal_eval(f'[{call[len(name) + 1 : -1]}]'), value
