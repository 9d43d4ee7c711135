"""HTML of posts turned into Markdown, with code kept to the character."""

from collections.abc import Sequence
from html import parser
import re

_HEADINGS = {f'h{level}': '#' * level for level in range(1, 7)}
_BLOCKS = frozenset(
  (
    *('p', 'div', 'ul', 'ol', 'li', 'blockquote', 'pre', 'hr', 'table', 'tr'),
    *('dl', 'dt', 'dd', 'details', 'summary'),
    *_HEADINGS,
  )
)
_EMPHASIS = {'em': '*', 'i': '*', 'strong': '**', 'b': '**'}
# Tags whose content is not text of the post.
_UNSEEN = frozenset(('script', 'style'))
# The parser fails on declarations that are none, and takes minutes for tags
# that never end; posts have neither.
_NO_TAG = re.compile(r'<(?!/?[a-zA-Z][^<>]*>)')
# Posts do not nest deeper; damaged ones could grow with the square.
_MAX_DEPTH = 20


def markdown(html: str) -> str:
  r"""The Markdown of a fragment of HTML; damaged HTML gives what it can.

  >>> markdown('<p>Use <code>a * b</code>:</p><pre><code>b\n</code></pre>')
  'Use `a * b`:\n\n```\nb\n```'
  """
  writer = _Writer()
  writer.feed(_NO_TAG.sub('&lt;', _without_comments(html)))
  writer.close()
  return writer.text()


def _without_comments(html: str) -> str:
  kept = []
  place = 0
  while (start := html.find('<!--', place)) >= 0:
    end = html.find('-->', start + 4)
    if end < 0:
      break
    kept.append(html[place:start])
    place = end + 3
  return ''.join((*kept, html[place:]))


class _Writer(parser.HTMLParser):
  """Writes blocks of Markdown, each with the marks of what holds it."""

  def __init__(self) -> None:
    super().__init__(convert_charrefs=True)
    self._blocks: list[str] = []
    self._inline: list[str] = []
    # Marks before the first and the other lines of a block, outermost first.
    self._prefixes: list[tuple[str, str, str]] = []
    self._lists: list[int | None] = []
    self._links: list[tuple[int, str]] = []
    self._heading = ''
    self._code: list[str] | None = None
    self._in_pre = False
    self._unseen = 0

  def text(self) -> str:
    """All blocks."""
    if self._in_pre:
      self._end_pre()
    self._end_block()
    return '\n\n'.join(self._blocks)

  def handle_starttag(
    self, tag: str, attrs: list[tuple[str, str | None]]
  ) -> None:
    if self._in_pre:
      return
    if tag in _UNSEEN:
      self._unseen += 1
    if tag in _BLOCKS:
      self._end_block()
    attributes = dict(attrs)
    if tag == 'pre':
      self._in_pre, self._code = True, []
    elif tag == 'code':
      self._end_code()
      self._code = []
    elif tag in _EMPHASIS:
      self._inline.append(_EMPHASIS[tag])
    elif tag == 'a':
      self._links.append((len(self._inline), attributes.get('href') or ''))
    elif tag == 'img':
      alt, src = attributes.get('alt') or '', attributes.get('src') or ''
      self._inline.append(f'![{alt}]({src})')
    elif tag == 'br':
      self._inline.append('\n')
    elif tag == 'hr':
      self._emit(['---'])
    elif tag in ('ul', 'ol'):
      self._lists.append(1 if tag == 'ol' else None)
      self._open('list', '', '')
    elif tag == 'li':
      if self._prefixes and self._prefixes[-1][0] == 'li':  # Left open.
        self._prefixes.pop()
      self._open('li', self._item_mark(), '')
    elif tag == 'blockquote':
      self._open(tag, '> ', '> ')
    elif tag in _HEADINGS:
      self._heading = f'{_HEADINGS[tag]} '

  def handle_endtag(self, tag: str) -> None:
    if self._in_pre:
      if tag == 'pre':
        self._end_pre()
      return
    if tag in _UNSEEN:
      self._unseen = max(0, self._unseen - 1)
    if tag == 'code':
      self._end_code()
    elif tag in _EMPHASIS:
      self._inline.append(_EMPHASIS[tag])
    elif tag == 'a' and self._links:
      start, target = self._links.pop()
      label = ''.join(self._inline[start:])
      if target and label.strip() != target:
        self._inline[start:] = [f'[{label.strip()}]({target})']
    if tag in _BLOCKS:
      self._end_block()
    if tag in ('ul', 'ol') and self._lists:
      self._lists.pop()
      self._close('list')
    if tag in ('li', 'blockquote'):
      self._close(tag)

  def handle_data(self, data: str) -> None:
    if self._code is not None:
      self._code.append(data)
    elif not self._unseen:
      self._inline.append(re.sub(r'\s+', ' ', data))

  def _open(self, tag: str, mark: str, after: str) -> None:
    if len(self._prefixes) < _MAX_DEPTH:
      self._prefixes.append((tag, mark, after))

  def _close(self, tag: str) -> None:
    for place in reversed(range(len(self._prefixes))):
      if self._prefixes[place][0] == tag:
        del self._prefixes[place:]
        return

  def _item_mark(self) -> str:
    number = self._lists[-1] if self._lists else None
    if number is None:
      return '- '
    self._lists[-1] = number + 1
    return f'{number}. '

  def _end_code(self) -> None:
    if self._code is None or self._in_pre:
      return
    code, self._code = ''.join(self._code), None
    if code:
      fence = _fence(code, 1)
      pad = ' ' if code.startswith('`') or code.endswith('`') else ''
      self._inline.append(f'{fence}{pad}{code}{pad}{fence}')

  def _end_pre(self) -> None:
    code = ''.join(self._code or ())
    self._code, self._in_pre = None, False
    # HTML drops the line feed after <pre>; the last one ends the last line.
    code = code.removeprefix('\n').removesuffix('\n')
    if code.strip():
      fence = _fence(code, 3)
      self._emit([fence, *code.split('\n'), fence])

  def _end_block(self) -> None:
    self._end_code()
    lines = ''.join(self._inline).split('\n')
    self._inline, self._links = [], []
    heading, self._heading = self._heading, ''
    kept = [line.strip() for line in lines if line.strip()]
    if kept:
      self._emit([heading + kept[0], *kept[1:]])

  def _emit(self, lines: Sequence[str]) -> None:
    first = ''.join(mark for _, mark, _ in self._prefixes)
    rest = ''.join(
      after or ' ' * len(mark) for _, mark, after in self._prefixes
    )
    # What comes next in this item stands under its text, without its mark.
    self._prefixes = [
      (tag, after or ' ' * len(mark), after)
      for tag, mark, after in self._prefixes
    ]
    marked = [first + lines[0], *(rest + line for line in lines[1:])]
    text = '\n'.join(line if line.strip() else '' for line in marked)
    tight = len(lines) == 1 and re.fullmatch(r'\s*(?:-|\d+\.) ', first)
    if tight and self._blocks and _is_item(self._blocks[-1]):
      self._blocks[-1] += f'\n{text}'
    else:
      self._blocks.append(text)


def _is_item(block: str) -> bool:
  last = block.rsplit('\n', 1)[-1]
  return re.match(r'\s*(?:-|\d+\.) ', last) is not None


def _fence(code: str, least: int) -> str:
  """Enough backquotes to enclose `code`."""
  longest = max(map(len, re.findall('`+', code)), default=0)
  return '`' * max(least, longest + 1)
