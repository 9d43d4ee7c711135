"""Likelihoods and texts of models, against plain computations."""

import dataclasses

import numpy as np
import pytest

from codelaw import errors
from codelaw import records
from codelaw import storage
from codelaw.data import manifest as manifest_lib
from codelaw.data import tokenizer as tokenizer_lib
from codelaw.evaluation import generation
from codelaw.evaluation import language_model
from codelaw.evaluation import run_language_model
from codelaw.train import run_model
from tests.evaluation import models
from tests.interop import models_to_export

# Logits are of order 10 in float32, whose sums over heads and keys round in
# another order in rows of another length: 1e-6 of each, over 40 tokens.
TOLERANCE = 2e-4
TEXT = ''.join(models_to_export.TEXTS)
REQUESTS = [
  ('def add(first, second):\n', '  return first + second\n'),
  ('', 'class Stack:\n'),
  ('for value in range(10):\n  print(value', ', "café")\n'),
  ('def add', '(first'),
  ('a context ', ''),
  ('for value in ra', 'nge(10):\n'),
]


def encode(text):
  (tokens,) = tokenizer_lib.encode(models.tokenizer(), [text])
  return tokens


def plain(shape, context, continuation):
  """(nats, is greedy) from the full logits of a row of its own."""
  tokens = np.concatenate([context, continuation]).astype(int)
  table = models.log_probabilities(shape, tokens)[len(context) : -1]
  chosen = table[np.arange(len(continuation)), continuation]
  return chosen.sum(), bool(np.all(chosen == table.max(axis=-1)))


@pytest.mark.parametrize('name', ['sequential_grouped', 'parallel'])
def test_likelihoods_are_those_of_full_logits(name):
  model = models.language_model(name)
  requests = REQUESTS * 3
  found = model.likelihoods(requests)
  for (context, continuation), likelihood in zip(requests, found, strict=True):
    first, joint = encode(context), encode(context + continuation)
    rest = joint[len(first) :]
    if not np.array_equal(joint[: len(first)], first):
      rest = encode(continuation)
    nats, is_greedy = plain(model.shape, first, rest)
    assert likelihood.num_tokens == len(rest)
    assert likelihood.is_greedy == is_greedy
    assert likelihood.nats == pytest.approx(nats, abs=TOLERANCE)


def test_an_empty_continuation_is_certain():
  model = models.language_model()
  (likelihood,) = model.likelihoods([('a context', '')])
  assert likelihood == language_model.Likelihood(0.0, 0, True)
  assert model.rolling_likelihoods(['']) == [likelihood]
  assert model.likelihoods([]) == []


def test_a_long_context_loses_its_first_tokens():
  model = models.language_model()
  context, continuation = TEXT * 5, 'def push'
  (found,) = model.likelihoods([(context, continuation)])
  rest = encode(continuation)
  kept = encode(context)[len(rest) - models.CONTEXT_LENGTH :]
  assert len(kept) + len(rest) == models.CONTEXT_LENGTH
  nats, _ = plain(model.shape, kept, rest)
  assert found.nats == pytest.approx(nats, abs=TOLERANCE)


def test_a_continuation_may_fill_the_context_length_and_not_more():
  model = models.language_model()
  text = models.tokenizer().decode(encode(TEXT * 5)[: models.CONTEXT_LENGTH])
  assert len(encode(text)) == models.CONTEXT_LENGTH
  (found,) = model.likelihoods([('any context;\n', text)])
  nats, _ = plain(model.shape, encode(''), encode(text))
  assert found.nats == pytest.approx(nats, abs=TOLERANCE)
  with pytest.raises(errors.UserError, match='at most 48 at once'):
    model.likelihoods([('', text + '\nclass')])


def test_rolling_windows_count_every_token_once():
  model = models.language_model(context_length=8)
  texts = [
    '',
    'def',
    TEXT,
    models.tokenizer().decode(encode(TEXT)[:8]),
    TEXT * 4,
  ]
  for text, found in zip(texts, model.rolling_likelihoods(texts), strict=True):
    tokens = encode(text)
    assert found.num_tokens == len(tokens)
    nats = 0.0
    for i, token in enumerate(tokens):
      # The first window begins a document; those after it count 7 tokens and
      # see the last one before.
      first = 0 if i < 8 else 8 + (i - 8) // 7 * 7 - 1
      nats += models.log_probabilities(model.shape, tokens[first:i])[-1, token]
    assert found.nats == pytest.approx(nats, abs=TOLERANCE)


@pytest.fixture
def run(tmp_path):
  """Folder and model of a run with a checkpoint of step 12."""
  shape = models.shape('parallel_grouped')
  model = models_to_export.model(shape, tmp_path / 'shards')
  run_model.write(tmp_path / 'run', model)
  return tmp_path / 'run', model


def test_the_model_of_a_run(run):
  folder, model = run
  loaded = run_language_model.load(folder)
  assert (loaded.name, loaded.context_length) == ('tiny at step 12', 32)
  live = models.language_model('parallel_grouped', context_length=32)
  assert loaded.likelihoods(REQUESTS) == live.likelihoods(REQUESTS)
  with pytest.raises(errors.UserError, match='step 7'):
    run_language_model.load(folder, 7)


