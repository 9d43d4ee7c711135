import importlib.metadata
import json
import logging
import math
import os
import random
import subprocess
import sys

import numpy as np
import pytest

from codelaw import errors
from codelaw.evaluation import harness
from codelaw.evaluation import language_model
from tests.evaluation import bigram_model

pytest.importorskip('lm_eval')

TEXT = 'the cat sat on the mat. the dog sat on the log.\n' * 3
CHOICES = [
  {'start': 'the cat', 'ends': [' sat', ' xqz!'], 'right': 0},
  {'start': 'a dog', 'ends': [' on', ' qqqqqqq'], 'right': 1},
  {'start': 'on the', 'ends': [' mat', ' MAT'], 'right': 0},
  {'start': 'the', 'ends': ['#', ' log'], 'right': 1},
]
MULTIPLE_CHOICE = """
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {folder}/{name}.jsonl}}}}
output_type: multiple_choice
test_split: test
doc_to_text: "{{{{start}}}}"
doc_to_choice: ends
doc_to_target: right
target_delimiter: ""
metric_list:
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
  - {{metric: acc_norm, aggregation: mean, higher_is_better: true}}
metadata: {{version: 1.5}}
"""
GENERATE = """
task: tiny_generate
dataset_path: json
dataset_kwargs: {{data_files: {{test: {folder}/questions.jsonl}}}}
output_type: generate_until
test_split: test
doc_to_text: "{{{{question}}}}"
doc_to_target: "{{{{answer}}}}"
generation_kwargs: {{until: ["."], do_sample: false, max_gen_toks: 6}}
filter_list:
  - name: strict
    filter: [{{function: take_first}}]
  - name: upper
    filter: [{{function: uppercase}}, {{function: take_first}}]
metric_list:
  - {{metric: exact_match, aggregation: mean, higher_is_better: true}}
"""
ROLLING = """
task: tiny_rolling
dataset_path: json
dataset_kwargs: {{data_files: {{test: {folder}/documents.jsonl}}}}
output_type: loglikelihood_rolling
test_split: test
doc_to_text: ""
doc_to_target: "{{{{text}}}}"
metric_list:
  - {{metric: bits_per_byte}}
  - {{metric: word_perplexity}}
"""
GROUP = """
group: tiny_group
task: [tiny_choice, tiny_choice_again]
aggregate_metric_list:
  - {{metric: acc, weight_by_size: true}}
"""
PROGRAMS = """
task: tiny_programs
include: {folder}/tiny_generate.yaml
unsafe_code: true
"""
MISSING = """
task: tiny_missing
dataset_path: someone/of_the_hub
output_type: generate_until
test_split: test
doc_to_text: "{{{{question}}}}"
doc_to_target: "{{{{answer}}}}"
"""


def _write_rows(path, rows):
  path.write_text(''.join(json.dumps(row) + '\n' for row in rows))


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  folder = tmp_path_factory.mktemp('tasks')
  _write_rows(folder / 'tiny_choice.jsonl', CHOICES)
  _write_rows(folder / 'tiny_choice_again.jsonl', CHOICES[1:])
  _write_rows(
    folder / 'questions.jsonl',
    [{'question': 'the c', 'answer': 'at '}, {'question': 'o', 'answer': 'n'}],
  )
  _write_rows(
    folder / 'documents.jsonl',
    [{'text': 'the cat'}, {'text': 'on the log. é'.replace('é', 'e')}],
  )
  files = {
    'tiny_choice': MULTIPLE_CHOICE,
    'tiny_choice_again': MULTIPLE_CHOICE,
    'tiny_generate': GENERATE,
    'tiny_rolling': ROLLING,
    'tiny_group': GROUP,
    'tiny_programs': PROGRAMS,
    'tiny_missing': MISSING,
  }
  for name, text in files.items():
    (folder / f'{name}.yaml').write_text(text.format(folder=folder, name=name))
  return folder


@pytest.fixture
def model():
  return bigram_model.BigramModel(TEXT)


def _evaluate(model, folder, *tasks, report=lambda text, share: None, **fields):
  of = harness.HarnessTasks(tasks, include_path=str(folder), **fields)
  return of.evaluate(model, report)


def _by_name(result):
  return {score.name: score for score in result.scores}


