import pytest

from codelaw import errors
from codelaw import scores

PIQA = scores.Score('reasoning/piqa', 'accuracy', 0.5, 0.1, 25)
BLEU = scores.Score('translation/python-java', 'bleu', 0.0, None, 3)


def test_scores_of_a_step_are_added_and_replaced(tmp_path):
  assert scores.read(tmp_path) == {}
  scores.write(tmp_path, 20, [PIQA])
  scores.write(tmp_path, 3, [BLEU])
  better = scores.Score('reasoning/piqa', 'accuracy', 0.6, 0.1, 25)
  scores.write(tmp_path, 20, [BLEU, better])
  found = scores.read(tmp_path)
  assert list(found) == [3, 20]
  assert found == {3: (BLEU,), 20: (better, BLEU)}
  assert PIQA.name == 'reasoning/piqa/accuracy'


def test_scores_can_be_taken_out_and_the_latest_step_is_known(tmp_path):
  assert scores.latest(tmp_path) is None
  scores.write(tmp_path, 20, [PIQA, BLEU])
  scores.write(tmp_path, 100, [PIQA])
  assert scores.latest(tmp_path) == (100, {PIQA.name: 0.5})
  scores.write(tmp_path, 100, [BLEU], instead_of=[PIQA.name, 'never/there'])
  assert scores.latest(tmp_path) == (100, {BLEU.name: 0.0})
  scores.write(tmp_path, 20, [PIQA], instead_of=[PIQA.name])
  assert scores.read(tmp_path)[20] == (PIQA, BLEU)


def test_mistakes_are_told(tmp_path):
  with pytest.raises(errors.UserError, match='Two scores are called'):
    scores.write(tmp_path, 1, [PIQA, PIQA])
  with pytest.raises(errors.UserError, match='must be finite'):
    scores.Score('a', 'b', float('nan'), None, 1)
  for task, metric in (('a b', 'c'), ('a', 'b/c'), ('/a', 'b'), ('', 'b')):
    with pytest.raises(errors.UserError, match='without spaces'):
      scores.Score(task, metric, 1.0, None, 1)
  (tmp_path / 'downstream').mkdir()
  (tmp_path / 'downstream' / 'notes.txt').write_text('mine')
  assert scores.read(tmp_path) == {}
  for text in ('{"scores": [{"task": "a"}]}', '{}', '[]', '{'):
    (tmp_path / 'downstream' / 'step_1.json').write_text(text)
    with pytest.raises(errors.UserError, match=r'step_1\.json'):
      scores.read(tmp_path)
