import pytest

from codelaw import errors
from codelaw.evaluation import judge_instructions

OURS = judge_instructions.JudgeInstructions()


@pytest.mark.parametrize(
  ('reply', 'verdict'),
  [
    ('A', 'A'),
    ('Because of this.\n\nB', 'B'),
    ('Reasons.\n**tie**\n\n', 'tie'),
    ('Reasons.\r\nVerdict: A.', 'A'),
    ('[[B]]', 'B'),
    ('TIE', 'tie'),
    ('', None),
    ('  \n ', None),
    ('A\nis my verdict', None),
    ('A or B', None),
    ('Answer A', None),
    ('C', None),
    ('AB', None),
    ('neither', None),
    ('a tie', None),
  ],
)
def test_the_verdict_is_the_last_line(reply, verdict):
  assert judge_instructions.verdict(reply) == verdict


def test_texts_are_put_in_as_they_are():
  found = judge_instructions.JudgeInstructions('{prompt}|{first}|{second}')
  (message,) = found.messages('{second}', '{prompt} {0}', '\\1 {x')
  assert message == {
    'role': 'user',
    'content': '{second}|{prompt} {0}|\\1 {x',
  }


def test_a_reminder_goes_on_with_the_conversation():
  asked = OURS.messages('p', 'one', 'two')
  again = OURS.again(OURS.again(asked, 'hm'), '')
  assert [m['role'] for m in again] == ['user', 'assistant'] * 2 + ['user']
  assert [again[1]['content'], again[3]['content']] == ['hm', '(nothing)']
  assert again[0] == asked[0]


def test_instructions_have_a_place_for_everything():
  with pytest.raises(errors.UserError, match=r'\{first\}, \{second\}'):
    judge_instructions.JudgeInstructions('Which is better? {prompt}')
  with pytest.raises(errors.UserError, match='reminder'):
    judge_instructions.JudgeInstructions(reminder=' ')
