"""Corpus BLEU of programs, by sacrebleu.

BLEU compares words, and what is a word of a program is a choice. The
tokenizer `code`, ours, takes runs of letters, digits and underscores as one
word and every other character that is no blank as another, so that
`a[i]+=1;` has eight words and blanks count for nothing. Any other name is a
tokenizer of sacrebleu, which `13a`, its default, is for text in natural
languages: it leaves `a.b(c)` whole.

Counts of one item are those of sacrebleu: matching n-grams of 1 to 4 words,
n-grams of the translation, words of the translation and of the reference.
"""

import re
from typing import Any

import numpy as np

from codelaw import errors

CODE = 'code'
TOKENIZERS = (CODE, '13a', 'none', 'char', 'intl')
_WORD = re.compile(r'\w+|[^\w\s]')
_ORDER = 4
NUM_COUNTS = 2 * _ORDER + 2


class Bleu:
  """Counts and values of BLEU.

  Attributes:
    signature: of sacrebleu, with everything that the value depends on.
  """

  def __init__(self, tokenizer: str):
    """Finds sacrebleu.

    Args:
      tokenizer: one of `TOKENIZERS`.

    Raises:
      UserError: when sacrebleu is not installed or the tokenizer is unknown.
    """
    if tokenizer not in TOKENIZERS:
      raise errors.UserError(
        f'The tokenizer of BLEU must be one of {", ".join(TOKENIZERS)}; got'
        f' {tokenizer!r}.'
      )
    self._is_code = tokenizer == CODE
    # `force` keeps it from warning that texts look tokenized: they are.
    self._bleu: Any = _sacrebleu().BLEU(
      tokenize='none' if self._is_code else tokenizer, force=True
    )
    self.counts('', '')  # A signature is known after a first use.
    signature = str(self._bleu.get_signature())
    self.signature = (
      signature.replace('tok:none', 'tok:codelaw-code')
      if self._is_code
      else signature
    )

  def counts(self, translation: str, reference: str) -> tuple[float, ...]:
    """Of one item: [NUM_COUNTS]."""
    if self._is_code:
      translation, reference = words(translation), words(reference)
    found = self._bleu.corpus_score([translation], [[reference]])
    return (*found.counts, *found.totals, found.sys_len, found.ref_len)

  def value(self, sums: np.ndarray) -> float:
    """BLEU between 0 and 100 of summed counts; NaN without a reference."""
    if not sums[-1]:
      return float('nan')
    whole = [round(count) for count in sums]
    return float(
      self._bleu.compute_bleu(
        correct=whole[:_ORDER],
        total=whole[_ORDER : 2 * _ORDER],
        sys_len=whole[-2],
        ref_len=whole[-1],
        smooth_method=self._bleu.smooth_method,
      ).score
    )


def words(program: str) -> str:
  """The words of a program as the tokenizer `code` cuts it, between blanks.

  >>> words('a[i] += f(x_1);')
  'a [ i ] + = f ( x_1 ) ;'
  """
  return ' '.join(_WORD.findall(program))


def _sacrebleu() -> Any:
  try:
    from sacrebleu import metrics
  except ImportError as error:
    raise errors.UserError(
      'BLEU needs sacrebleu, which is not installed: pip install'
      " 'codelaw[eval]'."
    ) from error
  return metrics
