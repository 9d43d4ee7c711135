"""Filters for files that hold data rather than what people wrote.

Encoded bytes inside code, data in the notation of JSON and YAML, XML under
another language's name, and pages that show hardly any text. `filters` owns
the names by which a corpus chooses them.
"""

from collections.abc import Iterator
import re

from codelaw.corpora import documents

# Base64 over lines, and runs of bytes in hexadecimal or as escapes.
_BASE64 = re.compile(
  r'(?<![\w+/])[A-Za-z0-9+/]{60,}={0,2}(?:\s+[A-Za-z0-9+/]{60,}={0,2})*'
  r'(?:\s+[A-Za-z0-9+/]{1,59}={1,2}(?![\w+/=]))?'
)
_BASE64_LENGTH = 60
_ESCAPES = re.compile(
  r'(?:\\x[0-9a-f]{2}[\s"\']{0,80}){8,}'
  r'|(?:\\u[0-9a-f]{4}|\\U[0-9a-f]{8}){8,}',
  re.IGNORECASE,
)
_PREFIXED = re.compile(r'(?:\b0x[0-9a-f]{2,16}[,;\s]{1,80}){8,}', re.IGNORECASE)
_PAIRS = re.compile(r'(?:\b[0-9a-f]{2}[,\s]{1,80}){16,}', re.IGNORECASE)
# Bytes by what they can be in `_PAIRS`: a digit, between digits, neither.
_ROLES = bytes(
  ord('0')
  if chr(byte) in '0123456789abcdefABCDEF'
  else ord(' ' if chr(byte) in ', \t\n\r\f\v' else 'x')
  for byte in range(256)
)
_LONG_RUN = 1024
_HIDDEN = re.compile(
  r'<!--|-->|<(/?)(?:script|style)\b[^<>]{0,2000}>', re.IGNORECASE
)
_TAG = re.compile(r'<[^<>]*>')


def encoded_data(raw: documents.RawDocument) -> bool:
  r"""A run of encoded bytes over 1,024 characters, or most of the file.

  The rule of StarCoder2 (arXiv:2402.19173). Runs are base64 (60 characters
  or more, over lines), and sequences of bytes as `\x00`, `0x00` or `00`, or
  of escapes `\u0000`; all of them together may be half of the file.
  """
  lengths = [
    len(run.group())
    for pattern in _possible(raw.text)
    for run in pattern.finditer(raw.text)
  ]
  return max(lengths, default=0) > _LONG_RUN or (
    2 * sum(lengths) > len(raw.text)
  )


def _possible(text: str) -> Iterator[re.Pattern[str]]:
  """The patterns that may have runs: quick bounds before slow searches."""
  if max(map(len, text.split()), default=0) >= _BASE64_LENGTH:
    yield _BASE64
  if text.count('\\x') + text.count('\\u') + text.count('\\U') >= 8:
    yield _ESCAPES
  if text.count('0x') + text.count('0X') >= 8:
    yield _PREFIXED
  roles = text.encode('utf-8', 'replace').translate(_ROLES)
  if b'00 00 00 00' in b' '.join(roles.split()):
    yield _PAIRS


def data_files(raw: documents.RawDocument) -> bool:
  """JSON or YAML that is data by its size.

  Kept are files of 50 to 5,000 characters, more than half of them letters
  (StarCoder, arXiv:2305.06161), of at most 512 lines (StarCoder2,
  arXiv:2402.19173).
  """
  if raw.language not in ('json', 'yaml'):
    return False
  text = raw.text
  if not 50 <= len(text) <= 5000 or text.count('\n') > 512:
    return True
  return 2 * sum(map(str.isalpha, text)) <= len(text)


def xml(raw: documents.RawDocument) -> bool:
  """Says `<?xml version=` in its first 100 characters.

  The rule of StarCoder (arXiv:2305.06161). Pages may be written in XHTML.
  """
  return raw.language != 'html' and '<?xml version=' in raw.text[:100]


def little_visible_text(raw: documents.RawDocument) -> bool:
  """HTML that shows fewer than 100 characters, or less than a fifth of it.

  The rule of StarCoder (arXiv:2305.06161). Visible is what is left without
  tags, comments, scripts and styles, runs of white space counted as one.
  """
  if raw.language != 'html':
    return False
  visible = len(' '.join(_TAG.sub(' ', _shown(raw.text)).split()))
  return visible < 100 or 5 * visible < len(raw.text)


def _shown(page: str) -> str:
  """A page without its comments, scripts and styles; in one pass."""
  shown, start, ending = [], 0, ''
  for mark in _HIDDEN.finditer(page):
    if not ending and mark.group() != '-->' and mark.group(1) != '/':
      shown.append(page[start : mark.start()])
      ending = '-->' if mark.group() == '<!--' else '/'
    elif ending and ending in (mark.group(), mark.group(1)):
      start, ending = mark.end(), ''
  return ' '.join([*shown, '' if ending else page[start:]])
