"""QuAC for the harness: dialogues into questions, word F1 of answers.

The F1 is the data set's "unfiltered" one: its own script also leaves out
questions on which people agree too little with each other.

The harness imports this file by its path, from `quac.yaml` beside it.
"""

import collections
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import re
import string
from typing import Any

_NO_ANSWER = 'CANNOTANSWER'
_ARTICLES = re.compile(r'\b(a|an|the)\b')
_PUNCTUATION = str.maketrans('', '', string.punctuation)


def _official(dialogue: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
  """Of an entry of `data` in the JSON files of quac.ai."""
  for paragraph in dialogue['paragraphs']:
    turns = paragraph['qas']
    yield {
      'title': dialogue['title'],
      'section': dialogue['section_title'],
      'context': paragraph['context'],
      'questions': [turn['question'] for turn in turns],
      'said': [turn['orig_answer']['text'] for turn in turns],
      'answers': [[a['text'] for a in turn['answers']] for turn in turns],
    }


def _of_the_hub(dialogue: Mapping[str, Any]) -> dict[str, Any]:
  return {
    'title': dialogue['wikipedia_page_title'],
    'section': dialogue['section_title'],
    'context': dialogue['context'],
    'questions': dialogue['questions'],
    'said': dialogue['orig_answers']['texts'],
    'answers': dialogue['answers']['texts'],
  }


def _turns(dialogue: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
  history = ''
  turns = zip(
    dialogue['questions'], dialogue['said'], dialogue['answers'], strict=True
  )
  for question, said, answers in turns:
    yield {
      'title': dialogue['title'],
      'section': dialogue['section'],
      'context': dialogue['context'],
      'history': history,
      'question': question,
      'answers': list(answers),
    }
    history += f'Question: {question}\nAnswer: {said}\n\n'


def questions(dialogues: Any) -> Any:
  """A `datasets.Dataset` of dialogues as one of questions."""
  import datasets

  rows: list[dict[str, Any]] = []
  for dialogue in dialogues:
    if 'paragraphs' in dialogue:
      found = list(_official(dialogue))
    else:
      found = [_of_the_hub(dialogue)]
    rows += [turn for of in found for turn in _turns(of)]
  return datasets.Dataset.from_list(rows)


def _words(text: str) -> list[str]:
  """Lower case, without punctuation and articles, as SQuAD and QuAC count."""
  bare = text.lower().translate(_PUNCTUATION)
  return _ARTICLES.sub(' ', bare).split()


def _word_f1(answer: str, reference: str) -> float:
  if reference == _NO_ANSWER:
    return float(answer == reference)
  given, right = _words(answer), _words(reference)
  if not given or not right:
    return float(given == right)
  shared = sum(
    (collections.Counter(given) & collections.Counter(right)).values()
  )
  return 2 * shared / (len(given) + len(right))


def _best_f1(answer: str, references: Sequence[str]) -> float:
  """Mean over the references that are left when each is left out in turn.

  People's own F1 can only be taken against the others' answers, so the data
  set's evaluation gives a model one reference fewer too.
  """
  if len(references) == 1:
    return _word_f1(answer, references[0])
  each = [_word_f1(answer, reference) for reference in references]
  left = [max(each[:i] + each[i + 1 :]) for i in range(len(each))]
  return sum(left) / len(left)


def f1(document: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
  """Of one question.

  Args:
    document: with `answers`, people's.
    results: the model's one answer.

  Returns:
    `f1`, between 0 and 1. A question that most people could not answer has
    CANNOTANSWER as its only reference, as in the official evaluation.
  """
  references = list(document['answers'])
  unanswered = [r for r in references if r == _NO_ANSWER]
  if len(unanswered) * 2 >= len(references):
    references = [_NO_ANSWER]
  else:
    references = [r for r in references if r != _NO_ANSWER]
  return {'f1': _best_f1(results[0], references)}
