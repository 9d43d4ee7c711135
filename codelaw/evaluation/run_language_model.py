"""The model of a run, or one in training, as tasks ask it.

Texts become tokens here; `scoring` and `generation` know tokens only.

Definitions owned here:
  context length: of a run, the length of its training sequences. A model may
    see as many inputs at once, of which the first is the 0 that begins every
    segment in training.
"""

from collections.abc import Iterator
from collections.abc import Sequence
import dataclasses
from typing import Any

import jax
import numpy as np

from codelaw import accounting
from codelaw import errors
from codelaw import execution as execution_lib
from codelaw import records
from codelaw import storage
from codelaw.data import tokenizer as tokenizer_lib
from codelaw.evaluation import generation
from codelaw.evaluation import language_model
from codelaw.evaluation import scoring
from codelaw.models import axes as axes_lib
from codelaw.train import downstream
from codelaw.train import mesh as mesh_lib
from codelaw.train import run_model

# Many enough that a batch keeps a device busy, and few enough that scores of
# attention made without a kernel, 4 bytes for each head and pair of tokens,
# stay near 1 GB for 16 heads and rows of 1,024.
_BATCH_TOKENS = 2**14


@dataclasses.dataclass(frozen=True)
class RunLanguageModel:
  """A `language_model.LanguageModel` of parameters on a mesh.

  Attributes:
    name: of the run and checkpoint.
    params: of the model, as they lie on the mesh.
    shape: of the model.
    tokenizer: that it was trained with.
    context_length: inputs that it sees at once.
    mesh: of the devices that hold the parameters.
    execution: how it is computed.
    batch_tokens: of a batch on each part of the mesh, padding included.
  """

  name: str
  params: Any
  shape: accounting.ModelShape
  tokenizer: tokenizer_lib.Tokenizer
  context_length: int
  mesh: jax.sharding.Mesh
  execution: execution_lib.Execution = execution_lib.AUTOMATIC
  batch_tokens: int = _BATCH_TOKENS

  def likelihoods(
    self, requests: Sequence[tuple[str, str]]
  ) -> list[language_model.Likelihood]:
    """Of every (context, continuation), in order.

    The tokens of a continuation are those of the joint text after the tokens
    of the context alone. Where the joint text has other tokens already inside
    the context, as where its last word goes on in the continuation, both are
    tokenised apart. An empty continuation has likelihood 1.

    Raises:
      UserError: when a continuation alone is longer than `context_length`.
    """
    rows = list(self._rows(requests))
    return self._score(rows, [1] * len(rows))

  def rolling_likelihoods(
    self, texts: Sequence[str]
  ) -> list[language_model.Likelihood]:
    """Of whole documents of any length, every token of them counted once.

    The end token is not counted. The first window of a document counts
    `context_length` tokens; each of the others begins with the last token of
    the one before, so that it counts one less.
    """
    rows, counts = [], []
    for tokens in self._encode(texts):
      windows = list(_windows(tokens, self.context_length))
      rows += windows
      counts.append(len(windows))
    return self._score(rows, counts)

  def generate(
    self, prompts: Sequence[str], sampling: language_model.Sampling
  ) -> list[str]:
    """Continuations, in order, that end before the first stop string.

    The first one is that which is complete first. A text that ends inside of
    a character, which may be several tokens, has U+FFFD there.

    Raises:
      UserError: when `max_new_tokens` leaves no room for a prompt.
    """
    room = self.context_length - sampling.max_new_tokens
    if room < 1:
      raise errors.UserError(
        f'Sampling.max_new_tokens is {sampling.max_new_tokens:,}, but'
        f' {self.name} sees {self.context_length:,} tokens at once, prompt'
        ' included; lower it.'
      )

    def text(tokens: Sequence[int]) -> str:
      return tokenizer_lib.decode(self.tokenizer, tokens)

    generated = generation.generate(
      self.params,
      [tokens[-room:] for tokens in self._encode(prompts)],
      sampling,
      lambda tokens: _end(text(tokens), sampling.stop) is not None,
      shape=self.shape,
      execution=self.execution,
      mesh=self.mesh,
      num_tokens=self.tokenizer.get_vocab_size(),
      context_length=self.context_length,
      batch_tokens=self.batch_tokens,
    )
    texts = map(text, generated)
    return [text[: _end(text, sampling.stop)] for text in texts]

  def _encode(self, texts: Sequence[str]) -> list[np.ndarray]:
    return list(tokenizer_lib.encode(self.tokenizer, texts))

  def _rows(self, requests: Sequence[tuple[str, str]]) -> Iterator[scoring.Row]:
    contexts = self._encode([context for context, _ in requests])
    joints = self._encode([first + second for first, second in requests])
    for i, (context, joint) in enumerate(zip(contexts, joints, strict=True)):
      continuation = joint[len(context) :]
      if not np.array_equal(joint[: len(context)], context):
        (continuation,) = self._encode([requests[i][1]])
      room = self.context_length - len(continuation)
      if room < 0:
        raise errors.UserError(
          f'The continuation {requests[i][1][:40]!r}... has'
          f' {len(continuation):,} tokens, but {self.name} sees at most'
          f' {self.context_length:,} at once; shorten it.'
        )
      yield scoring.Row(context[max(0, len(context) - room) :], continuation)

  def _score(
    self, rows: Sequence[scoring.Row], counts: Sequence[int]
  ) -> list[language_model.Likelihood]:
    """Sums over consecutive rows, `counts` of them each."""
    asked = [i for i, row in enumerate(rows) if len(row.continuation)]
    of_rows = [language_model.Likelihood(0.0, 0, True)] * len(rows)
    scored = scoring.score(
      self.params,
      [rows[i] for i in asked],
      shape=self.shape,
      execution=self.execution,
      mesh=self.mesh,
      context_length=self.context_length,
      batch_tokens=self.batch_tokens,
    )
    for i, likelihood in zip(asked, scored, strict=True):
      of_rows[i] = likelihood
    ends = np.cumsum(counts)
    return [
      language_model.Likelihood(
        sum(x.nats for x in of_rows[end - count : end]),
        sum(x.num_tokens for x in of_rows[end - count : end]),
        all(x.is_greedy for x in of_rows[end - count : end]),
      )
      for count, end in zip(counts, ends, strict=True)
    ]


