import dataclasses
import inspect
import random

import pytest

from codelaw import errors
from codelaw.evaluation import harness_model
from codelaw.evaluation import language_model
from tests.evaluation import bigram_model

TEXT = 'the cat sat on the mat. the dog sat on the log.\n' * 3


@dataclasses.dataclass(frozen=True)
class Request:
  args: tuple


@pytest.fixture
def bigram():
  return bigram_model.BigramModel(TEXT)


def _adapter(bigram, seed=0):
  return harness_model.HarnessModel(bigram, seed)


def test_it_has_what_the_harness_calls():
  lm = pytest.importorskip('lm_eval.api.model').LM
  for name in lm.__abstractmethods__:
    ours = inspect.signature(getattr(harness_model.HarnessModel, name))
    theirs = inspect.signature(getattr(lm, name))
    assert list(ours.parameters) == list(theirs.parameters)


def test_likelihoods_are_the_models(bigram):
  requests = [Request(('the', ' cat')), Request(('', 'the'))]
  got = _adapter(bigram).loglikelihood(requests)
  want = [bigram.likelihoods([r.args])[0] for r in requests]
  assert got == [(w.nats, w.is_greedy) for w in want]


def test_white_space_at_the_end_of_a_context_is_scored(bigram):
  got = _adapter(bigram).loglikelihood([Request(('the ', 'cat'))])
  assert bigram.asked[0] == [('the', ' cat')]
  assert got[0][0] == bigram.likelihoods([('the', ' cat')])[0].nats


def test_rolling_likelihoods_are_whole_texts(bigram):
  got = _adapter(bigram).loglikelihood_rolling(
    [Request((TEXT,)), Request(('the',))]
  )
  want = bigram.rolling_likelihoods([TEXT, 'the'])
  assert got == [w.nats for w in want]


def test_equal_requests_are_asked_once(bigram):
  requests = [Request(('a', 'b'))] * 3
  assert len(set(_adapter(bigram).loglikelihood(requests))) == 1
  assert bigram.asked == [[('a', 'b')]]


@pytest.mark.parametrize('temperature', [0.0, 0.8])
def test_order_of_requests_changes_nothing(bigram, temperature):
  settings = {'temperature': temperature, 'max_gen_toks': 12, 'until': '.'}
  prompts = ['the cat', 'the', 'a dog on', 'log', 'x']
  requests = [Request((prompt, settings)) for prompt in prompts]
  texts = _adapter(bigram).generate_until(requests)
  mixed = list(range(5))
  random.Random(1).shuffle(mixed)
  again = _adapter(bigram).generate_until([requests[i] for i in mixed])
  assert again == [texts[i] for i in mixed]
  pairs = [Request((prompt, ' cat')) for prompt in prompts]
  scored = _adapter(bigram).loglikelihood(pairs)
  assert _adapter(bigram).loglikelihood([pairs[i] for i in mixed]) == [
    scored[i] for i in mixed
  ]


def test_the_model_is_asked_the_same_in_any_order(bigram):
  """So that its batches, and the rounding in them, are the same."""
  requests = [Request((f'{"x" * (i % 5)}', f'{i}')) for i in range(20)]
  _adapter(bigram).loglikelihood(requests)
  _adapter(bigram).loglikelihood(requests[::-1])
  first, second = bigram.asked
  assert first == second
  lengths = [len(context) + len(end) for context, end in first]
  assert lengths == sorted(lengths, reverse=True)


def test_repeats_draw_differently_and_the_seed_decides(bigram):
  settings = {'do_sample': True, 'temperature': 1.5, 'max_gen_toks': 30}
  requests = [Request(('the', settings))] * 2
  first, second = _adapter(bigram).generate_until(requests)
  assert first != second
  assert _adapter(bigram).generate_until(requests) == [first, second]
  assert _adapter(bigram, 1).generate_until(requests) != [first, second]


def test_requests_with_different_settings(bigram):
  short = Request(('the', {'max_gen_toks': 2}))
  long = Request(('the', {'max_gen_toks': 5}))
  texts = _adapter(bigram).generate_until([long, short, long])
  assert [len(text) for text in texts] == [5, 2, 5]


def test_progress(bigram):
  seen = []
  adapter = harness_model.HarnessModel(
    bigram, report=lambda text, share: seen.append((text, share))
  )
  adapter.loglikelihood([Request(('a', str(i))) for i in range(1500)])
  assert seen == [
    ('0 of 1500 continuations', 0.0),
    ('1024 of 1500 continuations', 1024 / 1500),
  ]


@pytest.mark.parametrize(
  ('settings', 'want'),
  [
    ({}, {'max_new_tokens': 256}),
    ({'until': '\n'}, {'stop': ('\n',)}),
    ({'until': ['a', '', 'b']}, {'stop': ('a', 'b')}),
    ({'max_gen_toks': 7, 'max_tokens': 9}, {'max_new_tokens': 7}),
    ({'max_new_tokens': 9}, {'max_new_tokens': 9}),
    ({'temperature': 0.5}, {'temperature': 0.5}),
    ({'temperature': 0.5, 'do_sample': False, 'top_p': 0.9}, {}),
    ({'do_sample': True}, {'temperature': 1.0}),
    (
      {'do_sample': True, 'temperature': 0.2, 'top_p': 0.9},
      {'temperature': 0.2, 'top_p': 0.9},
    ),
    ({'do_sample': False, 'top_k': 50, 'num_beams': 1}, {}),
  ],
)
def test_settings_of_generation(settings, want):
  of = {'max_new_tokens': 256, **want}
  assert harness_model.sampling(settings, 3) == language_model.Sampling(
    seed=3, **of
  )


@pytest.mark.parametrize(
  'settings',
  [{'num_beams': 4}, {'do_sample': True, 'top_k': 50}, {'penalty': 2}],
)
def test_settings_that_would_be_ignored_are_refused(settings):
  with pytest.raises(errors.UserError, match=list(settings)[-1]):
    harness_model.sampling(settings, 0)


def test_no_room_for_the_text(bigram):
  request = Request(('the', {'max_gen_toks': 512}))
  with pytest.raises(errors.UserError, match='512 tokens, but bigram sees'):
    _adapter(bigram).generate_until([request])
