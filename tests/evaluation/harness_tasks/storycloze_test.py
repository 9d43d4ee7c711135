import csv

import pytest

from codelaw.evaluation import harness
from tests.evaluation import bigram_model

pytest.importorskip('lm_eval')


def test_the_csv_that_the_authors_send(tmp_path):
  file = tmp_path / 'cloze_test_test__spring2016.csv'
  with file.open('w', newline='') as out:
    rows = csv.writer(out)
    rows.writerow(
      [
        'InputStoryid',
        *(f'InputSentence{i}' for i in range(1, 5)),
        'RandomFifthSentenceQuiz1',
        'RandomFifthSentenceQuiz2',
        'AnswerRightEnding',
      ]
    )
    rows.writerow(
      ['x', 'A cat.', 'A dog.', 'A log.', 'A mat.', 'Zqx', 'The', 2]
    )
  of = harness.HarnessTasks(
    ['storycloze_csv'],
    category='reasoning',
    data_files={'storycloze_csv': str(file)},
  )
  result = of.evaluate(bigram_model.BigramModel('The The'), lambda *_: None)
  (score,) = result.scores
  assert (score.name, score.value) == ('reasoning/storycloze_csv/accuracy', 1.0)
  assert result.samples[0]['requests'] == [
    ['A cat. A dog. A log. A mat.', ' Zqx'],
    ['A cat. A dog. A log. A mat.', ' The'],
  ]
