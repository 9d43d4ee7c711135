"""Tokens that follow prompts, with the keys and values of earlier ones kept.

A batch has prompts of different lengths. One pass over the prompts, padded on
the right to a bucket of P places, fills the cache; then each step of a loop
reads one token per row. The cache has P places for prompts and G for what
follows. Generated token t of every row lies at place P + t, so that a step
writes one column; which places a row sees, and its positions, follow from its
prompt's length. The cache is divided on the mesh as activations are, by rows
and heads.

The loop ends when every row has ended. What the device cannot see, a string
that ends a text, the host looks for every `_CHUNK` tokens.

Shape suffixes: B batch, P places of prompts, G of generated tokens, S = P + G,
K key and value heads, h head dimension, V vocabulary.
"""

from collections.abc import Callable
from collections.abc import Sequence
import dataclasses
import functools
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from codelaw import accounting
from codelaw import execution as execution_lib
from codelaw.data import packing
from codelaw.evaluation import buckets
from codelaw.evaluation import language_model
from codelaw.evaluation import sampling as sampling_lib
from codelaw.models import axes as axes_lib
from codelaw.train import mesh as mesh_lib
from codelaw.train import step as step_lib

# Decoding the texts of a batch on the host takes as long as a few steps of a
# small model; at most so many tokens of a row are generated in vain.
_CHUNK = 16
_CACHE = ('layers', 'batch', 'length', 'kv_heads', 'head_dim')


class _State(NamedTuple):
  """Of a batch between two steps.

  Attributes:
    cache: `keys` and `values` of the layers, [layers, B, S, K, h].
    tokens: int32 [B, G], generated; 0 after the end of a row.
    num_generated: int32 [], tokens of each row.
    ended: bool [B].
  """

  cache: Any
  tokens: jax.Array
  num_generated: jax.Array
  ended: jax.Array


@dataclasses.dataclass(frozen=True)
class _Programs:
  """The compiled parts, for one model, mesh and kind of sampling.

  Attributes:
    begin: (params, inputs, room, draws) -> state with the first token.
    go_on: (params, state, inputs, draws, stopped, limit) -> state with at
      most `limit` tokens.
  """

  begin: Callable[..., Any]
  go_on: Callable[..., Any]


def generate(
  params: Any,
  prompts: Sequence[np.ndarray],
  sampling: language_model.Sampling,
  has_ended: Callable[[Sequence[int]], bool],
  *,
  shape: accounting.ModelShape,
  execution: execution_lib.Execution,
  mesh: jax.sharding.Mesh,
  num_tokens: int,
  context_length: int,
  batch_tokens: int,
) -> list[list[int]]:
  """Generated tokens of each prompt, in order, without the end token.

  Args:
    params: of the model, as they lie on the mesh.
    prompts: int64 [any], at most `context_length - max_new_tokens` each.
    sampling: its `stop` only says whether `has_ended` is asked.
    has_ended: whether a row needs no more than these tokens. It is asked from
      time to time, so that a row may go on for a while.
    shape: of the model.
    execution: how it is computed.
    mesh: of the devices that hold the parameters.
    num_tokens: of the tokenizer; a larger id is never drawn, nor is 0.
    context_length: inputs that the model sees at once.
    batch_tokens: of a batch on each part of the mesh.
  """
  programs = _programs(
    shape, execution, mesh, num_tokens, sampling_lib.kind(sampling)
  )
  params = _in_compute_dtype(params, step_lib.model(shape, execution, mesh))
  most = sampling.max_new_tokens
  room = buckets.length(most, context_length)
  longest = context_length - most + 1  # the last token is no input
  found: list[list[int]] = [[] for _ in prompts]
  for batch in buckets.batches(
    [len(prompt) + 1 for prompt in prompts],
    longest,
    batch_tokens,
    mesh_lib.batch_parts(mesh),
    reserved=room,
  ):
    tokens = _of_batch(
      programs, params, prompts, batch, sampling, has_ended, room, mesh
    )
    for item, row in zip(batch.items, tokens.tolist(), strict=False):
      is_end = packing.EOS_ID in row
      found[item] = row[: row.index(packing.EOS_ID)] if is_end else row
  return found


def _of_batch(
  programs: _Programs,
  params: Any,
  prompts: Sequence[np.ndarray],
  batch: buckets.Batch,
  sampling: language_model.Sampling,
  has_ended: Callable[[Sequence[int]], bool],
  room: int,
  mesh: jax.sharding.Mesh,
) -> np.ndarray:
  """int32 [rows, tokens]: the end of a row, if any, and then anything."""
  places = np.zeros(batch.num_rows, np.uint32)
  places[: len(batch.items)] = batch.items
  stopped = np.arange(batch.num_rows) >= len(batch.items)
  inputs = mesh_lib.global_arrays(
    mesh, _inputs([prompts[i] for i in batch.items], batch)
  )
  draws = sampling_lib.Draws(
    np.uint32(sampling.seed % 2**32),
    mesh_lib.global_arrays(mesh, {'places': places})['places'],
    np.float32(sampling.temperature),
    np.float32(sampling.top_p),
  )
  most = sampling.max_new_tokens
  state, shown = programs.begin(params, inputs, draws, room)
  while True:
    tokens, count, ended = jax.device_get(shown)
    stopped = stopped | ended
    if sampling.stop:
      for i in np.flatnonzero(~stopped):
        stopped[i] = has_ended(tokens[i, :count].tolist())
    if count == most or stopped.all():
      return tokens[:, :count]
    limit = min(most, count + _CHUNK) if sampling.stop else most
    state, shown = programs.go_on(
      params,
      state,
      inputs,
      draws,
      mesh_lib.global_arrays(mesh, {'stopped': stopped})['stopped'],
      np.int32(limit),
    )


