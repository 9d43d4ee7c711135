import html
import time

import hypothesis
from hypothesis import strategies as st
import pytest

from codelaw.corpora import html_text


@pytest.mark.parametrize(
  ('given', 'expected'),
  [
    ('<p>a  b\nc</p><p>d<br>e</p>', 'a b c\n\nd\ne'),
    ('<p>1 &lt; 2 &amp; <em>so</em> <b>on</b></p>', '1 < 2 & *so* **on**'),
    ('<a href="u">me</a> <a href="u">u</a>', '[me](u) u'),
    ('<h2>T</h2>x<hr>', '## T\n\nx\n\n---'),
    ('<ul><li>a</li><li>b</li></ul>', '- a\n- b'),
    ('<ol><li>a<ul><li>b</ul><li>c</ol>d', '1. a\n   - b\n2. c\n\nd'),
    ('<blockquote><p>a</p><p>b</p></blockquote>', '> a\n\n> b'),
    ('<p><code>a`b</code></p>', '``a`b``'),
    ('<pre><code>```\n</code></pre>', '````\n```\n````'),
    ('<li>a<pre><code>b\n c</code></pre>', '- a\n\n  ```\n  b\n   c\n  ```'),
    ('a <!x b <!-- c --> d <!-- e', 'a <!x b d <!-- e'),
    ('a <![<p>', 'a <![\n\n'.rstrip()),
    ('<img src="i" alt="x">', '![x](i)'),
    ('a<script>b</script>c', 'ac'),
    ('<pre>open', '```\nopen\n```'),
    ('</p></li></ul></a>x', 'x'),
  ],
)
def test_markdown(given, expected):
  assert html_text.markdown(given) == expected


@hypothesis.given(
  st.text(st.characters(codec='utf-8', exclude_characters='\r\0\x0b\x0c'))
)
def test_code_is_kept_to_the_character(code):
  hypothesis.assume(code.strip() and code.strip('\n') == code)
  shown = html_text.markdown(f'<pre><code>{html.escape(code)}\n</code></pre>')
  fence, *lines, end = shown.split('\n')
  assert fence == end
  # Lines of blanks alone lose them.
  assert [line.strip() and line for line in code.split('\n')] == lines
  assert fence not in code


@hypothesis.given(
  st.lists(
    st.sampled_from(
      [
        '<p>',
        '</p>',
        '<li>',
        '<ul>',
        '</ul>',
        '<ol>',
        '</ol>',
        '<pre>',
        '</pre>',
        '<code>',
        '</code>',
        '<a>',
        '</a>',
        '<blockquote>',
        '</blockquote>',
        '<b>',
        '<h1>',
        '</h1>',
        '<br>',
        '<script>',
        '<![',
        '<!--',
        '</',
        '&',
        'x',
      ]
    )
  )
)
def test_any_nesting_gives_text(tags):
  assert isinstance(html_text.markdown(''.join(tags)), str)


def test_deep_nesting_does_not_grow_with_the_square():
  assert len(html_text.markdown('<blockquote>x' * 5_000)) < 500_000


@pytest.mark.parametrize('piece', ['<a ', '<a href="', '</', '<!--', '&', '<'])
def test_what_never_ends_takes_no_time(piece):
  start = time.monotonic()
  html_text.markdown(piece * 20_000)
  # With the parser alone the first two take a minute.
  assert time.monotonic() - start < 5
