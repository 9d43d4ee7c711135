"""The model card of an exported model: what it is and how it came about."""

from collections.abc import Mapping

import codelaw
from codelaw import accounting
from codelaw import records
from codelaw.data import tokenizer as tokenizer_lib
from codelaw.interop import hugging_face_config
from codelaw.train import evaluate

_FRONT = """\
---
library_name: transformers
pipeline_tag: text-generation
tags:
- code
- codelaw
---
"""


def text(
  record: records.RunRecord,
  step: int,
  losses: Mapping[str, evaluate.HeldOutLoss],
  dtype: str,
  has_tokenizer: bool,
) -> str:
  """The card, Markdown.

  Args:
    record: of the run.
    step: of the exported checkpoint.
    losses: source -> held-out loss at that step; may be empty.
    dtype: of the written parameters.
    has_tokenizer: whether one is in the folder.
  """
  shape = record.plan.model
  inner = accounting.num_params_no_embed(shape)
  is_last = step == record.step
  tokens = record.tokens_seen(record.realised_tokens) if is_last else {}
  seen = f' on {sum(tokens.values()):,} tokens' if tokens else ''
  paragraphs = [
    f'# {record.run_id}',
    f'A base model (no instructions, no chat) of {record.num_params:,}'
    f' parameters, {inner:,} without the embedding, trained{seen} with'
    f' codelaw {codelaw.__version__} ({record.code_revision}). The checkpoint'
    f' is that of step {step:,} of {record.plan.num_steps:,}.',
    _table(tokens, losses),
    f'- `{hugging_face_config.architecture(shape)}`: {shape.num_layers} layers'
    f' of width {shape.width:,}, {shape.num_heads} heads ({shape.kv_heads} of'
    f' keys and values) of {shape.head_dim}, feed-forward width'
    f' {shape.mlp_width:,}, vocabulary {shape.vocab_size:,}; parameters in'
    f' {dtype}.\n'
    f'- Sequences of {record.plan.sequence_length:,} tokens; documents did not'
    ' see each other.\n'
    '- Token 0 comes before each document, token 1 after it.\n'
    '- `codelaw.json` is the record of the run: its plan, mixture and tokens.',
    _usage(has_tokenizer),
  ]
  return _FRONT + '\n'.join(f'{p}\n' for p in paragraphs if p)


def _table(
  tokens: Mapping[str, int], losses: Mapping[str, evaluate.HeldOutLoss]
) -> str:
  rows = [
    '| source | tokens trained on | held-out loss, nats per token |'
    ' bits per byte |',
    '|---|---|---|---|',
  ]
  for source in sorted({*tokens, *losses}):
    cells = [f'{tokens.get(source, 0):,}' if tokens else '', '', '']
    if source in losses:
      loss = losses[source]
      cells[1] = f'{loss.loss_nats_per_token:.4f}'
      if loss.bits_per_byte is not None:
        cells[2] = f'{loss.bits_per_byte:.4f}'
    rows.append(f'| {source} | {" | ".join(cells)} |')
  return '\n'.join(rows) if len(rows) > 2 else ''


def _usage(has_tokenizer: bool) -> str:
  if not has_tokenizer:
    return (
      'The tokens are those of a SeqIO vocabulary, which is not in this folder.'
    )
  first = tokenizer_lib.SPECIAL_TOKENS[0]
  return f"""\
```python
import transformers
tokenizer = transformers.AutoTokenizer.from_pretrained(FOLDER)  # adds {first}
model = transformers.AutoModelForCausalLM.from_pretrained(FOLDER)
prompt = tokenizer('def add(a, b):', return_tensors='pt')
print(tokenizer.decode(model.generate(**prompt, max_new_tokens=64)[0]))
```"""
