import json

import pytest

from codelaw.evaluation import harness
from codelaw.evaluation.harness_tasks import quac
from tests.evaluation import bigram_model

OFFICIAL = {
  'data': [
    {
      'title': 'Ada Lovelace',
      'section_title': 'Work',
      'background': 'A mathematician.',
      'paragraphs': [
        {
          'context': 'She wrote the first program. CANNOTANSWER',
          'id': 'C_1',
          'qas': [
            {
              'question': 'What did she write?',
              'orig_answer': {'text': 'the first program', 'answer_start': 10},
              'answers': [
                {'text': 'the first program', 'answer_start': 10},
                {'text': 'program', 'answer_start': 20},
              ],
              'followup': 'y',
              'yesno': 'x',
              'id': 'C_1_q#0',
            },
            {
              'question': 'When?',
              'orig_answer': {'text': 'CANNOTANSWER', 'answer_start': 29},
              'answers': [{'text': 'CANNOTANSWER', 'answer_start': 29}],
              'followup': 'n',
              'yesno': 'x',
              'id': 'C_1_q#1',
            },
          ],
        }
      ],
    }
  ]
}
HUB = {
  'wikipedia_page_title': 'Ada Lovelace',
  'section_title': 'Work',
  'context': 'She wrote the first program. CANNOTANSWER',
  'questions': ['What did she write?', 'When?'],
  'orig_answers': {'texts': ['the first program', 'CANNOTANSWER']},
  'answers': {
    'texts': [['the first program', 'program'], ['CANNOTANSWER']],
  },
}


def test_both_formats_give_the_same_questions():
  pytest.importorskip('datasets')
  of_the_hub = list(quac.questions([HUB]))
  assert of_the_hub == list(quac.questions(OFFICIAL['data']))
  assert [row['question'] for row in of_the_hub] == HUB['questions']
  assert of_the_hub[0]['history'] == ''
  assert of_the_hub[1]['history'] == (
    'Question: What did she write?\nAnswer: the first program\n\n'
  )


def test_all_earlier_questions_are_in_the_prompt():
  pytest.importorskip('datasets')
  long = {
    **HUB,
    'questions': ['A?', 'B?', 'C?'],
    'orig_answers': {'texts': ['a', 'b', 'c']},
    'answers': {'texts': [['a'], ['b'], ['c']]},
  }
  assert list(quac.questions([long]))[2]['history'] == (
    'Question: A?\nAnswer: a\n\nQuestion: B?\nAnswer: b\n\n'
  )


@pytest.mark.parametrize(
  ('answer', 'references', 'want'),
  [
    ('the first program', ['first program'], 1.0),
    ('First Program!', ['the first program'], 1.0),
    # 1 shared word of 1 and of 2.
    ('program', ['first program'], 2 / 3),
    ('a note', ['first program'], 0.0),
    ('', ['first program'], 0.0),
    ('CANNOTANSWER', ['CANNOTANSWER'], 1.0),
    ('cannotanswer', ['CANNOTANSWER'], 0.0),
    ('CANNOTANSWER', ['x', 'CANNOTANSWER'], 1.0),
    ('x', ['x', 'CANNOTANSWER'], 0.0),
    ('x', ['x', 'x', 'CANNOTANSWER'], 1.0),
    # Left out in turn: max(0, 1/2) = 1/2, max(1, 1/2) = 1, max(1, 0) = 1.
    ('x', ['x', 'y', 'x z w'], (1 / 2 + 1 + 1) / 3),
    # A word counts as often as both have it.
    ('x x', ['x y'], 1 / 2),
  ],
)
def test_f1(answer, references, want):
  got = quac.f1({'answers': references}, [answer])
  assert got == {'f1': pytest.approx(want)}


def test_in_the_harness(tmp_path):
  pytest.importorskip('lm_eval')
  file = tmp_path / 'val_v0.2.json'
  file.write_text(json.dumps(OFFICIAL))
  of = harness.HarnessTasks(
    ['quac'], category='reasoning', data_files={'quac': str(file)}
  )
  result = of.evaluate(
    bigram_model.BigramModel('Answer: program\n' * 9), lambda *_: None
  )
  (score,) = result.scores
  assert score.name == 'reasoning/quac/f1'
  assert score.num_items == 2
  assert [row['requests'][0][0] for row in result.samples] == [
    'Title: Ada Lovelace\nSection: Work\n\n'
    'She wrote the first program. CANNOTANSWER\n\n'
    'Question: What did she write?\nAnswer:',
    'Title: Ada Lovelace\nSection: Work\n\n'
    'She wrote the first program. CANNOTANSWER\n\n'
    'Question: What did she write?\nAnswer: the first program\n\n'
    'Question: When?\nAnswer:',
  ]
