"""The same training in PyTorch: transformers' Llama, SDPA, fused AdamW.

`tools/bench train` runs this file with an interpreter that has torch and
transformers; it needs nothing of codelaw. See `turns.py` for what it is told
and what it answers.
"""

import json
import sys

import numpy as np
import torch
import transformers
import turns


def make_step(job):
  """(number of parameters, step: batch index -> loss, wait) for a job."""
  shape = job['shape']
  torch.manual_seed(0)
  model = transformers.LlamaForCausalLM(
    transformers.LlamaConfig(
      vocab_size=shape['vocab_size'],
      hidden_size=shape['width'],
      intermediate_size=shape['mlp_width'],
      num_hidden_layers=shape['num_layers'],
      num_attention_heads=shape['num_heads'],
      num_key_value_heads=shape['num_heads'],
      head_dim=shape['head_dim'],
      max_position_embeddings=job['length'],
      tie_word_embeddings=True,
      use_cache=False,
      attn_implementation='sdpa',
    )
  )
  model.train()
  optimizer = torch.optim.AdamW(
    model.parameters(),
    lr=job['learning_rate'],
    betas=(0.9, 0.95),
    weight_decay=0.1,
    fused=True,
  )
  batches = [
    torch.from_numpy(tokens.astype(np.int64)) for tokens in turns.batches(job)
  ]

  def step(index):
    tokens = batches[index % len(batches)]
    logits = model(input_ids=tokens[:, :-1]).logits
    loss = torch.nn.functional.cross_entropy(
      logits.flatten(0, 1), tokens[:, 1:].flatten()
    )
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return loss.item()

  num_params = sum(p.numel() for p in model.parameters())
  return num_params, step, lambda: None  # Each step ends before it returns.


if __name__ == '__main__':
  torch.set_num_threads(json.loads(sys.argv[1])['threads'])
  turns.serve(make_step)
