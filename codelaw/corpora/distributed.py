"""Builds a corpus with many workers, on Apache Beam.

The corpus is the one that `build.build` gives: the same documents, splits and
counts, and the same fingerprint; only the division into files differs. What
the workers do is in `beam_steps`.

Two things that depend on the order of reading are decided otherwise. A source
that one process would cut at `max_bytes_per_source` is refused. And whether
too much is damaged is asked of all that a reader found for a source, where
one process may stop at the first part that has too much.
"""

from collections import Counter
from collections.abc import Sequence
import functools

from codelaw import errors
from codelaw.corpora import beam_runner
from codelaw.corpora import beam_steps
from codelaw.corpora import build as build_lib
from codelaw.corpora import damage
from codelaw.corpora import report
from codelaw.corpora import staging


def build(
  plan: build_lib.CorpusPlan,
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
  plan: build_lib.CorpusPlan,
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
  found = [report.DamagedItem(*item) for _, item in numbers['named',]]
  _check_damage(plan, numbers, found)
  reports = {name: _report(plan, name, numbers) for name in names}
  for name in names:
    _check_cut(plan, name, reports[name].bytes, numbers)
  for name, source in reports.items():
    lost = Counter(
      {why: held.documents for why, held in source.dropped.items()}
    )
    lost.update({**source.skipped, **source.damaged})
    described = staging.describe(
      source.bytes, source.documents, source.documents_read, lost
    )
    build_lib.check_size(plan, name, source.bytes, described)
    counts = {split: held.documents for split, held in source.splits.items()}
    build_lib.check_splits(plan, name, counts, source.largest_cluster)
  return build_lib.Built(reports, numbers.get(('identities',), 0), tuple(found))


def _report(
  plan: build_lib.CorpusPlan, source: str, numbers: beam_steps.Numbers
) -> report.SourceReport:
  """What one source holds."""

  def by_name(kind: str) -> dict[str, int]:
    found = {
      name[2]: value
      for name, value in numbers.items()
      if name[:2] == (kind, source)
    }
    return dict(sorted(found.items(), key=lambda entry: (-entry[1], entry[0])))

  sizes = by_name('bytes')
  counts = by_name('documents')
  dropped_bytes = by_name('dropped bytes')
  dropped = by_name('dropped')
  # All with the same text but the first.
  dropped['exact_duplicate'] = (
    numbers.get(('passed', source), 0)
    - dropped.get('near_duplicate', 0)
    - sum(counts.values())
  )
  dropped_bytes['exact_duplicate'] = (
    numbers.get(('passed bytes', source), 0)
    - dropped_bytes.get('near_duplicate', 0)
    - sum(sizes.values())
  )
  read = sum(by_name('documents of').values())
  return report.SourceReport(
    splits={
      split: report.SplitReport(counts.get(split, 0), sizes.get(split, 0))
      for split in report.SPLITS
    },
    files=tuple(numbers.get(('files', source), ())),
    documents_read=read,
    dropped={
      reason: report.DroppedReport(count, dropped_bytes[reason])
      for reason, count in dropped.items()
      if count
    },
    languages=by_name('language'),
    licenses=by_name('license'),
    skipped=by_name('skipped'),
    damaged=by_name('damaged'),
    copies_kept=numbers.get(('copies kept', source), 0),
    largest_cluster=numbers.get(('cluster', source), 0),
  )


def _check_damage(
  plan: build_lib.CorpusPlan,
  numbers: beam_steps.Numbers,
  named: Sequence[report.DamagedItem],
) -> None:
  """Raises `UserError` when too much of what a reader found is damaged."""
  for (kind, *name), count in sorted(numbers.items()):
    if kind == 'damaged of':
      source, reader = name
      damage.check(
        type(plan.readers[reader]).__name__,
        source,
        count,
        count + numbers.get(('documents of', source, reader), 0),
        [item for item in named if item.source == source],
        plan.max_damaged_fraction,
      )


def _check_cut(
  plan: build_lib.CorpusPlan,
  source: str,
  kept: int,
  numbers: beam_steps.Numbers,
) -> None:
  """Raises `UserError` when one process would not have read a source out."""
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
