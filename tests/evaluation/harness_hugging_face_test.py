"""Our answers and those of the harness's own Hugging Face backend.

The same parameters, once as codelaw computes them and once exported and
computed by transformers, are given the same tasks by the harness.

To run it: pip install torch transformers safetensors lm-eval accelerate
"""

import dataclasses
import json
import string

import numpy as np
import pytest

from codelaw.data import packing
from codelaw.evaluation import harness
from codelaw.interop import hugging_face
from tests.evaluation import models
from tests.interop import models_to_export

pytest.importorskip('torch')
pytest.importorskip('transformers')
pytest.importorskip('safetensors')
pytest.importorskip('lm_eval')

# Both compute in float32, in another order of sums, and near 200, where these
# are, float32 counts in steps of 1.5e-5. Measured at most 6.1e-5.
NATS = dict(rtol=0, atol=2e-4)
CONTEXT_LENGTH = 64
CHOICES = [
  ('def add(first, second):\n', ['  return first + second', '  pass', '\n']),
  ('for value in ', ['range(10):', 'item', 'ran']),
  ('class Stack:\n  def ', ['push(self)', 'add', 'é']),
  ('', ['class', 'for value', 'x']),
  # So many that one may be the most likely token.
  ('def add(', list(string.ascii_letters + string.punctuation)),
  ('', list(string.ascii_letters + string.punctuation)),
]
DOCUMENTS = [models_to_export.TEXTS[0], models_to_export.TEXTS[1][:40], 'x']
PROMPTS = ['def add(first', 'for value in range', 'class', 'print("café', 'x ']
HEAD = """
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {folder}/{name}.jsonl}}}}
test_split: test
"""
TASKS = {
  'choose': """
output_type: multiple_choice
doc_to_text: "{{context}}"
doc_to_choice: ends
doc_to_target: 0
target_delimiter: ""
""",
  'read': """
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{text}}"
""",
  'write': """
output_type: generate_until
doc_to_text: "{{prompt}}"
doc_to_target: "x"
generation_kwargs: {until: ["\\n", "self"], do_sample: false, max_gen_toks: 24}
metric_list: [{metric: exact_match}]
""",
}
ROWS = {
  'choose': [{'context': c, 'ends': e} for c, e in CHOICES],
  'read': [{'text': text} for text in DOCUMENTS],
  'write': [{'prompt': prompt} for prompt in PROMPTS],
}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  folder = tmp_path_factory.mktemp('tasks')
  for name, body in TASKS.items():
    head = HEAD.format(name=name, folder=folder)
    (folder / f'{name}.yaml').write_text(head + body)
    rows = ''.join(json.dumps(row) + '\n' for row in ROWS[name])
    (folder / f'{name}.jsonl').write_text(rows)
  return folder


@pytest.fixture(scope='module', params=['sequential_grouped', 'parallel'])
def both(request, tmp_path_factory):
  """(our model, folder of the exported one)."""
  folder = tmp_path_factory.mktemp('exported')
  ours = models.language_model(request.param, context_length=CONTEXT_LENGTH)
  run = models_to_export.model(ours.shape, folder)
  plan = dataclasses.replace(run.record.plan, sequence_length=CONTEXT_LENGTH)
  run = dataclasses.replace(
    run, record=dataclasses.replace(run.record, plan=plan)
  )
  hugging_face.write(folder / 'out', run)
  return ours, folder / 'out'


def _theirs(exported, folder, task, **settings):
  """Responses of the harness with its own backend, in order of items."""
  from lm_eval import evaluator
  from lm_eval import tasks
  from lm_eval.models import huggingface

  backend = huggingface.HFLM(
    str(exported), device='cpu', dtype='float32', batch_size=2, **settings
  )
  # Ours never write token 0, which begins documents and which nothing in
  # training teaches; random parameters may.
  backend.model.generation_config.suppress_tokens = [packing.PAD_ID]
  results = evaluator.simple_evaluate(
    backend,
    tasks=[task],
    task_manager=tasks.TaskManager(
      include_path=str(folder), include_defaults=False
    ),
    bootstrap_iters=0,
  )
  responses = [row['resps'] for row in results['samples'][task]]
  return responses, results['results'][task]


def _ours(model, folder, task):
  of = harness.HarnessTasks([task], include_path=str(folder))
  result = of.evaluate(model, lambda *_: None)
  scores = {score.metric: score.value for score in result.scores}
  return [row['responses'] for row in result.samples], scores


def test_likelihoods(both, folder):
  model, exported = both
  theirs, result = _theirs(exported, folder, 'choose')
  ours, scores = _ours(model, folder, 'choose')
  for (context, ends), mine, other in zip(CHOICES, ours, theirs, strict=True):
    for end, (my,), (their,) in zip(ends, mine, other, strict=True):
      np.testing.assert_allclose(my[0], their[0], **NATS, err_msg=context + end)
      assert my[1] == their[1]
  if model.name == 'parallel':  # The other prefers longer tokens.
    assert {my[1] for mine in ours for (my,) in mine} == {True, False}
  assert scores['accuracy'] == result['acc,none']
  assert scores['acc_norm'] == result['acc_norm,none']


def test_documents(both, folder):
  """Without a second start token, which the backend would count."""
  model, exported = both
  theirs, result = _theirs(exported, folder, 'read', add_bos_token=False)
  ours, scores = _ours(model, folder, 'read')
  np.testing.assert_allclose(
    np.ravel(ours), np.ravel(theirs).astype(float), **NATS
  )
  assert scores['bits_per_byte'] == pytest.approx(
    result['bits_per_byte,none'], abs=1e-5
  )


def test_texts(both, folder):
  model, exported = both
  theirs, _ = _theirs(exported, folder, 'write')
  ours, _ = _ours(model, folder, 'write')
  assert ours == theirs
  assert any(len(text) > 10 for ((text,),) in ours)