def test_multiple_choice(model, folder):
  result = _evaluate(model, folder, 'tiny_choice', category='reasoning')
  right = right_per_letter = 0
  for row in CHOICES:
    nats = [model.likelihoods([(row['start'], e)])[0].nats for e in row['ends']]
    per_letter = [n / len(e) for n, e in zip(nats, row['ends'], strict=True)]
    right += int(np.argmax(nats)) == row['right']
    right_per_letter += int(np.argmax(per_letter)) == row['right']
  assert (right, right_per_letter) == (2, 3)
  scores = _by_name(result)
  accuracy = scores['reasoning/tiny_choice/accuracy']
  assert accuracy.value == right / 4
  share = right / 4
  assert accuracy.standard_error == pytest.approx(
    math.sqrt(share * (1 - share) / 3)
  )
  assert (accuracy.num_items, accuracy.category) == (4, 'reasoning')
  assert accuracy.higher_is_better
  assert scores['reasoning/tiny_choice/acc_norm'].value == right_per_letter / 4
  assert len(scores) == 2
  assert result.notes == [
    f'tiny_choice: version 1.5, 0-shot, lm-eval {_version()}.'
  ]


def _version():
  return importlib.metadata.version('lm_eval')


def test_another_metric_may_count(model, folder):
  plain = _by_name(_evaluate(model, folder, 'tiny_choice'))
  other = _by_name(
    _evaluate(model, folder, 'tiny_choice', metrics={'tiny_choice': 'acc_norm'})
  )
  assert list(plain) == ['tiny_choice/accuracy', 'tiny_choice/acc_norm']
  assert list(other) == ['tiny_choice/accuracy', 'tiny_choice/acc']
  values = [score.value for score in other.values()]
  assert values == [score.value for score in plain.values()][::-1]
  with pytest.raises(errors.UserError, match=r"wants 'f1'.*has .*acc"):
    _evaluate(model, folder, 'tiny_choice', metrics={'tiny_choice': 'f1'})


def test_generation_with_two_filters(model, folder):
  result = _evaluate(model, folder, 'tiny_generate')
  want = [
    model._continue(q, _settings(stop=('.',), length=6), 0) == a
    for q, a in [('the c', 'at '), ('o', 'n')]
  ]
  scores = _by_name(result)
  assert scores['tiny_generate/exact_match'].value == np.mean(want)
  assert scores['tiny_generate/exact_match:upper'].value == 0
  assert {score.num_items for score in scores.values()} == {2}
  assert [row['filter'] for row in result.samples] == ['strict'] * 2 + [
    'upper'
  ] * 2


def _settings(stop, length):
  return language_model.Sampling(max_new_tokens=length, stop=stop)


def test_settings_of_generation_can_be_replaced(model, folder):
  result = _evaluate(
    model, folder, 'tiny_generate', generation={'max_gen_toks': 2}
  )
  assert {len(row['responses'][0][0]) for row in result.samples} == {2}
  assert result.samples[0]['requests'][0][1] == {
    'until': ['.'],
    'do_sample': False,
    'max_gen_toks': 2,
  }


def test_rolling(model, folder):
  texts = ['the cat', 'on the log. e']
  nats = [model.rolling_likelihoods([text])[0].nats for text in texts]
  scores = _by_name(_evaluate(model, folder, 'tiny_rolling'))
  bits = scores['tiny_rolling/bits_per_byte']
  letters = sum(map(len, texts))
  assert bits.value == pytest.approx(-sum(nats) / letters / math.log(2))
  assert not bits.higher_is_better
  # With two documents each stands alone when the other is left out.
  alone = [-n / len(t) / math.log(2) for n, t in zip(nats, texts, strict=True)]
  assert bits.standard_error == pytest.approx(abs(alone[0] - alone[1]) / 2)
  words = scores['tiny_rolling/word_perplexity']
  assert words.value == pytest.approx(math.exp(-sum(nats) / 6))


def test_a_group(model, folder):
  result = _evaluate(model, folder, 'tiny_group')
  scores = _by_name(result)
  one, other, group = (
    scores[f'tiny_{name}/accuracy']
    for name in ('choice', 'choice_again', 'group')
  )
  assert (one.value, other.value) == (2 / 4, 1 / 3)
  assert group.value == pytest.approx(3 / 7)
  assert group.num_items == 7
  assert group.standard_error == pytest.approx(
    math.hypot(4 / 7 * one.standard_error, 3 / 7 * other.standard_error)
  )
  assert 'tiny_choice_again/acc_norm' in scores


