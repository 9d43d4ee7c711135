import argparse
import math

import pytest

from codelaw import scores as scores_lib
from codelaw.cli import evaluate
from codelaw.cli import gin_config
from codelaw.evaluation import averages
from codelaw.evaluation import task as task_lib

REASONING = [
  'boolq',
  'piqa',
  'sciq',
  'social_iqa',
  'quac',
  'cb',
  'copa',
  'storycloze_csv',
  'hellaswag',
  'winogrande',
  'arc_easy',
]


def _score(name, value, error=0.1, count=10):
  task, metric = name.rsplit('/', 1)
  return scores_lib.Score(task, metric, value, error, count)


def _reasoning():
  return [
    _score(
      f'reasoning/{task}/{"f1" if task == "quac" else "accuracy"}', place / 11
    )
    for place, task in enumerate(REASONING)
  ]


def _knowledge():
  return [
    _score('knowledge/triviaqa/exact_match', 0.2, error=0.03, count=100),
    _score('knowledge/nq_open/exact_match', 0.1, error=0.04, count=300),
  ]


def _code():
  return [
    _score('code/humaneval-python/pass@1', 0.06),
    _score('code/mbpp-python/pass@1', 0.02),
  ]


def test_all_five_averages():
  made, notes = averages.paper_b([*_code(), *_knowledge(), *_reasoning()])
  values = {score.name: score.value for score in made}
  reasoning, knowledge, code = 55 / 121, 0.15, 0.04
  assert values == pytest.approx(
    {
      'reasoning/average/accuracy': reasoning,
      'knowledge/average/exact_match': knowledge,
      'code/average/pass@1': code,
      'natural_language/average/score': (reasoning + knowledge) / 2,
      'total/average/score': (reasoning + knowledge + code) / 3,
    },
    rel=1e-12,
  )
  assert notes == []
  assert [score.category for score in made] == [
    'reasoning',
    'knowledge',
    'code',
    'natural_language',
    'total',
  ]


def test_errors_and_items_of_the_parts():
  made, _ = averages.paper_b([*_knowledge(), *_reasoning()])
  by_name = {score.name: score for score in made}
  knowledge = by_name['knowledge/average/exact_match']
  assert knowledge.standard_error == pytest.approx(0.025)  # A 3-4-5 triangle.
  assert knowledge.num_items == 400
  reasoning = by_name['reasoning/average/accuracy']
  assert reasoning.standard_error == pytest.approx(0.1 / math.sqrt(11))
  both = by_name['natural_language/average/score']
  assert both.standard_error == pytest.approx(
    math.hypot(0.025, 0.1 / math.sqrt(11)) / 2
  )
  assert both.num_items == 510


def test_an_unknown_error_stays_unknown():
  parts = [
    *_knowledge()[:1],
    _score('knowledge/nq_open/exact_match', 0.1, None),
  ]
  made, _ = averages.paper_b(parts)
  assert [score.standard_error for score in made] == [None]


def test_missing_parts_are_named_and_make_no_average():
  some = [
    s for s in _reasoning() if 'cb' not in s.task and 'quac' not in s.task
  ]
  made, notes = averages.paper_b([*some, *_knowledge()])
  assert [s.name for s in made] == ['knowledge/average/exact_match']
  assert notes == [
    'No reasoning/average/accuracy: it lacks reasoning/quac/f1,'
    ' reasoning/cb/accuracy.',
    'No natural_language/average/score: it lacks reasoning/average/accuracy.',
    'No total/average/score: it lacks reasoning/average/accuracy,'
    ' code/average/pass@1.',
  ]


def test_nothing_of_the_paper_nothing_said():
  assert averages.paper_b([_score('gsm8k/exact_match', 0.5)]) == ([], [])


def test_old_averages_are_no_parts():
  old = _score('reasoning/average/accuracy', 0.9)
  made, notes = averages.paper_b([old, *_knowledge()])
  assert [s.name for s in made] == ['knowledge/average/exact_match']
  assert len(notes) == 2


@pytest.mark.parametrize('year', ['storycloze_2016', 'storycloze_2018'])
def test_any_form_of_story_cloze_counts(year):
  scores = [
    _score(f'reasoning/{year}/accuracy', s.value) if 'cloze' in s.task else s
    for s in _reasoning()
  ]
  made, _ = averages.paper_b(scores)
  assert made[0].value == pytest.approx(55 / 121)


def test_the_gin_file_evaluates_the_parts():
  """By names of the scores that its tasks write."""
  args = argparse.Namespace(
    gin_file=['evaluation/paper_b.gin'], gin_search_paths=[], gin_bindings=[]
  )
  evaluation = gin_config.load(args, task_lib.Evaluation, evaluate.PARTS)
  reasoning, knowledge, code = evaluation.tasks
  assert [reasoning.category, knowledge.category] == ['reasoning', 'knowledge']
  assert [reasoning.num_fewshot, knowledge.num_fewshot] == [0, 0]
  assert list(reasoning.tasks) == REASONING
  assert {f'knowledge/{t}/exact_match' for t in knowledge.tasks} == {
    score.name for score in _knowledge()
  }
  assert [source.repository for source in code.problems] == [
    'openai/openai_humaneval',
    'google-research-datasets/mbpp',
  ]
  assert (code.k, code.num_samples, code.temperature) == ((1,), 1, 0)
