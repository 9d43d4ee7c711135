"""The same training in plain Flax and optax, as one writes it first.

A module per layer in a Python loop, the loss of optax on all logits, AdamW
with clipping as optax chains it, a state that is not donated, and a loss
that is fetched before the next step.
"""

from flax import linen as nn
import jax
import jax.numpy as jnp
import optax
import turns


class _Attention(nn.Module):
  heads: int
  head_dim: int

  @nn.compact
  def __call__(self, x):
    def project(name):
      return nn.DenseGeneral(
        (self.heads, self.head_dim), use_bias=False, name=name
      )(x)

    length = x.shape[1]
    query, key = _rotate(project('query')), _rotate(project('key'))
    scores = jnp.einsum('blhd,bshd->bhls', query, key) / self.head_dim**0.5
    causal = jnp.tril(jnp.ones((length, length), bool))
    weights = nn.softmax(jnp.where(causal, scores, -jnp.inf))
    mixed = jnp.einsum('bhls,bshd->blhd', weights, project('value'))
    return nn.DenseGeneral(
      x.shape[-1], axis=(-2, -1), use_bias=False, name='output'
    )(mixed)


def _rotate(x):
  half = x.shape[-1] // 2
  rates = 10_000.0 ** (-jnp.arange(half) / half)
  angles = jnp.arange(x.shape[1])[:, None, None] * rates
  first, second = x[..., :half], x[..., half:]
  return jnp.concatenate(
    [
      first * jnp.cos(angles) - second * jnp.sin(angles),
      second * jnp.cos(angles) + first * jnp.sin(angles),
    ],
    axis=-1,
  )


class _Model(nn.Module):
  vocab_size: int
  width: int
  num_layers: int
  num_heads: int
  head_dim: int
  mlp_width: int

  @nn.compact
  def __call__(self, tokens):
    embed = nn.Embed(self.vocab_size, self.width)
    x = embed(tokens)
    for _ in range(self.num_layers):
      x = x + _Attention(self.num_heads, self.head_dim)(nn.RMSNorm()(x))
      normed = nn.RMSNorm()(x)
      gate = nn.Dense(self.mlp_width, use_bias=False)(normed)
      up = nn.Dense(self.mlp_width, use_bias=False)(normed)
      x = x + nn.Dense(self.width, use_bias=False)(nn.silu(gate) * up)
    return embed.attend(nn.RMSNorm()(x))


def make_step(job):
  """(number of parameters, step: batch index -> loss, wait) for a job."""
  model = _Model(**job['shape'])
  optimizer = optax.chain(
    optax.clip_by_global_norm(1.0),
    optax.adamw(job['learning_rate'], b1=0.9, b2=0.95, weight_decay=0.1),
  )
  batches = [tokens.astype('int32') for tokens in turns.batches(job)]
  params = model.init(jax.random.key(0), batches[0][:1, :-1])
  optimizer_state = optimizer.init(params)

  @jax.jit
  def update(params, optimizer_state, tokens):
    def loss_of(params):
      losses = optax.softmax_cross_entropy_with_integer_labels(
        model.apply(params, tokens[:, :-1]), tokens[:, 1:]
      )
      return losses.mean()

    loss, gradients = jax.value_and_grad(loss_of)(params)
    updates, optimizer_state = optimizer.update(
      gradients, optimizer_state, params
    )
    return optax.apply_updates(params, updates), optimizer_state, loss

  def step(index):
    nonlocal params, optimizer_state
    params, optimizer_state, loss = update(
      params, optimizer_state, batches[index % len(batches)]
    )
    return float(loss)

  num_params = sum(leaf.size for leaf in jax.tree.leaves(params))
  return num_params, step, lambda: jax.block_until_ready(params)


if __name__ == '__main__':
  turns.serve(make_step)