def _end(text: str, stop: Sequence[str]) -> int | None:
  """Where the stop string begins that is complete first, the longest one.

  >>> _end('a def b', ['def', ' de', ' def']), _end('a', ['b'])
  (1, None)
  >>> _end('abc', ['abc', 'b'])
  1
  """
  found = [
    (place + len(string), place)
    for string in stop
    if (place := text.find(string)) >= 0
  ]
  return min(found)[1] if found else None


def _windows(tokens: np.ndarray, longest: int) -> Iterator[scoring.Row]:
  """Rows that score every token once; a model sees two inputs or more."""
  yield scoring.Row(tokens[:0], tokens[:longest])
  for start in range(longest, len(tokens), longest - 1):
    yield scoring.Row(
      tokens[start - 1 : start], tokens[start : start + longest - 1]
    )


def load(
  model_dir: storage.PathLike,
  step: int | None = None,
  *,
  execution: execution_lib.Execution = execution_lib.AUTOMATIC,
  tokenizer_file: storage.PathLike | None = None,
  batch_tokens: int = _BATCH_TOKENS,
) -> RunLanguageModel:
  """The model of a run at one of its checkpoints, on all devices.

  Args:
    model_dir: of the run.
    step: of the checkpoint; None takes the last.
    execution: how it is computed, and the mesh.
    tokenizer_file: of the run; by default the one beside its shards.
    batch_tokens: of a batch on each part of the mesh, padding included.

  Raises:
    UserError: when there is no run, checkpoint or tokenizer, the tokenizer is
      another, or it is a vocabulary of SeqIO, which is not kept as a file.
  """
  record = records.read_run_record(model_dir)
  tokenizer = read_tokenizer(record, tokenizer_file)
  model = run_model.read(model_dir, step)
  mesh = mesh_lib.make(execution.mesh)
  return RunLanguageModel(
    name=f'{record.run_id} at step {model.step}',
    params=placed(model.params, mesh),
    shape=record.plan.model,
    tokenizer=tokenizer,
    context_length=record.plan.sequence_length,
    mesh=mesh,
    execution=execution,
    batch_tokens=batch_tokens,
  )


def of_snapshot(at: downstream.Snapshot) -> RunLanguageModel:
  """The model of a run in training, until its next update.

  Raises:
    UserError: as `read_tokenizer`.
  """
  return RunLanguageModel(
    name=f'{at.record.run_id} at step {at.step}',
    params=at.params,
    shape=at.record.plan.model,
    tokenizer=read_tokenizer(at.record),
    context_length=at.record.plan.sequence_length,
    mesh=at.mesh,
    execution=at.execution,
  )


def read_tokenizer(
  record: records.RunRecord, file: storage.PathLike | None = None
) -> tokenizer_lib.Tokenizer:
  """The tokenizer of a run.

  Args:
    record: of the run.
    file: its `tokenizer.json`; by default the one beside its shards.

  Raises:
    UserError: when there is none, it is another, or it is a vocabulary of
      SeqIO, which is not kept as a file.
  """
  tokenizer = run_model.read_tokenizer(record, file)
  if tokenizer is None:
    raise errors.UserError(
      f'The run {record.run_id} was trained on shards with the vocabulary of'
      ' SeqIO tasks, which they do not hold, so that no text can be tokenised;'
      ' train on shards that `codelaw cache` made from text.'
    )
  return tokenizer


def placed(params: Any, mesh: jax.sharding.Mesh) -> Any:
  """Parameters where the mesh has them."""

  def place(path: Any, leaf: Any) -> Any:
    names = axes_lib.of_parameter(tuple(key.key for key in path))
    return jax.device_put(
      leaf, mesh_lib.parameter_sharding(mesh, leaf.shape, names)
    )

  return jax.tree_util.tree_map_with_path(place, params)
