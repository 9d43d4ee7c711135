"""Held-out loss of every source, in nats per token and in bits per byte.

Definitions owned here:
  bits per byte: cross-entropy of the held-out tokens / (ln 2 x UTF-8 bytes
    those tokens stand for); it does not depend on the tokenizer.
  macro average: the unweighted mean over the sources.
"""

from collections.abc import Mapping
import dataclasses
import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from codelaw import execution as execution_lib
from codelaw import records
from codelaw.data import manifest as manifest_lib
from codelaw.data import pipeline
from codelaw.train import mesh as mesh_lib
from codelaw.train import step as step_lib


@dataclasses.dataclass(frozen=True)
class HeldOutLoss:
  """Held-out loss of one source, or the macro average.

  Attributes:
    loss_nats_per_token: mean cross-entropy.
    bits_per_byte: as defined above; None when the bytes are not known.
  """

  loss_nats_per_token: float
  bits_per_byte: float | None


def sources(
  plan: records.RunPlan, manifest: manifest_lib.Manifest
) -> tuple[str, ...]:
  """What a run is evaluated on, sorted: every source with held-out text.

  That includes the sources the run does not train on: what they gain from the
  others is what mixture laws are about.
  """
  if not plan.eval_sequences:
    return ()
  return tuple(
    source
    for source, splits in sorted(manifest.sources.items())
    if 'validation' in splits and splits['validation'].sequences
  )


def evaluate(
  params: Any,
  plan: records.RunPlan,
  manifest: manifest_lib.Manifest,
  token_bytes: np.ndarray | None,
  execution: execution_lib.Execution,
  mesh: jax.sharding.Mesh,
) -> dict[str, HeldOutLoss]:
  """Evaluates parameters on the first held-out sequences of every source.

  Args:
    params: of the plan's model.
    plan: names the model, the shards and `eval_sequences`.
    manifest: of `plan.shards_dir`.
    token_bytes: int [vocabulary], of `tokenizer.read_token_bytes`; None when
      they are not known.
    execution: how it is computed.
    mesh: of the devices that hold the parameters.

  Returns:
    Source -> loss, in the order of `sources`.
  """
  run = step_lib.eval_step(plan.model, execution, mesh)
  count = _count(mesh)
  table = np.zeros(1, np.int32) if token_bytes is None else token_bytes
  # What is missing for a part on every device are empty rows.
  batch_size = mesh_lib.whole_parts(
    mesh, min(plan.batch_size, plan.eval_sequences)
  )
  rows = mesh_lib.rows_of_process(mesh, batch_size)
  started: dict[str, list[Any]] = {}
  for source in sources(plan, manifest):
    started[source] = []
    for batch in pipeline.validation_batches(
      manifest, source, batch_size, plan.eval_sequences, plan.shards_dir, rows
    ):
      features = mesh_lib.global_batch(
        mesh, rows, batch_size, step_lib.features(batch)
      )
      started[source].append((run(params, features), count(features, table)))
  return {
    source: _loss(*_totals(on_device)) for source, on_device in started.items()
  }


def macro(losses: Mapping[str, HeldOutLoss]) -> HeldOutLoss:
  """The unweighted mean over the sources."""
  bits = [x.bits_per_byte for x in losses.values()]
  known = [value for value in bits if value is not None]
  return HeldOutLoss(
    math.fsum(x.loss_nats_per_token for x in losses.values()) / len(losses),
    math.fsum(known) / len(losses) if len(known) == len(losses) else None,
  )


@functools.cache
def _count(mesh: jax.sharding.Mesh):
  """(features, bytes of each token) -> int32 [2, batch], tokens and bytes."""

  def count(features, token_bytes):
    counted = features['decoder_loss_weights'] > 0
    targets = features['decoder_target_tokens']
    # Where the bytes are not known, the table is short and `fill` gives 0.
    sizes = jnp.take(token_bytes, targets, mode='fill', fill_value=0)
    return jnp.stack([jnp.sum(counted, 1), jnp.sum(sizes * counted, 1)])

  return jax.jit(
    count,
    in_shardings=(mesh_lib.batch_sharding(mesh), mesh_lib.replicated(mesh)),
    out_shardings=mesh_lib.replicated(mesh),
  )


def _totals(on_device: list[Any]) -> tuple[float, int, int]:
  """Nats, tokens and bytes of all batches of a source."""
  sums, counts = zip(*jax.device_get(on_device), strict=True)
  tokens, sizes = np.concatenate(counts, axis=1).astype(np.int64)
  return math.fsum(np.concatenate(sums)), int(tokens.sum()), int(sizes.sum())


def _loss(nats: float, num_tokens: int, num_bytes: int) -> HeldOutLoss:
  bits = nats / (math.log(2) * num_bytes) if num_bytes else None
  return HeldOutLoss(nats / num_tokens, bits)