def test_samples_are_json(model, folder):
  result = _evaluate(
    model, folder, 'tiny_choice', 'tiny_generate', 'tiny_rolling'
  )
  rows = json.loads(json.dumps(list(result.samples), allow_nan=False))
  first = rows[0]
  assert first['task'] == 'tiny_choice'
  assert first['document'] == CHOICES[0]
  assert first['target'] == 0
  assert first['requests'] == [['the cat', ' sat'], ['the cat', ' xqz!']]
  nats = model.likelihoods([('the cat', ' sat')])[0].nats
  assert first['responses'][0] == [[nats, False]]
  assert first['metrics'] == {'acc': 1.0, 'acc_norm': 1.0}
  assert len(rows) == 4 + 4 + 2


def test_few_shots_come_from_the_seed(model, folder):
  def prompts(seed):
    result = _evaluate(
      model, folder, 'tiny_choice', num_fewshot=1, seed=seed, limit=1
    )
    return result.samples[0]['requests'][0][0], result.notes

  (prompt, notes), (again, _) = prompts(0), prompts(0)
  assert prompt == again
  assert prompt.endswith('the cat')
  assert len(prompt) > len('the cat')
  assert len({prompts(seed)[0] for seed in range(4)}) > 1
  assert notes == [
    f'tiny_choice: version 1.5, 1-shot, lm-eval {_version()};'
    ' the first 1 of 4 items.'
  ]


def test_progress(model, folder):
  seen = []
  _evaluate(
    model,
    folder,
    'tiny_choice',
    'tiny_generate',
    report=lambda text, share: seen.append((text, share)),
  )
  assert seen == [
    ('tiny_choice: loading', 0.0),
    ('tiny_generate: loading', 0.0),
    ('tiny_choice: 0 of 8 continuations', 0.0),
    ('tiny_generate: 0 of 2 texts', 0.5),
  ]


def test_local_files_in_place_of_the_hub(model, folder):
  result = _evaluate(
    model,
    folder,
    'tiny_missing',
    data_files={'tiny_missing': str(folder / 'questions.jsonl')},
    generation={'max_gen_toks': 3, 'until': []},
  )
  assert [row['document']['question'] for row in result.samples] == [
    'the c',
    'o',
  ]


def test_a_task_without_its_file_is_left_out(model, folder):
  result = _evaluate(
    model,
    folder,
    'tiny_choice',
    'storycloze_csv',
    data_files={'storycloze_csv': ''},
  )
  assert {row['task'] for row in result.samples} == {'tiny_choice'}
  assert result.notes[0].startswith('storycloze_csv was left out')


def test_a_hub_out_of_reach(model, folder, monkeypatch):
  import datasets
  import huggingface_hub

  monkeypatch.setattr(datasets.config, 'HF_HUB_OFFLINE', True)
  monkeypatch.setattr(huggingface_hub.constants, 'HF_HUB_OFFLINE', True)
  with pytest.raises(
    errors.UserError,
    match=r'The data of tiny_missing \(someone/of_the_hub\).*data_files',
  ):
    _evaluate(model, folder, 'tiny_choice', 'tiny_missing')
  assert not model.asked  # All data is read before anything is spent.


def test_images_are_not_for_these_models(model, folder, tmp_path):
  text = GENERATE.format(folder=folder) + 'doc_to_image: [picture]\n'
  (tmp_path / 'images.yaml').write_text(text)
  with pytest.raises(errors.UserError, match='tiny_generate asks about images'):
    _evaluate(model, tmp_path, 'tiny_generate')


def test_a_broken_task_is_one_sentence(model, folder, tmp_path):
  text = GENERATE.format(folder=folder).replace('{{question}}', '{{quest ion}}')
  (tmp_path / 'broken.yaml').write_text(text)
  with pytest.raises(errors.UserError, match=r'cannot load tiny_generate \('):
    _evaluate(model, tmp_path, 'tiny_generate')


