"""Peak learning rate and batch size from model size and tokens, by sources.

Power laws that others fitted to sweeps of Transformer language models trained
with AdamW. In gin they give values of macros:

  PEAK_LEARNING_RATE = @step_law_learning_rate()
  step_law_learning_rate.model = %MODEL
  step_law_learning_rate.num_tokens = %TRAIN_TOKENS

The plan that is built holds the number, and so do run.json and
operative_config.gin.

Where they hold: Step Law (arXiv:2503.04715) is from about 3,700 dense and
mixture-of-experts runs of 60 million to 1 billion parameters on 2 to 100
billion tokens, sequences of 2,048, a cosine schedule that ends at a fixed 1e-5;
its N is without the vocabulary, its batches are in tokens.
DeepSeek LLM (arXiv:2401.02954, section 3.1) is from budgets of 1e17 to 2e19
FLOPs, tested at 1e20, with a schedule of constant steps. They differ by factors
of 2 to 3 for one model: each is valid for its own set-up, and ours differs in
the scale of the embedding. They are no rule for the CPU ladder, far below what
was fitted, which has its own table in gin_configs/runs/pretrain.gin.

Definitions owned here:
  N: `accounting.num_params_no_embed`.
  D: training tokens.
  C: D times the training FLOPs of one token without the vocabulary and with
    attention counted whole, 6 N + 12 L H h T (L layers, H heads, h head
    dimension, T sequence length): DeepSeek's M. Not `train_flops`.
"""

from codelaw import accounting
from codelaw import errors


def step_law_learning_rate(
  model: accounting.ModelShape, num_tokens: float
) -> float:
  """1.79 N^-0.713 D^0.307 (arXiv:2503.04715).

  Args:
    model: gives N.
    num_tokens: D.

  >>> shape = accounting.ModelShape(vocab_size=8, width=1024, num_layers=24,
  ...     num_heads=16, head_dim=64, mlp_width=2816)
  >>> round(step_law_learning_rate(shape, 20e9), 6)
  0.002305
  """
  size = accounting.num_params_no_embed(model)
  return 1.79 * size**-0.713 * _positive(num_tokens) ** 0.307


def step_law_batch_size(
  num_tokens: float, sequence_length: int, multiple_of: int = 1
) -> int:
  """0.58 D^0.571 tokens (arXiv:2503.04715), in sequences.

  Args:
    num_tokens: D.
    sequence_length: tokens of a sequence.
    multiple_of: what the batch is rounded to, at the least one of it; what the
      mesh and the microbatches divide it into.

  >>> step_law_batch_size(20e9, 2048, multiple_of=8)
  216
  """
  tokens = 0.58 * _positive(num_tokens) ** 0.571
  return _sequences(tokens, sequence_length, multiple_of)


def deepseek_learning_rate(
  model: accounting.ModelShape, num_tokens: float, sequence_length: int
) -> float:
  """0.3118 C^-0.125 (arXiv:2401.02954, equation 1).

  Args:
    model: gives C, with the others.
    num_tokens: D.
    sequence_length: T.

  >>> shape = accounting.ModelShape(vocab_size=8, width=1024, num_layers=24,
  ...     num_heads=16, head_dim=64, mlp_width=2816)
  >>> round(deepseek_learning_rate(shape, 20e9, 2048), 6)
  0.001078
  """
  return 0.3118 * _compute(model, num_tokens, sequence_length) ** -0.125


def deepseek_batch_size(
  model: accounting.ModelShape,
  num_tokens: float,
  sequence_length: int,
  multiple_of: int = 1,
) -> int:
  """0.2920 C^0.3271 tokens (arXiv:2401.02954, equation 1), in sequences.

  Args:
    model: gives C, with the others.
    num_tokens: D.
    sequence_length: T.
    multiple_of: what the batch is rounded to, at the least one of it.

  >>> shape = accounting.ModelShape(vocab_size=8, width=1024, num_layers=24,
  ...     num_heads=16, head_dim=64, mlp_width=2816)
  >>> deepseek_batch_size(shape, 20e9, 2048, multiple_of=8)
  392
  """
  compute = _compute(model, num_tokens, sequence_length)
  return _sequences(0.2920 * compute**0.3271, sequence_length, multiple_of)


def _compute(
  model: accounting.ModelShape, num_tokens: float, sequence_length: int
) -> float:
  attention = model.num_layers * model.num_heads * model.head_dim
  per_token = (
    6 * accounting.num_params_no_embed(model) + 12 * attention * sequence_length
  )
  return float(per_token) * _positive(num_tokens)


def _sequences(tokens: float, sequence_length: int, multiple_of: int) -> int:
  return multiple_of * max(1, round(tokens / sequence_length / multiple_of))


def _positive(num_tokens: float) -> float:
  if not num_tokens > 0:
    raise errors.UserError(
      f'A size rule needs a positive number of tokens, got {num_tokens!r}.'
    )
  return float(num_tokens)
