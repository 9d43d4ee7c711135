"""Builds a corpus with many workers, on Apache Beam.

The corpus is the one that `build.build` gives: the same documents, splits and
counts, and the same fingerprint; only the division into files differs. What
the workers do is in `beam_steps`.

Two things that depend on the order of reading are decided otherwise. A source
that one process would cut at `max_bytes_per_source` is refused. And whether
too much is damaged is asked of all that a reader found for a source, where
one process may stop at the first part that has too much.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import functools

from codelaw import errors
from codelaw.corpora import beam_files
from codelaw.corpora import beam_runner
from codelaw.corpora import beam_steps
from codelaw.corpora import build as build_lib
from codelaw.corpora import damage
from codelaw.corpora import plan as plan_lib
from codelaw.corpora import report
from codelaw.corpora import small_sources
from codelaw.corpora import staging

# Why documents are dropped that are not the copy of an earlier text.
_AFTER_EXACT_COPIES = ('near_duplicate', 'other_split')


def build(
  plan: plan_lib.CorpusPlan,
  options: Sequence[str] = (),
  progress: build_lib.Progress | None = None,
) -> report.CorpusReport:
  """Builds the corpus of a plan as `build.build` does, on Apache Beam.

  Args:
    plan: what to build; its readers' files and its folder must be where all
      workers see them.
    options: flags of Beam and its runner, like `--runner=DataflowRunner`.
    progress: called with what is being done and the share that is done.

  Returns:
    What `corpus.json` holds.

  Raises:
    UserError: as `build.build`; when Beam is missing or does not take an
      option; when a source has so much text that `build.build` would stop
      reading it before its end.
  """
  return build_lib.build(
    plan, progress, functools.partial(_build, options=options)
  )


def _build(
  plan: plan_lib.CorpusPlan,
  tell: build_lib.Progress,
  options: Sequence[str],
) -> build_lib.Built:
  settings = beam_runner.options(options)
  # What runs elsewhere cannot say how far it is.
  tell(f'reads, compares and writes on {settings.runner}', 0.0)
  beam_runner.run(
    lambda beam, root: beam_steps.add_steps(beam, root, plan), settings
  )
  numbers = beam_steps.read_numbers(plan)
  names = dict.fromkeys(
    name for reader in plan.readers for name in reader.source_names()
  )
  named = [report.DamagedItem(*item) for _, item in numbers['named',]]
  _check_damage(plan, numbers, named)
  for name in names:
    _check_cut(plan, name, numbers)
  left_out = small_sources.left_out(
    plan,
    {name: _found(name, numbers) for name in names},
  )
  kept = [name for name in names if name not in left_out]
  with staging.writing(plan.output_dir):
    for name in left_out:
      beam_files.remove(plan.output_dir, name, numbers.get(('files', name), ()))
  return build_lib.Built(
    {name: _report(name, numbers) for name in kept},
    sum(numbers['identities', name] for name in kept),
    tuple(named),
    left_out,
  )


def _by_name(
  numbers: beam_steps.Numbers, kind: str, source: str
) -> dict[str, int]:
  """What was counted of one kind for a source, the most first."""
  found = {
    name[2]: value
    for name, value in numbers.items()
    if name[:2] == (kind, source)
  }
  return dict(sorted(found.items(), key=lambda entry: (-entry[1], entry[0])))


def _dropped(
  source: str, numbers: beam_steps.Numbers
) -> dict[str, report.DroppedReport]:
  """What was dropped of a source, by reason."""
  counts = _by_name(numbers, 'dropped', source)
  sizes = _by_name(numbers, 'dropped bytes', source)

  def passed_but_copies(kind: str, dropped: Mapping[str, int]) -> int:
    held = sum(_by_name(numbers, kind, source).values())
    return held + sum(dropped.get(why, 0) for why in _AFTER_EXACT_COPIES)

  # All with the same text but the first.
  copies = numbers.get(('passed', source), 0)
  copies -= passed_but_copies('documents', counts)
  if copies:
    counts['exact_duplicate'] = copies
    sizes['exact_duplicate'] = numbers['passed bytes', source]
    sizes['exact_duplicate'] -= passed_but_copies('bytes', sizes)
  return {
    reason: report.DroppedReport(count, sizes[reason])
    for reason, count in counts.items()
  }


def _bytes_kept(source: str, numbers: beam_steps.Numbers) -> int:
  """UTF-8 bytes that were kept before any were dropped as `other_split`."""
  held = sum(_by_name(numbers, 'bytes', source).values())
  return held + numbers.get(('dropped bytes', source, 'other_split'), 0)


def _found(source: str, numbers: beam_steps.Numbers) -> small_sources.Found:
  """What was found for one source."""
  only = _by_name(numbers, 'only', source)
  held = _by_name(numbers, 'documents', source)
  return small_sources.Found(
    documents=sum(only.values()),
    bytes=_bytes_kept(source, numbers),
    documents_read=sum(_by_name(numbers, 'documents of', source).values()),
    dropped={
      reason: dropped.documents
      for reason, dropped in _dropped(source, numbers).items()
      if reason != 'other_split'
    },
    skipped=_by_name(numbers, 'skipped', source),
    damaged=_by_name(numbers, 'damaged', source),
    splits={
      split: held.get(split, 0) for split in small_sources.needed_splits(only)
    },
    largest_cluster=numbers.get(('cluster', source), 0),
  )


def _report(source: str, numbers: beam_steps.Numbers) -> report.SourceReport:
  """What one source holds."""
  counts = _by_name(numbers, 'documents', source)
  sizes = _by_name(numbers, 'bytes', source)
  return report.SourceReport(
    splits={
      split: report.SplitReport(counts.get(split, 0), sizes.get(split, 0))
      for split in report.SPLITS
    },
    files=tuple(numbers.get(('files', source), ())),
    documents_read=sum(_by_name(numbers, 'documents of', source).values()),
    dropped=_dropped(source, numbers),
    languages=_by_name(numbers, 'language', source),
    licenses=_by_name(numbers, 'license', source),
    skipped=_by_name(numbers, 'skipped', source),
    damaged=_by_name(numbers, 'damaged', source),
    copies_kept=numbers.get(('copies kept', source), 0),
    largest_cluster=numbers.get(('cluster', source), 0),
  )


def _check_damage(
  plan: plan_lib.CorpusPlan,
  numbers: beam_steps.Numbers,
  named: Sequence[report.DamagedItem],
) -> None:
  """Raises `UserError` when too much of what a reader found is damaged."""
  for place, reader in enumerate(plan.readers):

    def total(kind: str, place=place) -> int:
      return sum(
        count
        for name, count in numbers.items()
        if name[0] == kind and name[2] == place
      )

    num_damaged = total('damaged of')
    sources = reader.source_names()
    damage.check(
      type(reader).__name__,
      num_damaged,
      num_damaged + total('documents of'),
      [item for item in named if item.source in sources],
      plan.max_damaged_fraction,
    )


def _check_cut(
  plan: plan_lib.CorpusPlan,
  source: str,
  numbers: beam_steps.Numbers,
) -> None:
  """Raises `UserError` when one process would not have read a source out."""
  kept = _bytes_kept(source, numbers)
  largest = numbers.get(('document', source), 0)
  most = plan.max_bytes_per_source
  if kept + largest > most:
    raise errors.UserError(
      f'Source {source} keeps {kept:,} bytes, and its largest document has'
      f' {largest:,}: that close to CorpusPlan.max_bytes_per_source ='
      f' {most:,} a source is cut where its reading in order ends, which'
      ' workers do not know; raise the limit, give its reader less, or build'
      ' without --beam.'
    )