def test_a_run_without_its_tokenizer_is_refused(run, tmp_path):
  folder, model = run
  file = tmp_path / 'shards' / 'tokenizer.json'
  kept = file.rename(tmp_path / 'kept.json')
  with pytest.raises(errors.UserError, match='tokenizer of tiny is not at'):
    run_language_model.load(folder)
  run_language_model.load(folder, tokenizer_file=kept)
  storage.write_json(
    file, {'type': tokenizer_lib.VOCABULARY_TYPE, 'token_bytes': None}
  )
  record = dataclasses.replace(
    model.record,
    tokenizer_fingerprint=manifest_lib.tokenizer_fingerprint(file),
  )
  records.write_run_record(folder, record)
  with pytest.raises(errors.UserError, match='vocabulary of SeqIO'):
    run_language_model.load(folder)


def test_texts_follow_their_prompts():
  # The programs are those of generation_test.py.
  model = models.language_model(
    'sequential_grouped', context_length=40, batch_tokens=256
  )
  prompts = ['def add(', '', 'class Stack:\n  def push(self, item']
  found = model.generate(prompts, language_model.Sampling(max_new_tokens=12))
  for prompt, text in zip(prompts, found, strict=True):
    tokens = encode(prompt).tolist()
    for _ in range(12):
      chances = models.log_probabilities(model.shape, tokens)[-1]
      tokens.append(int(np.argmax(chances)))
    generated = tokens[len(encode(prompt)) :]
    assert text == models.tokenizer().decode(generated)


@pytest.fixture
def answers(monkeypatch):
  """`answers(text)` has every prompt continued with its tokens.

  Gives the prompts that were asked; `has_ended` is asked after each token.
  """

  def set_answer(tokens):
    asked = []

    def generate(params, prompts, sampling, has_ended, **settings):
      del params, settings
      asked.extend(prompts)
      for count in range(len(tokens)):
        if sampling.stop and has_ended(tokens[:count]):
          # What comes now was generated in vain.
          return [tokens[: count + 16] for _ in prompts]
      return [tokens for _ in prompts]

    monkeypatch.setattr(generation, 'generate', generate)
    return asked

  return set_answer


@pytest.mark.parametrize(
  ('stop', 'expected'),
  [
    ((), TEXT),
    (('\n',), 'def add(first, second):'),
    (('first + sec',), 'def add(first, second):\n  return '),
    (('nowhere', 'é'), TEXT[: TEXT.index('é')]),
    (('café"', 'caf'), TEXT[: TEXT.index('caf')]),
    # What is complete first, however much was generated since.
    (('add(first, second):\n', '(fi'), 'def add'),
    (('def',), ''),
  ],
)
def test_texts_end_before_the_stop_string_that_is_complete_first(
  answers, stop, expected
):
  answers(encode(TEXT).tolist())
  sampling = language_model.Sampling(max_new_tokens=40, stop=stop)
  (found,) = models.language_model().generate(['x'], sampling)
  assert found == expected


def test_only_a_text_cut_inside_of_a_character_has_a_replacement(answers):
  tokens = encode('"中文"').tolist()
  answers(tokens)
  sampling = language_model.Sampling(max_new_tokens=40, stop=('文',))
  assert models.language_model().generate(['x'], sampling) == ['"中']
  answers(tokens[:-2])  # of the three bytes of the last character, two
  for sampling in (
    language_model.Sampling(max_new_tokens=40, stop=('文',)),
    language_model.Sampling(max_new_tokens=40),
  ):
    assert models.language_model().generate(['x'], sampling) == ['"中\ufffd']


def test_a_long_prompt_loses_its_first_tokens(answers):
  asked = answers([])
  model = models.language_model()
  sampling = language_model.Sampling(max_new_tokens=40)
  assert model.generate([TEXT, 'def'], sampling) == ['', '']
  np.testing.assert_array_equal(asked[0], encode(TEXT)[-8:])
  np.testing.assert_array_equal(asked[1], encode('def'))
  with pytest.raises(errors.UserError, match='sees 48 tokens at once'):
    model.generate(['x'], language_model.Sampling(max_new_tokens=48))


def outcomes(name, mesh_shape):
  """Likelihoods and texts of a model on a mesh."""
  model = models.language_model(name, mesh_shape)
  sampled = language_model.Sampling(
    max_new_tokens=16, temperature=1.5, top_p=0.95, seed=3
  )
  prompts = [context for context, _ in REQUESTS]
  return model.likelihoods(REQUESTS), model.generate(prompts, sampled)


def check_mesh(on_eight_devices, name, mesh_shape):
  expected, texts = outcomes(name, (1, 1, 1))
  found, texts_there = on_eight_devices(outcomes, name, mesh_shape)
  assert texts_there == texts
  for one, other in zip(found, expected, strict=True):
    assert one.nats == pytest.approx(other.nats, abs=TOLERANCE)
    assert one.is_greedy == other.is_greedy


def test_a_mesh_computes_what_one_device_does(on_eight_devices):
  check_mesh(on_eight_devices, 'sequential_grouped', (1, 2, 2))


@pytest.mark.slow
@pytest.mark.parametrize('name', ['sequential_grouped', 'parallel'])
@pytest.mark.parametrize(
  'mesh_shape',
  [(1, 2, 1), (2, 1, 1), (1, 1, 2), (1, 4, 1), (1, 1, 4), (2, 2, 2)],
)
def test_every_mesh_computes_what_one_device_does(
  on_eight_devices, name, mesh_shape
):
  check_mesh(on_eight_devices, name, mesh_shape)