def _in_compute_dtype(params: Any, module: Any) -> Any:
  """Matrices as the layers convert them, once and not at every token."""
  if module.dtype == module.param_dtype:
    return params

  def convert(path, leaf):
    return leaf if path[-1].key == 'scale' else leaf.astype(module.dtype)

  return jax.tree_util.tree_map_with_path(convert, params)


def _inputs(
  prompts: Sequence[np.ndarray], batch: buckets.Batch
) -> dict[str, np.ndarray]:
  """Prompts behind the 0 that begins a segment, and their lengths with it."""
  tokens = np.full((batch.num_rows, batch.length), packing.PAD_ID, np.int32)
  lengths = np.ones(batch.num_rows, np.int32)
  for i, prompt in enumerate(prompts):
    tokens[i, 1 : len(prompt) + 1] = prompt
    lengths[i] = len(prompt) + 1
  return {'tokens': tokens, 'lengths': lengths}


@functools.cache
def _programs(
  shape: accounting.ModelShape,
  execution: execution_lib.Execution,
  mesh: jax.sharding.Mesh,
  num_tokens: int,
  kind: str,
) -> _Programs:
  module = step_lib.model(shape, execution, mesh).clone(remat='none')
  ids = np.arange(shape.vocab_size)
  may_be_drawn = (ids < num_tokens) & (ids != packing.PAD_ID)

  def divided(cache):
    return jax.tree.map(lambda x: axes_lib.constrain(x, mesh, _CACHE), cache)

  def draw(params, hidden_B1D, draws, number):
    logits_B1V: Any = module.apply(
      {'params': params}, hidden_B1D, method='logits'
    )
    logits_BV = jnp.where(may_be_drawn, logits_B1V[:, 0], -jnp.inf)
    return sampling_lib.draw(kind, logits_BV, draws, number)

  def shown(state):
    return state, (state.tokens, state.num_generated, state.ended)

  def begin(params, inputs, draws, room):
    tokens, lengths = inputs['tokens'], inputs['lengths']
    places = jnp.arange(tokens.shape[1], dtype=jnp.int32)
    inside = (places < lengths[:, None]).astype(jnp.int32)
    result: Any = module.apply(
      {'params': params},
      tokens,
      inside,
      places * inside,
      method='hidden',
      mutable=['new'],
    )
    hidden_BPD, new = result
    last_B1D = jnp.take_along_axis(
      hidden_BPD, lengths[:, None, None] - 1, axis=1
    )
    first = draw(params, last_B1D, draws, jnp.int32(0))
    widths = ((0, 0), (0, 0), (0, room), (0, 0), (0, 0))
    return shown(
      _State(
        divided(jax.tree.map(lambda x: jnp.pad(x, widths), new['new'])),
        jnp.pad(first[:, None], ((0, 0), (0, room - 1))),
        jnp.int32(1),
        first == packing.EOS_ID,
      )
    )

  def go_on(params, state, inputs, draws, stopped, limit):
    lengths = inputs['lengths']
    prompt_places = inputs['tokens'].shape[1]
    places = jnp.arange(prompt_places + state.tokens.shape[1])
    in_prompt = places < lengths[:, None]

    def step(state):
      last = state.num_generated - 1  # number of the token that is read
      column = prompt_places + last
      result: Any = module.apply(
        {'params': params, 'cache': state.cache},
        jax.lax.dynamic_slice_in_dim(state.tokens, last, 1, axis=1),
        None,
        (lengths + last)[:, None],
        in_prompt | ((places >= prompt_places) & (places < column)),
        method='hidden',
        mutable=['new'],
      )
      hidden_B1D, new = result
      cache = jax.tree.map(
        lambda kept, x: jax.lax.dynamic_update_slice_in_dim(
          kept, x, column, axis=2
        ),
        state.cache,
        new['new'],
      )
      following = draw(params, hidden_B1D, draws, state.num_generated)
      following = jnp.where(state.ended, packing.PAD_ID, following)
      return _State(
        divided(cache),
        jax.lax.dynamic_update_slice_in_dim(
          state.tokens, following[:, None], state.num_generated, axis=1
        ),
        state.num_generated + 1,
        state.ended | (following == packing.EOS_ID),
      )

    return shown(
      jax.lax.while_loop(
        lambda state: (state.num_generated < limit) & ~jnp.all(state.ended),
        step,
        state._replace(ended=state.ended | stopped),
      )
    )

  rows, whole = mesh_lib.batch_sharding(mesh), mesh_lib.replicated(mesh)
  draws = sampling_lib.Draws(whole, rows, whole, whole)
  return _Programs(
    jax.jit(
      begin,
      static_argnums=3,
      in_shardings=(None, rows, draws),
      out_shardings=(None, whole),
    ),
    jax.jit(
      go_on,
      donate_argnums=1,
      in_shardings=(None, None, rows, draws, rows, whole),
      out_shardings=(None, whole),
    ),
  )
