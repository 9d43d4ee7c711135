"""Packs a corpus into shards: tokenizer, ArrayRecord files, manifest.

A byte-level tokenizer is trained on equally many bytes of every source (or
loaded, with CachePlan.tokenizer_path), and the documents are packed into
sequences of one length, as CachePlan.packing says for each source. With
--seqio_mixture, the examples of SeqIO tasks are packed instead, with their own
tokens: every task becomes a source. Shards that are already there are left as
they are; parts that a stopped writer of the same plan finished are kept.
"""

import argparse

import rich
from rich import box
from rich import table

from codelaw import errors
from codelaw.cli import beam_flags
from codelaw.cli import gin_config
from codelaw.cli import progress
from codelaw.data import distributed
from codelaw.data import manifest as manifest_lib
from codelaw.data import seqio_import
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
    '--seqio_mixture',
    metavar='NAME',
    help='pack a registered SeqIO mixture, with the tokens of its tasks, in'
    ' the place of a corpus; settings are SeqioImport.* in gin',
  )
  parser.add_argument(
    '--seqio_module',
    action='append',
    default=[],
    metavar='MODULE',
    help='Python module whose import registers the SeqIO mixture; repeatable',
  )
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
  beam_flags.add(parser)


def run(args: argparse.Namespace) -> None:
  """Writes or finds the shards and shows what they hold."""
  shards_dir, manifest = _write(args)
  if args.verify:
    with progress.Progress('verify') as display:
      manifest_lib.verify(shards_dir, manifest, progress=display)
  print(
    f'{shards_dir}: vocabulary {manifest.vocab_size:,}, sequences of'
    f' {manifest.sequence_length:,} tokens, shards {manifest.fingerprint}'
  )
  for split in manifest_lib.SPLITS:
    rich.print(_counts(manifest, split))
  for line in _left_out(manifest):
    print(line)


def _write(args: argparse.Namespace) -> tuple[str, manifest_lib.Manifest]:
  """(folder, manifest) of the shards of a corpus or of a SeqIO mixture."""
  kind = 'SeqioImport' if args.seqio_mixture else 'CachePlan'
  overrides = [f'{kind}.shards_dir = {args.out!r}'] if args.out else []
  plan: seqio_import.SeqioImport | shards.CachePlan
  if args.seqio_mixture:
    for flag, given in (
      ('--corpus', args.corpus),
      ('--num_workers', args.num_workers != 1),
      ('--beam', beam_flags.options(args) is not None),
    ):
      if given:
        raise errors.UserError(
          f'{flag} is for a corpus, which --seqio_mixture takes the place of;'
          ' leave one of them out.'
        )
    overrides += [
      f'SeqioImport.mixture = {args.seqio_mixture!r}',
      f'SeqioImport.modules = {args.seqio_module!r}',
    ]
    plan = gin_config.load(args, seqio_import.SeqioImport, overrides=overrides)
    with progress.Progress('shards') as display:
      return plan.shards_dir, seqio_import.write(plan, progress=display)
  if args.seqio_module:
    raise errors.UserError(
      '--seqio_module is for --seqio_mixture=NAME, which is missing.'
    )
  if args.corpus:
    overrides.append(f'CachePlan.corpus_dir = {args.corpus!r}')
  plan = gin_config.load(args, shards.CachePlan, overrides=overrides)
  options = beam_flags.options(args)
  if options is not None and args.num_workers != 1:
    raise errors.UserError(
      '--num_workers is for packing without --beam, which takes'
      " --beam_options='--direct_num_workers=...'."
    )
  with progress.Progress('shards') as display:
    if options is not None:
      return plan.shards_dir, distributed.write(plan, options, display)
    return plan.shards_dir, shards.write(plan, display, args.num_workers)


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
      f'{held.bytes / tokens:.2f}' if held.bytes else '-',
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
