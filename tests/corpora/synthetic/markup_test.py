"""What pages say is what running the programs gives."""

import html.parser
import random
import re

from codelaw.corpora.synthetic import execution
from codelaw.corpora.synthetic import markup
from codelaw.corpora.synthetic import markup_formats
from tests.corpora.synthetic import claims
from tests.corpora.synthetic import solved_problems


def _pages(renderers):
  for number, item in enumerate(solved_problems.solved()):
    text, language = markup.page(item, renderers, random.Random(number))
    yield item, text, language


def test_every_result_on_a_page_is_what_the_solution_gives():
  told = 0
  for item, text, _ in _pages(solved_problems.PYTHON):
    solve = solved_problems.plain(item.problem.functions)
    name = item.problem.solution.name
    pairs = list(claims.found(claims.plain(text), name))
    for arguments, result in pairs:
      assert solve(arguments) == result, text
    told += len(pairs)
    assert pairs, text
  assert told > 4 * solved_problems.NUM_PROBLEMS


def test_linear_time_means_a_round_for_every_element():
  linear = 0
  for item, text, _ in _pages(solved_problems.PYTHON):
    functions = item.problem.functions
    if 'O(n)' not in text and 'grows linearly' not in text:
      continue
    linear += 1
    (parameter,) = functions[-1].parameters
    assert parameter.type in ('text', 'ints')
    for example in item.inputs:
      rounds = execution.rounds(functions, example.arguments)
      assert len(rounds) == len(example.arguments[0])
  assert linear > 2


def test_counted_rounds_are_those_of_the_loops():
  rows = 0
  for item, text, language in _pages(solved_problems.PYTHON):
    name = item.problem.solution.name
    if language != 'markdown':
      continue
    pattern = rf'\| `{name}\((.*)\)` \| (\d+) \|'
    for arguments, count in re.findall(pattern, text):
      rounds = execution.rounds(item.problem.functions, eval(f'[{arguments}]'))
      assert len(rounds) == int(count)
      rows += 1
  assert rows > 10


def test_a_trace_shows_the_rounds_of_its_call():
  traces = 0
  for item, text, language in _pages(solved_problems.PYTHON):
    called = re.search(
      rf'round of\s`({item.problem.solution.name}\(.*?\))`', text
    )
    if language != 'markdown' or not called:
      continue
    arguments = eval(f'[{called[1].partition("(")[2][:-1]}]')
    rounds = execution.rounds(item.problem.functions, arguments)
    table = text[called.end() :].split('\n\n')[1].split('\n')
    names = re.findall(r'`(\w+)`', table[0])
    shown = [re.findall('`([^`]*)`', row) for row in table[2:]]
    assert shown == [[repr(row[n]) for n in names] for row in rounds]
    traces += 1
  assert traces > 3


class _Balance(html.parser.HTMLParser):
  """Checks that every tag is closed in its turn."""

  def __init__(self):
    super().__init__()
    self.open = []

  def handle_starttag(self, tag, attrs):
    if tag != 'meta':
      self.open.append(tag)

  def handle_endtag(self, tag):
    assert self.open.pop() == tag


def test_pages_are_well_formed_in_every_format():
  formats = set()
  for _, text, language in _pages(solved_problems.ALL):
    formats.add(language)
    assert text.endswith('\n')
    assert not text.endswith('\n\n')
    assert '\0' not in text
    if language == 'html':
      parser = _Balance()
      parser.feed(text)
      parser.close()
      assert not parser.open
    elif language == 'markdown':
      assert text.count('\n```') % 2 == 0
      for table in re.findall(r'(?:^\|.*\n)+', text, re.M):
        rows = table.replace('\\|', '').strip().split('\n')
        assert len({row.count('|') for row in rows}) == 1
    else:
      lines = text.split('\n')
      for title, rule in zip(lines, lines[1:], strict=False):
        if re.fullmatch('=+|-+|~+', rule) and title:
          assert len(rule) == len(title)
  assert formats == {'markdown', 'html', 'restructuredtext'}


def test_blocks_in_every_format():
  page = [
    markup_formats.Heading('`f` & more', 1),
    markup_formats.Paragraph('Gives `a < b`.'),
    markup_formats.Code(['f(1)'], 'python'),
    markup_formats.Table(('a', 'b'), [('`x|y`', '2')]),
    markup_formats.Items(['one', 'two'], is_numbered=True),
  ]
  assert markup_formats.markdown(page) == (
    '# `f` & more\n\nGives `a < b`.\n\n```python\nf(1)\n```\n\n'
    '| a | b |\n| --- | --- |\n| `x\\|y` | 2 |\n\n1. one\n2. two\n'
  )
  assert markup_formats.restructured_text(page) == (
    '``f`` & more\n============\n\nGives ``a < b``.\n\n'
    '.. code-block:: python\n\n   f(1)\n\n'
    '.. list-table::\n   :header-rows: 1\n\n   * - a\n     - b\n'
    '   * - ``x|y``\n     - 2\n\n#. one\n#. two\n'
  )
  assert markup_formats.web_fragment(page) == (
    '<section>\n<h1><code>f</code> &amp; more</h1>\n'
    '<p>Gives <code>a &lt; b</code>.</p>\n'
    '<pre><code class="language-python">f(1)\n</code></pre>\n'
    '<table>\n  <tr><th>a</th><th>b</th></tr>\n'
    '  <tr><td><code>x|y</code></td><td>2</td></tr>\n</table>\n'
    '<ol>\n  <li>one</li>\n  <li>two</li>\n</ol>\n</section>\n'
  )