def test_programs_are_not_run(model, folder, monkeypatch):
  monkeypatch.setenv('HF_ALLOW_CODE_EVAL', '1')
  with pytest.raises(errors.UserError, match='sandbox.*CodeExecution'):
    _evaluate(model, folder, 'tiny_choice', 'tiny_programs')
  assert not model.asked  # Refused before anything was spent.
  of = harness.HarnessTasks(['tiny_programs'], include_path=str(folder))
  with pytest.raises(errors.UserError, match='CodeExecution'):
    of.check()


def test_what_is_there_passes_the_check(folder):
  tasks = ['tiny_choice', 'tiny_group', 'quac', 'storycloze_csv']
  harness.HarnessTasks(tasks, include_path=str(folder)).check()


@pytest.mark.parametrize(
  ('fields', 'message'),
  [
    ({'tasks': 'hellaswag'}, 'must be a list'),
    ({'tasks': ()}, 'must be a list'),
    ({'tasks': ('a',), 'limit': 0}, 'at least 1'),
    ({'tasks': ('a',), 'limit': 0.5}, 'at least 1'),
  ],
)
def test_mistakes(fields, message):
  with pytest.raises(errors.UserError, match=message):
    harness.HarnessTasks(**fields)


def test_a_missing_folder(model, tmp_path):
  with pytest.raises(errors.UserError, match='there is no folder'):
    _evaluate(model, tmp_path / 'none', 'a')


def test_without_the_package(model, folder, monkeypatch):
  monkeypatch.setattr(harness.importlib.util, 'find_spec', lambda name: None)
  with pytest.raises(errors.UserError, match='extra `eval`'):
    _evaluate(model, folder, 'tiny_choice')


def test_nothing_around_it_changes(model, folder, capfd, caplog, monkeypatch):
  monkeypatch.delenv('HF_ALLOW_CODE_EVAL', raising=False)
  import datasets

  random.seed(5)
  np.random.seed(5)
  before = (
    random.getstate(),
    np.random.get_state()[1].tolist(),
    datasets.config.HF_DATASETS_CACHE,
    datasets.are_progress_bars_disabled(),
    logging.getLogger('lm_eval').level,
    dict(os.environ),
  )
  _evaluate(model, folder, 'tiny_choice', 'tiny_generate', num_fewshot=1)
  assert before == (
    random.getstate(),
    np.random.get_state()[1].tolist(),
    datasets.config.HF_DATASETS_CACHE,
    datasets.are_progress_bars_disabled(),
    logging.getLogger('lm_eval').level,
    dict(os.environ),
  )
  _evaluate(model, folder, 'tiny_rolling')  # Of which the harness would warn.
  assert capfd.readouterr() == ('', '')
  assert not caplog.records


def test_prepared_data_goes_to_the_folder_that_was_named(
  model, folder, tmp_path
):
  _evaluate(model, folder, 'tiny_choice', cache_dir=str(tmp_path / 'cache'))
  assert list((tmp_path / 'cache').rglob('*.arrow'))


_ALONE = """
import sys
from codelaw.evaluation import harness
from codelaw.evaluation import language_model
from tests.evaluation import bigram_model
assert not {'lm_eval', 'datasets', 'jax'} & set(sys.modules)
of = harness.HarnessTasks(['tiny_choice'], include_path=sys.argv[1])
result = of.evaluate(bigram_model.BigramModel('the cat'), lambda *_: None)
assert len(result.samples) == 4
# Prompts and metrics need none of them.
assert not {'torch', 'tensorflow', 'jax', 'transformers'} & set(sys.modules)
"""


def test_a_process_of_its_own_writes_nothing_at_home(folder, tmp_path):
  home = tmp_path / 'home'
  home.mkdir()
  (tmp_path / 'temporary').mkdir()
  done = subprocess.run(
    [sys.executable, '-W', 'error::DeprecationWarning', '-c', _ALONE, folder],
    env={
      'HOME': str(home),
      'PYTHONPATH': os.pathsep.join(sys.path),
      'PATH': os.environ['PATH'],
      'TMPDIR': str(tmp_path / 'temporary'),
    },
    capture_output=True,
    text=True,
    timeout=120,
  )
  assert done.returncode == 0, done.stderr
  assert (done.stdout, done.stderr) == ('', '')
  assert not list(home.rglob('*'))
  assert not list((tmp_path / 'temporary').iterdir())
