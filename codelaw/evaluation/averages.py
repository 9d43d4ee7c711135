"""The averages of a paper's table, from the scores of one checkpoint.

Paper B ("To Code, or Not To Code?", arXiv:2408.10914) judges a model by

  reasoning           mean accuracy over 11 tasks
  knowledge           mean exact match over 2 tasks
  natural language    (reasoning + knowledge) / 2
  code                mean pass@1 over HumanEval and MBPP
  total               (reasoning + knowledge + code) / 3

Parts may have been evaluated at different times; an average exists once all
of its parts do. Its standard error takes the parts as independent, for they
have no item in common: sqrt(sum of squares) / number of parts.

The paper does not say how QuAC, a task of answering freely, has an accuracy;
here its F1 counts, which is the metric of the data set's own paper.
"""

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import math

from codelaw import scores as scores_lib


@dataclasses.dataclass(frozen=True)
class _Average:
  """A mean of other scores.

  Attributes:
    name: of the score, `task/metric`.
    parts: each a choice of names, of which the first that exists counts.
  """

  name: str
  parts: Sequence[Sequence[str]]


_REASONING = _Average(
  'reasoning/average/accuracy',
  (
    ('reasoning/boolq/accuracy',),
    ('reasoning/piqa/accuracy',),
    ('reasoning/sciq/accuracy',),
    ('reasoning/social_iqa/accuracy',),
    ('reasoning/quac/f1',),
    ('reasoning/cb/accuracy',),
    ('reasoning/copa/accuracy',),
    # The paper does not say of which year.
    (
      'reasoning/storycloze_csv/accuracy',
      'reasoning/storycloze_2016/accuracy',
      'reasoning/storycloze_2018/accuracy',
    ),
    ('reasoning/hellaswag/accuracy',),
    ('reasoning/winogrande/accuracy',),
    ('reasoning/arc_easy/accuracy',),
  ),
)
_KNOWLEDGE = _Average(
  'knowledge/average/exact_match',
  (('knowledge/triviaqa/exact_match',), ('knowledge/nq_open/exact_match',)),
)
_CODE = _Average(
  'code/average/pass@1',
  (('code/humaneval-python/pass@1',), ('code/mbpp-python/pass@1',)),
)
_NATURAL_LANGUAGE = _Average(
  'natural_language/average/score', ((_REASONING.name,), (_KNOWLEDGE.name,))
)
_TOTAL = _Average(
  'total/average/score',
  ((_REASONING.name,), (_KNOWLEDGE.name,), (_CODE.name,)),
)
# Parts before what is made of them.
_PAPER_B = (_REASONING, _KNOWLEDGE, _CODE, _NATURAL_LANGUAGE, _TOTAL)
NAMES = tuple(average.name for average in _PAPER_B)


def _mean(name: str, parts: Sequence[scores_lib.Score]) -> scores_lib.Score:
  task, metric = name.rsplit('/', 1)
  known = [p.standard_error for p in parts if p.standard_error is not None]
  return scores_lib.Score(
    task=task,
    metric=metric,
    value=math.fsum(p.value for p in parts) / len(parts),
    standard_error=math.hypot(*known) / len(parts)
    if len(known) == len(parts)
    else None,
    num_items=sum(p.num_items for p in parts),
    category=task.split('/')[0],
  )


def _part(
  found: Mapping[str, scores_lib.Score], names: Sequence[str]
) -> scores_lib.Score | None:
  return next((found[name] for name in names if name in found), None)


def paper_b(
  scores: Iterable[scores_lib.Score],
) -> tuple[list[scores_lib.Score], list[str]]:
  """The five averages of paper B, as far as their parts exist.

  Args:
    scores: of one checkpoint; averages among them are made anew.

  Returns:
    Averages, and a sentence for each one that lacks some of its parts. One
    that lacks all of them is not spoken of.
  """
  found = {s.name: s for s in scores if s.name not in NAMES}
  made: list[scores_lib.Score] = []
  notes: list[str] = []
  for average in _PAPER_B:
    parts = [_part(found, choices) for choices in average.parts]
    there = [part for part in parts if part is not None]
    if len(there) == len(parts):
      made.append(_mean(average.name, there))
      found[average.name] = made[-1]
    elif there:
      missing = [
        choices[0]
        for choices, part in zip(average.parts, parts, strict=True)
        if part is None
      ]
      notes.append(f'No {average.name}: it lacks {", ".join(missing)}.')
  return made, notes
