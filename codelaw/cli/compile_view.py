"""How a step that was compiled ahead of time looks on a terminal.

Bytes are in GiB, because the memory of a chip is; all numbers are of one step
and one chip unless they say otherwise. Conventions: `codelaw.train.roofline`
and `codelaw.train.ahead_of_time`.
"""

import dataclasses
from typing import Any

from rich import console as rich_console
from rich import table as rich_table

from codelaw import accounting
from codelaw.cli import terminal
from codelaw.train import ahead_of_time
from codelaw.train import roofline as roofline_lib

_GIB = 2**30
_KINDS = {
  'parameters': 'parameters',
  'optimizer_state': 'optimizer state',
  'batch': 'batch',
  'tile_padding': 'tiles of these, filled up',
  'results': 'results kept beside them',
  'temporaries': 'temporaries (activations, gradients)',
  'program': 'program',
}


def show(
  report: ahead_of_time.Report,
  dollars_per_chip_hour: float,
  out: rich_console.Console,
) -> None:
  """Prints all tables, or what the compiler said."""
  mesh = ', '.join(f'{name} {size}' for name, size in report.mesh.items())
  out.print(
    f'{report.topology}: {report.num_chips} chips, mesh {mesh}; attention'
    f' {report.attention}, {report.compute_dtype}, remat'
    f' {report.execution.remat}, microbatches {report.execution.microbatches}'
  )
  out.print(terminal.titled(_parameters(report)))
  if report.memory is None or report.roofline is None:
    out.print(f'It does not fit: {report.message}')
    return
  out.print(terminal.titled(_memory(report, report.memory)))
  if report.roofline.transfers:
    out.print(terminal.titled(_collectives(report.roofline)))
  out.print(terminal.titled(_step(report, report.roofline)))
  out.print(
    terminal.titled(_run(report, report.roofline, dollars_per_chip_hour))
  )
  assert report.counts is not None
  if report.counts.unknown_loops:
    out.print(
      'Loops of unknown length, counted as one turn:'
      f' {", ".join(report.counts.unknown_loops)}.'
    )
  verdict = 'fits' if report.fits else 'does not fit'
  out.print(
    f'It {verdict}: {report.used_bytes / _GIB:.2f} of'
    f' {ahead_of_time.HBM_BYTES / _GIB:.0f} GiB per chip.'
  )


def show_change(
  change: tuple[str, ahead_of_time.Report] | None, out: rich_console.Console
) -> None:
  """Says what would fit."""
  if change is None:
    out.print(
      'Nothing that was tried fits; a smaller batch, sequence or model would.'
    )
    return
  words, report = change
  out.print(
    f'The nearest change that fits: {words}'
    f' ({report.used_bytes / _GIB:.2f} GiB per chip).'
  )


def as_json(
  report: ahead_of_time.Report, dollars_per_chip_hour: float
) -> dict[str, Any]:
  """All numbers of the report as plain values."""
  content = dataclasses.asdict(report)
  content['counts'] = None
  content['dollars_per_chip_hour'] = dollars_per_chip_hour
  if report.memory is None or report.roofline is None or report.counts is None:
    content['used_bytes'] = (
      report.used_bytes if report.used_bytes < float('inf') else None
    )
    return content
  counts = dataclasses.asdict(report.counts)
  counts['kernels'] = {
    kernel.name: kernel.times for kernel in report.counts.kernels
  }
  counts['collectives'] = [
    {
      'kind': one.kind,
      'group_size': one.group_size,
      'size_bytes': one.size,
      'times': one.times,
      'op_name': one.op_name,
    }
    for one in report.counts.collectives
  ]
  content['counts'] = counts
  content['memory']['total'] = report.memory.total
  for name, seconds in _cases(report.roofline):
    hours = report.chip_hours(seconds)
    content[name] = {
      'step_seconds': seconds,
      'tokens_per_second': report.tokens_per_step / seconds,
      'mfu': report.roofline.compute_seconds / seconds,
      'chip_hours': hours,
      'dollars': hours * dollars_per_chip_hour,
    }
  return content


