"""A language model as the lm-evaluation-harness asks for one.

The harness (the `lm-eval` package) sends three kinds of requests:
`loglikelihood` (context, continuation), `loglikelihood_rolling` (text) and
`generate_until` (context, settings). What it expects of a model is its class
`lm_eval.api.model.LM`; `HarnessModel` has the part of it that the harness calls
on one process, and needs no import of the harness.

Answers do not depend on the order of requests: equal requests get one answer,
and what is drawn belongs to a place in the sorted prompts of a task.
"""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Protocol

from codelaw import errors
from codelaw.evaluation import language_model

# The harness's own default, `lm_eval.defaults.DEFAULT_MAX_GEN_TOKS`.
_MAX_NEW_TOKENS = 256
# Names that backends of the harness have for one setting, by precedence.
_LENGTHS = ('max_gen_toks', 'max_new_tokens', 'max_tokens')
# Requests that go to the model between two reports of progress: many batches
# of the model, so that grouping by length inside of them loses little.
_CHUNK = 1024


class Request(Protocol):
  """What is read of the harness's `lm_eval.api.instance.Instance`."""

  @property
  def args(self) -> tuple[Any, ...]:
    """Of the request's kind, see above."""


def sampling(settings: Mapping[str, Any], seed: int) -> language_model.Sampling:
  """Settings of `generate_until` in the words of `Sampling`.

  As in the harness, `do_sample: false` takes the most likely token whatever
  the temperature; without `do_sample` a temperature above 0 draws.

  Args:
    settings: a task's `generation_kwargs`: `until`, `max_gen_toks`,
      `do_sample`, `temperature`, `top_p`.
    seed: of the draws.

  Raises:
    UserError: when a setting would change the texts and is not known.
  """
  given = dict(settings)
  until = given.pop('until', None) or ()
  stop = (until,) if isinstance(until, str) else tuple(until)
  lengths = [given.pop(name, None) for name in _LENGTHS]
  max_new_tokens = next((n for n in lengths if n is not None), _MAX_NEW_TOKENS)
  temperature = float(given.pop('temperature', None) or 0.0)
  do_sample = given.pop('do_sample', None)
  if do_sample is None:
    do_sample = temperature > 0
  elif do_sample and not temperature:
    temperature = 1.0
  top_p = float(given.pop('top_p', None) or 1.0)
  # What narrows draws says nothing where nothing is drawn.
  neutral = {'num_beams': (1,), 'repetition_penalty': (1, 1.0)}
  for name in ('top_k', 'min_p', 'typical_p'):
    if not do_sample or not given.get(name):
      given.pop(name, None)
  unknown = [n for n, v in given.items() if v not in neutral.get(n, ())]
  if unknown:
    raise errors.UserError(
      f'A harness task generates with {unknown[0]} ='
      f' {given[unknown[0]]!r}, which codelaw does not know; it knows until,'
      ' max_gen_toks, do_sample, temperature and top_p: change the'
      " task's generation_kwargs in a YAML file of your own"
      ' (HarnessTasks.include_path).'
    )
  return language_model.Sampling(
    max_new_tokens=int(max_new_tokens),
    temperature=temperature if do_sample else 0.0,
    top_p=top_p if do_sample else 1.0,
    stop=tuple(s for s in stop if s),
    seed=seed,
  )


def _word_borders(context: str, continuation: str) -> tuple[str, str]:
  """White space at the end of a context belongs to the continuation.

  Tokens of code and text begin with a space more often than they end in one;
  the harness splits so (`TemplateLM._encode_pair`).
  """
  bare = context.rstrip()
  return bare, context[len(bare) :] + continuation


class HarnessModel:
  """Answers the harness's requests with a `LanguageModel`.

  Attributes:
    rank: of this process among those that share the requests: the model spreads
      its batches over devices and hosts itself.
    world_size: number of such processes.
  """

  rank = 0
  world_size = 1

  def __init__(
    self,
    model: language_model.LanguageModel,
    seed: int = 0,
    report: Callable[[str, float | None], None] = lambda text, share: None,
  ):
    """Wraps a model.

    Args:
      model: that answers.
      seed: of what is drawn.
      report: called with what is going on and the share of it done.
    """
    self._model = model
    self._seed = seed
    self._report = report

  def loglikelihood(
    self, requests: Sequence[Request]
  ) -> list[tuple[float, bool]]:
    """Nats of continuations, and whether they are the most likely tokens."""
    pairs = [_word_borders(*request.args) for request in requests]
    answers = self._ask(
      'continuations',
      pairs,
      lambda pair: (-len(pair[0]) - len(pair[1]), pair),
      self._model.likelihoods,
    )
    return [(answers[pair].nats, answers[pair].is_greedy) for pair in pairs]

  def loglikelihood_rolling(self, requests: Sequence[Request]) -> list[float]:
    """Nats of whole texts."""
    texts = [text for (text,) in (request.args for request in requests)]
    answers = self._ask(
      'documents',
      texts,
      lambda text: (-len(text), text),
      self._model.rolling_likelihoods,
    )
    return [answers[text].nats for text in texts]

  def generate_until(self, requests: Sequence[Request]) -> list[str]:
    """Texts that follow contexts.

    Raises:
      UserError: when more is to be generated than the model can see.
    """
    settings = [sampling(request.args[1], self._seed) for request in requests]
    places: dict[language_model.Sampling, list[int]] = {}
    for place, of in enumerate(settings):
      self._check_room(of)
      places.setdefault(of, []).append(place)
    texts = [''] * len(requests)
    for of, group in places.items():
      prompts = [requests[place].args[0] for place in group]
      for place, text in zip(group, self._generate(prompts, of), strict=True):
        texts[place] = text
    return texts

  def _check_room(self, of: language_model.Sampling) -> None:
    if of.max_new_tokens >= self._model.context_length:
      raise errors.UserError(
        f'A harness task generates up to {of.max_new_tokens} tokens, but'
        f' {self._model.name} sees only {self._model.context_length} at once,'
        ' the prompt included; set a smaller number with'
        " HarnessTasks.generation = {'max_gen_toks': ...}."
      )

  def _generate(
    self, prompts: Sequence[str], of: language_model.Sampling
  ) -> list[str]:
    if not of.temperature:
      answers = self._ask(
        'texts',
        prompts,
        lambda prompt: (-len(prompt), prompt),
        lambda chunk: self._model.generate(chunk, of),
      )
      return [answers[prompt] for prompt in prompts]
    # Draws belong to places: equal prompts get different texts.
    order = sorted(
      range(len(prompts)), key=lambda i: (-len(prompts[i]), prompts[i])
    )
    self._report(f'{len(prompts)} texts', 0.0)
    drawn = self._model.generate([prompts[i] for i in order], of)
    texts = [''] * len(prompts)
    for i, text in zip(order, drawn, strict=True):
      texts[i] = text
    return texts

  def _ask(
    self,
    what: str,
    asked: Sequence[Any],
    key: Callable[[Any], Any],
    answer: Callable[[Sequence[Any]], Sequence[Any]],
  ) -> dict[Any, Any]:
    """What was asked -> its answer; the longest first, with progress."""
    ordered = sorted(dict.fromkeys(asked), key=key)
    answers: dict[Any, Any] = {}
    for start in range(0, len(ordered), _CHUNK):
      self._report(f'{start} of {len(ordered)} {what}', start / len(ordered))
      chunk = ordered[start : start + _CHUNK]
      answers.update(zip(chunk, answer(chunk), strict=True))
    return answers
