"""Write a run's model as a folder that Hugging Face's transformers loads.

Sequential models become LlamaForCausalLM, parallel ones CohereForCausalLM,
with the tokenizer of the run's shards, a model card and codelaw.json, from
which `codelaw import` makes a run again. Needs the extra `hf` (safetensors);
loading the folder needs transformers and PyTorch. Memory: about 2.3 times the
parameters in float32 (measured: 1.3 GB for 0.58 GB).
"""

import argparse

from codelaw import errors
from codelaw import storage
from codelaw.cli import gin_config
from codelaw.cli import progress
from codelaw.runs import collect

EXAMPLE = (
  'codelaw export --model_dir=results/quickstart/next_run'
  ' --out=generated/hugging_face'
)


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Adds this verb's flags."""
  parser.add_argument(
    '--model_dir', required=True, metavar='DIR', help='folder of the run'
  )
  parser.add_argument(
    '--out', required=True, metavar='DIR', help='folder to write, new'
  )
  parser.add_argument(
    '--step',
    type=int,
    metavar='N',
    help='of the checkpoint (default: the last)',
  )
  parser.add_argument(
    '--dtype',
    default='float32',
    choices=('float32', 'bfloat16'),
    help='of the written parameters (default float32)',
  )
  parser.add_argument(
    '--tokenizer',
    metavar='FILE',
    help='tokenizer.json of the run, where its shards are no more',
  )
  parser.add_argument(
    '--max_file_bytes',
    type=float,
    default=2e9,
    metavar='N',
    help='of one file of parameters (default 2e9)',
  )


def run(args: argparse.Namespace) -> None:
  """Reads the checkpoint, writes the folder and says how to load it."""
  gin_config.refuse(args)
  if not args.max_file_bytes >= 1:
    raise errors.UserError(
      f'--max_file_bytes must be at least 1, got {args.max_file_bytes:g}.'
    )
  from codelaw.interop import hugging_face
  from codelaw.train import run_model

  with progress.Progress('export') as display:
    display('reads the checkpoint', 0.0)
    model = run_model.read(args.model_dir, args.step)
    has_tokenizer = hugging_face.write(
      args.out,
      model,
      dtype=args.dtype,
      tokenizer_file=args.tokenizer,
      losses=_losses(args.model_dir, model.step),
      max_file_bytes=int(args.max_file_bytes),
      report=display,
    )
  print(
    f'{args.out}: {model.record.run_id} at step {model.step:,},'
    f' {model.record.num_params:,} parameters in {args.dtype}'
  )
  if not has_tokenizer:
    print('Without a tokenizer: the shards have the vocabulary of SeqIO tasks.')
  print(
    f'load: transformers.AutoModelForCausalLM.from_pretrained({args.out!r})'
  )


def _losses(model_dir: storage.PathLike, step: int):
  """Source -> held-out loss at a step, as the events of the run tell."""
  from codelaw.train import evaluate

  try:
    table = collect.collect([model_dir], lambda note: None)
  except errors.UserError:
    return {}  # never evaluated; the folder is as good without
  found = {}
  for row in table[table['step'] == step].to_dict('records'):
    for name, loss in row.items():
      source = name.removeprefix('loss/')
      if name != source and source != 'macro':
        found[source] = evaluate.HeldOutLoss(
          loss, row.get(f'bits_per_byte/{source}')
        )
  return found
