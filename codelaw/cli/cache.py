"""Packs a corpus into shards: tokenizer, ArrayRecord files, manifest.

A byte-level tokenizer is trained on equally many bytes of every source (or
loaded, with CachePlan.tokenizer_path), and the documents are packed into
sequences of one length, as CachePlan.packing says for each source. Shards that
are already there are left as they are; parts that a stopped writer of the same
plan finished are kept.
"""

import argparse

import rich
from rich import box
from rich import table

from codelaw.cli import gin_config
from codelaw.cli import progress
from codelaw.data import manifest as manifest_lib
from codelaw.data import shards

EXAMPLE = (
  'codelaw cache --gin_file=corpora/shards_quickstart.gin'
  ' --corpus=results/quickstart/corpus --out=results/quickstart/shards'
)


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Adds this verb's flags."""
  parser.add_argument(
    '--corpus', metavar='DIR', help='folder that `codelaw corpus build` wrote'
  )
  parser.add_argument('--out', metavar='DIR', help='folder of the shards')
  parser.add_argument(
    '--verify',
    action='store_true',
    help='read every shard and compare its checksum with the manifest',
  )
  parser.add_argument(
    '--num_workers',
    type=int,
    default=1,
    metavar='N',
    help='processes that pack; each holds CachePlan.part_bytes (default 1)',
  )


def run(args: argparse.Namespace) -> None:
  """Writes or finds the shards and shows what they hold."""
  overrides = []
  if args.corpus:
    overrides.append(f'CachePlan.corpus_dir = {args.corpus!r}')
  if args.out:
    overrides.append(f'CachePlan.shards_dir = {args.out!r}')
  plan = gin_config.load(args, shards.CachePlan, overrides=overrides)
  with progress.Progress('shards') as display:
    manifest = shards.write(plan, display, args.num_workers)
  if args.verify:
    with progress.Progress('verify') as display:
      manifest_lib.verify(plan.shards_dir, manifest, progress=display)
  print(
    f'{plan.shards_dir}: vocabulary {manifest.vocab_size:,}, sequences of'
    f' {manifest.sequence_length:,} tokens, shards {manifest.fingerprint}'
  )
  for split in manifest_lib.SPLITS:
    rich.print(_counts(manifest, split))
  for line in _left_out(manifest):
    print(line)


def _counts(manifest: manifest_lib.Manifest, split: str) -> table.Table:
  """One row per source: what its shards of one split hold."""
  counts = table.Table(split, box=box.SIMPLE, padding=0)
  for heading in ('documents', 'tokens', 'sequences', 'B/token'):
    counts.add_column(heading, justify='right')
  counts.add_column('packing')
  counts.add_column('padding', justify='right')
  for source in sorted(manifest.sources):
    held = manifest.split(source, split)
    tokens = held.tokens
    room = held.sequences * manifest.sequence_length
    counts.add_row(
      source,
      f'{held.documents:,}',
      f'{tokens:,}',
      f'{held.sequences:,}',
      f'{held.bytes / tokens:.2f}' if tokens else '-',
      held.packing,
      f'{held.padding_tokens / room:.2%}' if room else '-',
    )
  return counts


def _left_out(manifest: manifest_lib.Manifest) -> list[str]:
  """One line per source and split of which documents were left out."""
  return [
    f'{source} {split}: {held.left_out_documents:,} documents'
    f' ({held.truncated_tokens:,} tokens) are longer than a sequence and were'
    ' left out'
    for split in manifest_lib.SPLITS
    for source in sorted(manifest.sources)
    if (held := manifest.split(source, split)).left_out_documents
  ]