def _cases(roofline: roofline_lib.Roofline) -> list[tuple[str, float]]:
  return [
    ('all_overlaps', roofline.bound_seconds),
    ('nothing_overlaps', roofline.sum_seconds),
  ]


def _parameters(report: ahead_of_time.Report) -> rich_table.Table:
  found = terminal.table('Parameters', [''], ('number', 'share'))
  total = sum(report.params_by_group.values())
  for group, number in report.params_by_group.items():
    found.add_row(group, f'{number:,}', terminal.share(number, total))
  found.add_row('all', f'{total:,}', '')
  return found


def _memory(
  report: ahead_of_time.Report, memory: ahead_of_time.Memory
) -> rich_table.Table:
  found = terminal.table('HBM of a chip', [''], ('GiB', 'share of 16 GiB'))
  for name, words in _KINDS.items():
    size = getattr(memory, name)
    share = terminal.share(size, ahead_of_time.HBM_BYTES)
    found.add_row(words, f'{size / _GIB:.3f}', share)
  share = terminal.share(report.used_bytes, ahead_of_time.HBM_BYTES)
  found.add_row('all', f'{memory.total / _GIB:.3f}', share)
  return found


def _collectives(roofline: roofline_lib.Roofline) -> rich_table.Table:
  found = terminal.table(
    'Collectives of a step (sent by each chip)',
    ['', 'over'],
    ('number', 'sent GiB', 'ms on its links'),
  )
  for one in sorted(roofline.transfers, key=lambda one: -one.seconds):
    found.add_row(
      one.kind,
      one.axes,
      f'{one.count:,.0f}',
      f'{one.sent_bytes / _GIB:.3f}',
      f'{1e3 * one.seconds:.2f}',
    )
  return found


def _step(
  report: ahead_of_time.Report, roofline: roofline_lib.Roofline
) -> rich_table.Table:
  assert report.counts is not None
  found = terminal.table('Time of a step', [''], ('ms', 'of what'))
  chip = report.flops_per_step / report.num_chips
  again = roofline.again_seconds * accounting.CHIPS['TPU v5e'].flops_per_second
  sent = sum(one.sent_bytes for one in roofline.transfers)
  for words, seconds, what in (
    ('compute', roofline.compute_seconds, f'{chip / 1e12:.2f} TFLOP'),
    ('computed again', roofline.again_seconds, f'{again / 1e12:.2f} TFLOP'),
    (
      'HBM',
      roofline.hbm_seconds,
      f'{report.counts.hbm_bytes / _GIB:.1f} GiB',
    ),
    ('interconnect', roofline.interconnect_seconds, f'{sent / _GIB:.2f} GiB'),
    ('bound: all overlaps', roofline.bound_seconds, roofline.limit),
    ('sum: nothing overlaps', roofline.sum_seconds, ''),
    (
      "compiler's estimate",
      roofline.compiler_seconds,
      'without collectives',
    ),
  ):
    found.add_row(words, f'{1e3 * seconds:,.1f}', what)
  return found


def _run(
  report: ahead_of_time.Report,
  roofline: roofline_lib.Roofline,
  dollars_per_chip_hour: float,
) -> rich_table.Table:
  found = terminal.table(
    f'The run: {terminal.count(report.num_tokens)} tokens in'
    f' {report.num_steps:,} steps; ${dollars_per_chip_hour:.2f} a chip-hour'
    ' (list price, to be checked)',
    [''],
    ('tokens/s', 'MFU', 'hours', 'chip-hours', 'dollars'),
  )
  for name, seconds in _cases(roofline):
    hours = report.chip_hours(seconds)
    found.add_row(
      'at best, all overlaps' if name == 'all_overlaps' else 'nothing overlaps',
      f'{report.tokens_per_step / seconds:,.0f}',
      f'{roofline.compute_seconds / seconds:.1%}',
      f'{hours / report.num_chips:,.1f}',
      f'{hours:,.1f}',
      f'{hours * dollars_per_chip_hour:,.0f}',
    )
  return found
