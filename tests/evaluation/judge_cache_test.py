import pytest

from codelaw import errors
from codelaw.evaluation import judge_asking
from codelaw.evaluation import judge_cache
from codelaw.evaluation import judge_http

REPLY = judge_http.Reply('A', 3, None)
MESSAGES = [{'role': 'user', 'content': 'which?\ud800'}]


def test_a_reply_is_found_by_all_that_was_asked(tmp_path):
  cache = judge_cache.ReplyCache(tmp_path)
  settings = judge_asking.JudgeSettings
  body = settings(extra_fields={'stop': ('x',)}).body('m', MESSAGES)
  assert cache.get(body) is None
  cache.put(body, REPLY)
  assert judge_cache.ReplyCache(tmp_path).get(body) == REPLY
  for other in (
    settings().body('m', MESSAGES),
    settings().body('n', MESSAGES),
    settings(temperature=1.0).body('m', MESSAGES),
    settings(temperature=None).body('m', MESSAGES),
    settings(max_tokens=9).body('m', MESSAGES),
    settings().body('m', [*MESSAGES, *MESSAGES]),
  ):
    assert cache.get(other) is None


@pytest.mark.parametrize(
  'content',
  [
    *('', '{', '[]', '{}'),
    '{"request": {}, "reply": {"text": "A"}}',
    '{"request": {}, "reply": {"text": "A", "prompt_tokens": null,'
    ' "completion_tokens": null}}',
  ],
)
def test_a_damaged_reply_is_named(tmp_path, content):
  cache = judge_cache.ReplyCache(tmp_path)
  body = judge_asking.JudgeSettings().body('m', MESSAGES)
  cache.put(body, REPLY)
  (file,) = tmp_path.iterdir()
  file.write_text(content)
  with pytest.raises(errors.UserError, match=file.name):
    cache.get(body)


def test_what_a_killed_writer_leaves_is_not_read(tmp_path):
  cache = judge_cache.ReplyCache(tmp_path)
  body = judge_asking.JudgeSettings().body('m', MESSAGES)
  cache.put(body, REPLY)
  (file,) = tmp_path.iterdir()
  file.rename(tmp_path / f'.{file.name}.abc.tmp')
  assert cache.get(body) is None
