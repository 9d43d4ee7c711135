import json

import pytest

from codelaw import errors
from codelaw.evaluation import judge_answers
from codelaw.evaluation import language_model

PROMPTS = ['Why?\u2028', 'How "so"?', '{prompt}']


class Echo:
  """Answers with what it was asked."""

  name = 'echo'
  context_length = 8

  def generate(self, prompts, sampling):
    self.sampling = sampling
    return [f' {prompt}\n' for prompt in prompts]


def test_answers_are_kept_and_found_in_any_order(tmp_path):
  settings = judge_answers.AnswerSettings(
    frame='Q: {prompt} A:', sampling=language_model.Sampling(seed=3)
  )
  file = judge_answers.file_of(tmp_path, 20, PROMPTS, settings)
  assert file.parent == tmp_path / 'downstream' / 'answers'
  assert file.name.startswith('step_20-')
  model = Echo()
  judge_answers.generate(model, PROMPTS, settings, file)
  assert model.sampling.seed == 3
  expected = [f'Q: {prompt} A:' for prompt in PROMPTS]
  assert judge_answers.read(file, PROMPTS) == expected
  assert judge_answers.read(file, PROMPTS[::-1]) == expected[::-1]


def test_other_prompts_or_settings_have_other_files(tmp_path):
  ours = judge_answers.AnswerSettings()
  place = lambda step, prompts, settings: judge_answers.file_of(
    tmp_path, step, prompts, settings
  )
  places = {
    place(20, PROMPTS, ours),
    place(21, PROMPTS, ours),
    place(20, PROMPTS[1:], ours),
    place(20, PROMPTS, judge_answers.AnswerSettings(frame='{prompt}')),
    place(
      20,
      PROMPTS,
      judge_answers.AnswerSettings(sampling=language_model.Sampling(seed=1)),
    ),
  }
  assert len(places) == 5
  assert place(20, PROMPTS, judge_answers.AnswerSettings()) in places


def test_the_prompts_that_come_with_codelaw():
  prompts = judge_answers.read_prompts(None)
  assert len(prompts) == 64
  assert judge_answers.read_prompts(None, num_prompts=3) == prompts[:3]


def test_a_column_of_ones_own(tmp_path):
  file = tmp_path / 'dolly.jsonl'
  rows = [{'inputs': 'a', 'prompt': 1}, {'inputs': 'b'}]
  judge_answers.write(file, rows)
  assert judge_answers.read_prompts(file, 'inputs') == ['a', 'b']
  with pytest.raises(errors.UserError, match="Line 1 .* in 'prompt'"):
    judge_answers.read_prompts(file)


@pytest.mark.parametrize(
  ('content', 'said'),
  [
    ('', 'no prompts'),
    ('{"prompt": "a"}\n\nnot json\n', 'Line 3 '),
    ('["a"]\n', 'Line 1 '),
    ('{"prompt": "a"}\n{"prompt": "b"}\n{"prompt": "a"}\n', "'a' twice"),
    (b'\xff\xfe', 'cannot be read'),
  ],
)
def test_prompts_that_cannot_be_used(tmp_path, content, said):
  file = tmp_path / 'p.jsonl'
  file.write_bytes(content if isinstance(content, bytes) else content.encode())
  with pytest.raises(errors.UserError, match=said):
    judge_answers.read_prompts(file)
  with pytest.raises(errors.UserError, match='cannot be read'):
    judge_answers.read_prompts(tmp_path / 'absent')


def test_answers_that_are_missing_or_double(tmp_path):
  file = tmp_path / 'a.jsonl'
  row = lambda prompt, answer: json.dumps({'prompt': prompt, 'answer': answer})
  file.write_text(row('a', '1') + '\n' + row('a', '1') + '\n')
  assert judge_answers.read(file, ['a']) == ['1']
  with pytest.raises(errors.UserError, match="1 of 2 prompts, like 'b'"):
    judge_answers.read(file, ['a', 'b'])
  file.write_text(row('a', '1') + '\n' + row('a', '2') + '\n')
  with pytest.raises(errors.UserError, match="two answers to 'a'"):
    judge_answers.read(file, ['a'])


def test_a_frame_has_a_place_for_the_prompt():
  with pytest.raises(errors.UserError, match='frame must have'):
    judge_answers.AnswerSettings(frame='Answer:')
