"""BLEU is sacrebleu's, and what is a word is as documented."""

import sys

import pytest

from codelaw import errors
from codelaw.evaluation import bleu

sacrebleu = pytest.importorskip('sacrebleu')

REFERENCES = [
  'def f(xs):\n    return [x + 1 for x in xs if x > 2]\n',
  'int total = 0;\nfor (int i = 0; i < n; i++) {\n  total += a[i];\n}\n',
  'fmt.Println(strings.ToUpper("abc"), 1.5)\n',
]
TRANSLATIONS = [
  'def f(xs):\n    return [y + 1 for y in xs if y > 2]\n',
  'int sum = 0;\nfor (int i = 0; i < n; ++i) {\n  sum += a[i];\n}\n',
  'fmt.Println(strings.ToUpper("abd"), 2.5)\n',
]


def _value(measure, translations, references):
  sums = [0.0] * bleu.NUM_COUNTS
  for pair in zip(translations, references, strict=True):
    sums = [a + b for a, b in zip(sums, measure.counts(*pair), strict=True)]
  return measure.value(sums)


@pytest.mark.parametrize('tokenizer', ['13a', 'none', 'char', 'intl'])
def test_corpus_bleu_is_that_of_sacrebleu(tokenizer):
  expected = sacrebleu.corpus_bleu(
    TRANSLATIONS, [REFERENCES], tokenize=tokenizer
  )
  measure = bleu.Bleu(tokenizer)
  found = _value(measure, TRANSLATIONS, REFERENCES)
  # The same integers go through the same function.
  assert found == expected.score
  assert 20 < found < 90
  assert f'tok:{tokenizer}' in measure.signature
  assert f'version:{sacrebleu.__version__}' in measure.signature


def test_words_of_code():
  measure = bleu.Bleu(bleu.CODE)
  expected = sacrebleu.corpus_bleu(
    list(map(bleu.words, TRANSLATIONS)),
    [list(map(bleu.words, REFERENCES))],
    tokenize='none',
    force=True,
  )
  assert _value(measure, TRANSLATIONS, REFERENCES) == expected.score
  assert 'tok:codelaw-code' in measure.signature
  assert bleu.words('a[i]+=1;') == 'a [ i ] + = 1 ;'
  assert bleu.words('é_1\tπ\n"x y"') == 'é_1 π " x y "'


def test_bounds():
  measure = bleu.Bleu(bleu.CODE)
  # exp(log(100)) is off by rounding, in sacrebleu as well.
  assert _value(measure, REFERENCES, REFERENCES) == pytest.approx(100, 1e-12)
  assert _value(measure, [''] * 3, REFERENCES) == 0
  blanks = [text.replace('\n', ' \n\n  ') for text in REFERENCES]
  assert _value(measure, blanks, REFERENCES) == pytest.approx(100, 1e-12)


def test_an_unknown_tokenizer():
  with pytest.raises(errors.UserError, match='code, 13a.*moses'):
    bleu.Bleu('moses')


def test_without_sacrebleu(monkeypatch):
  monkeypatch.setitem(sys.modules, 'sacrebleu', None)
  with pytest.raises(errors.UserError, match=r"pip install 'codelaw\[eval\]'"):
    bleu.Bleu(bleu.CODE)
