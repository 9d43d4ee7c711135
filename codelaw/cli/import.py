"""Make a run from a Hugging Face folder, for `codelaw train` to start from.

Takes what `codelaw export` writes, trained further elsewhere or not, and other
Llama and Cohere models of that form: no biases, plain rotary positions, norms
with epsilon 1e-6, and a byte-level tokenizer with <pad> = 0 and <eos> = 1.
Needs the extra `hf`. Memory: 4 bytes for each parameter, twice.
"""

# ruff: noqa: N999 (the module of a verb has its name, here a keyword)
import argparse
import os

from codelaw import gin_text
from codelaw import storage
from codelaw.cli import gin_config

EXAMPLE = (
  'codelaw import --hugging_face=generated/hugging_face'
  ' --model_dir=results/imported'
)


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Adds this verb's flags."""
  parser.add_argument(
    '--hugging_face',
    required=True,
    metavar='DIR',
    help='folder with config.json, safetensors and tokenizer.json',
  )
  parser.add_argument(
    '--model_dir', required=True, metavar='DIR', help='folder of the run, new'
  )


def run(args: argparse.Namespace) -> None:
  """Reads the folder, writes the run and prints what starts from it."""
  gin_config.refuse(args)
  from codelaw.interop import hugging_face
  from codelaw.train import run_model

  name = storage.path(os.path.abspath(args.model_dir)).name
  model = hugging_face.read(args.hugging_face, name)
  run_model.write(args.model_dir, model)
  record = model.record
  print(
    f'# {args.model_dir}: {record.num_params:,} parameters at step'
    f' {model.step:,}.'
  )
  if record.tokens_seen(record.realised_tokens):
    print('# Its training is known from codelaw.json.')
  else:
    print('# Its training is not known: its tokens count as none.')
  print('# A run starts from it with')
  print(
    'RunPlan.initial = @InitialCheckpoint()\n'
    + gin_text.binding('InitialCheckpoint.model_dir', args.model_dir)
    + gin_text.binding('InitialCheckpoint.optimizer_state', False)
    + 'RunPlan.model = @ModelShape()\n'
    + gin_text.bindings(record.plan.model),
    end='',
  )
