"""What a model's logits say of given tokens: log-probability and greediness.

In training every segment begins with input 0, also the rest of a document that
packing has cut (`data.packing.features`). So does every row here: a row's
inputs are 0, its context, and its continuation without the last token.

Only the hidden states that predict a continuation reach the output
projection, and where their logits would be large, they are made a block at a
time (`train.loss`).
"""

from collections.abc import Sequence
import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from codelaw import accounting
from codelaw import execution as execution_lib
from codelaw.data import packing
from codelaw.evaluation import buckets
from codelaw.evaluation import language_model
from codelaw.train import loss
from codelaw.train import mesh as mesh_lib
from codelaw.train import step as step_lib

# Continuations of at most so many tokens (answers of choices) are computed
# apart from longer ones: two programs per length of rows.
_SHORT = 32


@dataclasses.dataclass(frozen=True)
class Row:
  """Tokens to score.

  Attributes:
    context: int64 [any], seen but not scored.
    continuation: int64 [at least 1].
  """

  context: np.ndarray
  continuation: np.ndarray


def score(
  params: Any,
  rows: Sequence[Row],
  *,
  shape: accounting.ModelShape,
  execution: execution_lib.Execution,
  mesh: jax.sharding.Mesh,
  context_length: int,
  batch_tokens: int,
) -> list[language_model.Likelihood]:
  """Likelihoods of the continuations, in order.

  Args:
    params: of the model, as they lie on the mesh.
    rows: whose context and continuation have at most `context_length` tokens.
    shape: of the model.
    execution: how it is computed.
    mesh: of the devices that hold the parameters.
    context_length: inputs of the longest row.
    batch_tokens: of a batch on each part of the mesh.
  """
  run = _compiled(shape, execution, mesh)
  parts = mesh_lib.batch_parts(mesh)
  short = [len(row.continuation) <= _SHORT for row in rows]
  started = []
  for is_short in (True, False):
    group = np.flatnonzero(np.equal(short, is_short)).tolist()
    lengths = [len(rows[i].context) + len(rows[i].continuation) for i in group]
    for batch in buckets.batches(lengths, context_length, batch_tokens, parts):
      width = min(_SHORT, batch.length) if is_short else batch.length
      items = [group[i] for i in batch.items]
      features = _features(
        [rows[i] for i in items], batch.num_rows, batch.length, width
      )
      on_mesh = mesh_lib.global_arrays(mesh, features)
      started.append((items, run(params, on_mesh)))
  found: list[Any] = [None] * len(rows)
  for items, on_device in started:
    losses, misses = jax.device_get(on_device)
    for place, item in enumerate(items):
      found[item] = language_model.Likelihood(
        nats=-float(losses[place]),
        num_tokens=len(rows[item].continuation),
        is_greedy=not misses[place],
      )
  return found


def _features(
  rows: Sequence[Row], num_rows: int, length: int, width: int
) -> dict[str, np.ndarray]:
  """Inputs [num_rows, length] and targets [num_rows, width] of a batch."""
  inputs = np.full((num_rows, length), packing.PAD_ID, np.int32)
  segments = np.zeros_like(inputs)
  targets = np.zeros((num_rows, width), np.int32)
  weights = np.zeros((num_rows, width), np.float32)
  places = np.zeros_like(targets)
  for i, row in enumerate(rows):
    stream = np.concatenate([row.context, row.continuation])
    inputs[i, 1 : len(stream)] = stream[:-1]
    segments[i, : len(stream)] = 1
    count = len(row.continuation)
    targets[i, :count] = row.continuation
    weights[i, :count] = 1
    places[i, :count] = len(row.context) + np.arange(count)
  positions = np.arange(length, dtype=np.int32) * segments
  return {
    'inputs': inputs,
    'segments': segments,
    'positions': positions,
    'targets': targets,
    'weights': weights,
    'places': places,
  }


@functools.cache
def _compiled(
  shape: accounting.ModelShape,
  execution: execution_lib.Execution,
  mesh: jax.sharding.Mesh,
):
  """(params, features) -> float32 [2, rows]: losses in nats, and misses."""
  module = step_lib.model(shape, execution, mesh)

  def sums(params, batch):
    hidden_BLD: Any = module.apply(
      {'params': params},
      batch['inputs'],
      batch['segments'],
      batch['positions'],
      method='hidden',
    )
    hidden_BCD = jnp.take_along_axis(
      hidden_BLD, batch['places'][..., None], axis=1
    )
    _, of_rows = loss.objective(
      hidden_BCD,
      params['embedding' if shape.tie_embeddings else 'output'],
      batch['targets'],
      batch['weights'],
      mesh=mesh,
      block_tokens=execution.loss_block_tokens,
      count_misses=True,
    )
    return jnp.stack([of_rows.losses, of_rows.misses])

  return jax.jit(
    sums,
    in_shardings=(None, mesh_lib.batch_sharding(mesh)),
    out_shardings=mesh_lib.replicated(mesh),
  )
