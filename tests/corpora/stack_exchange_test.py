from xml.sax import saxutils

import pytest

from codelaw import errors
from codelaw.corpora import documents
from codelaw.corpora import stack_exchange
from tests.corpora import collected
from tests.corpora import stand_ins

_BY_4 = 'CC BY-SA 4.0'


def _row(**attributes):
  named = ' '.join(
    f'{name}={saxutils.quoteattr(str(value))}'
    for name, value in attributes.items()
  )
  return f'  <row {named} />\n'


def _question(number, **attributes):
  return _row(
    **{
      'Id': number,
      'PostTypeId': 1,
      'Score': 3,
      'Title': f'T{number}',
      'Tags': '<python><c++>',
      'Body': f'<p>q{number}</p>',
      'ContentLicense': _BY_4,
      **attributes,
    }
  )


def _answer(number, question, **attributes):
  return _row(
    **{
      'Id': number,
      'PostTypeId': 2,
      'ParentId': question,
      'Score': 1,
      'Body': f'<p>a{number}</p>',
      'ContentLicense': _BY_4,
      **attributes,
    }
  )


def _posts(*rows):
  return (
    '\ufeff<?xml version="1.0" encoding="utf-8"?>\n<posts>\n'
    f'{"".join(rows)}</posts>'
  )


def _read(tmp_path, content, name='so/Posts.xml', **settings):
  stand_ins.write(tmp_path / 'dump', {name: content})
  reader = stack_exchange.StackExchangeDump(
    [str(tmp_path / 'dump')], temporary_dir=str(tmp_path), **settings
  )
  found = list(collected.items(reader))
  assert [path.name for path in tmp_path.iterdir()] == ['dump']
  return found


def test_a_thread_has_its_answers_in_order(tmp_path):
  (thread,) = _read(
    tmp_path,
    _posts(
      _answer(9, 1, Score=8),
      _question(
        1,
        AcceptedAnswerId=5,
        Body='<p>How?</p>\n<pre><code>a &lt; b\n\n  c\n</code></pre>',
      ),
      _row(Id=3, PostTypeId=5, Body='a wiki'),
      _answer(5, 1, Score=-1, ContentLicense='CC BY-SA 3.0'),
      _answer(7, 1, Score=9),
      _answer(4, 1, Score=8),
    ),
    min_answer_score=-5,
  )
  assert thread.text == (
    '# T1\n\nTags: python, c++\n\nHow?\n\n```\na < b\n\n  c\n```\n\n'
    '## Accepted answer\n\na5\n\n## Answer\n\na7\n\n## Answer\n\na4\n\n'
    '## Answer\n\na9\n'
  )
  assert thread.origin == 'so/1'
  assert thread.license == 'CC-BY-SA-3.0 AND CC-BY-SA-4.0'
  assert (thread.source, thread.language) == ('stackexchange', 'markdown')


def test_scores_and_answers_decide(tmp_path):
  found = _read(
    tmp_path,
    _posts(
      _question(1, Score=-1),
      _question(2),
      _question(3, ContentLicense=''),
      _answer(4, 1),
      _answer(5, 2, Score=-1),
      _answer(6, 3),
      _answer(7, 99),
    ),
  )
  assert [(item.origin, getattr(item, 'reason', '')) for item in found] == [
    ('so/1', 'no question'),
    ('so/2', 'too few answers'),
    ('so/3', ''),
    ('so/99', 'no question'),
  ]
  # The license of one post is not known.
  assert found[2].license == ''


@pytest.mark.parametrize('name', ['so-Posts.xml', 'so.posts.xml'])
def test_a_site_may_be_named_by_its_file(tmp_path, name):
  (found,) = _read(tmp_path, _posts(_question(1), _answer(2, 1)), name)
  assert found.origin == 'so/1'


@pytest.mark.parametrize(
  ('damage', 'reason'),
  [
    (lambda text: text[:-40], 'damaged XML'),
    (lambda text: text.replace('</posts>', '<row Id="9'), 'damaged XML'),
    (lambda text: text.replace('</posts>', '\0'), 'damaged XML'),
    (
      lambda text: text.replace('</posts>', '<a>' * 99),
      'damaged XML',
    ),
  ],
)
def test_what_comes_before_a_damage_stays(tmp_path, damage, reason):
  whole = _posts(
    *(_question(i) + _answer(10_000 + i, i) for i in range(1, 3000))
  )
  broken, *threads = _read(tmp_path, damage(whole))
  assert (broken.reason, broken.damaged) == (reason, True)
  assert broken.origin == 'dump/so/Posts.xml'
  # The last answer may be gone.
  assert len(threads) == 2999
  assert all(isinstance(item, documents.RawDocument) for item in threads[:-1])


def test_a_row_that_is_no_post_is_named(tmp_path):
  found = _read(
    tmp_path,
    _posts(
      _row(PostTypeId=1, Id='x', Body=''),
      _row(PostTypeId=2, Id=5, Body=''),
      _row(PostTypeId=1, Id=2**64, Body=''),
      _row(PostTypeId=1, Id=7),
      _question(1),
      _answer(2, 1),
    ),
  )
  assert [getattr(item, 'reason', item.origin) for item in found] == [
    *['not a post'] * 4,
    'so/1',
  ]
  assert found[1].origin == 'dump/so/Posts.xml#1'


def test_an_entity_bomb_is_refused(tmp_path):
  bomb = (
    '<?xml version="1.0"?><!DOCTYPE p [<!ENTITY a "aaaaaaaaaa">'
    '<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    + _posts(_question(1, Title='&b;')).split('?>')[1].replace('&amp;', '&')
  )
  (found,) = _read(tmp_path, bomb)
  assert (found.reason, found.damaged) == ('XML with entities', True)


def test_a_row_without_end_is_refused(tmp_path):
  (found,) = _read(tmp_path, '<posts><row Body="' + 'x' * 5_000_000)
  assert (found.reason, found.damaged) == ('damaged XML', True)


def test_mistakes_are_explained(tmp_path):
  with pytest.raises(errors.UserError, match='whole number'):
    stack_exchange.StackExchangeDump(['x'], min_answers='1')
  stand_ins.write(tmp_path, {'so/Posts.xml': _posts()})
  reader = stack_exchange.StackExchangeDump(
    [str(tmp_path)], temporary_dir=str(tmp_path / 'gone')
  )
  with pytest.raises(errors.UserError, match='temporary_dir cannot be used'):
    list(collected.items(reader))
