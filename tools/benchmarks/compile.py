"""HBM per chip, step time, chip-hours and cost of every pod file.

Each file of gin_configs/pods/ that names a slice (MODEL_v5e_CHIPS.gin) is
compiled for it by the real TPU compiler, one after another, each in a process
of its own; on two idle cores that takes half a minute to two minutes a file.
Prints a Markdown table, a row as soon as it is known. Ends with 1 if one does
not fit its slice. What the columns mean: `codelaw compile --help` and the
docstring of codelaw/train/roofline.py. With --write the steps go into
gin_configs/pods/compiled_steps.csv, from which `codelaw study --dry_run` takes
what runs cost; those of other files stay there.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

from codelaw import execution
from codelaw import records
from codelaw.cli import gin_config
from codelaw.cli import progress as progress_lib
from codelaw.studies import compiled_steps
from codelaw.train import topology

_GIB = 2**30
# Printed in arXiv:2408.10914 for 200B tokens.
_PAPER_CHIP_HOURS = {'parallel_470m': 4736, 'parallel_2b8': 13824}
_HEADINGS = (
  'pod file',
  'mesh, remat, microbatches',
  'GiB/chip',
  'step s',
  'limit',
  'MFU',
  'tokens/s',
  'chip-hours',
  'dollars',
  'paper',
)


def pods() -> dict[str, str]:
  """Names of the pod files that are runs -> their slices."""
  slices = {topology.num_chips(name): name for name in topology.TOPOLOGIES}
  return {
    file.stem: slices[int(file.stem.rpartition('_')[2])]
    for file in sorted((gin_config.config_root() / 'pods').glob('*_v5e_*.gin'))
  }


def main() -> int:
  """Compiles the chosen files and prints their table."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument(
    '--only', default='', metavar='TEXT', help='only files named like this'
  )
  parser.add_argument(
    '--dir', metavar='DIR', help='where the JSON reports go; default: nowhere'
  )
  parser.add_argument(
    '--write', action='store_true', help='keep the steps for dry runs'
  )
  args = parser.parse_args()
  chosen = {name: at for name, at in pods().items() if args.only in name}
  if not chosen:
    parser.error(f'no pod file is named like {args.only!r}')
  print(f'| {" | ".join(_HEADINGS)} |')
  print('|---' * len(_HEADINGS) + '|', flush=True)
  all_fit = True
  with (
    tempfile.TemporaryDirectory() as scratch,
    progress_lib.Progress('compile') as display,
  ):
    folder = pathlib.Path(args.dir or scratch)
    folder.mkdir(parents=True, exist_ok=True)
    for done, (name, slice_name) in enumerate(chosen.items()):
      display(f'{name} for {slice_name}', done / len(chosen))
      report = _compile(name, slice_name, folder / f'{name}.json')
      all_fit &= report['fits']
      if args.write:
        _write(report)
      print(f'| {" | ".join(_row(name, report))} |', flush=True)
    display(f'{len(chosen)} files', 1.0)
  print(
    'step, MFU, tokens/s, chip-hours, dollars: from the bound (all overlaps)'
    ' to the sum (nothing overlaps)'
  )
  return 0 if all_fit else 1


def _compile(name: str, slice_name: str, out: pathlib.Path) -> dict:
  done = subprocess.run(
    [
      *(sys.executable, '-m', 'codelaw', 'compile', f'--out={out}'),
      *(f'--gin_file=pods/{name}.gin', f'--topology={slice_name}'),
    ],
    stdout=subprocess.DEVNULL,
    stderr=subprocess.PIPE,
    text=True,
  )
  if done.returncode not in (0, 1) or not out.exists():
    sys.exit(f'{name}: {done.stderr.strip()}')
  return json.loads(out.read_text())


def _write(report: dict) -> None:
  """Adds a step to those that are known, or puts it in its own place."""
  bounds = [
    report[case]['step_seconds']
    for case in ('all_overlaps', 'nothing_overlaps')
    if case in report
  ]
  step = compiled_steps.compiled(
    records.from_json(report['plan'], records.RunPlan),
    records.from_json(report['execution'], execution.Execution),
    report['topology'],
    tuple(bounds) if report['fits'] else None,
    report['used_bytes'] or float('inf'),
  )
  file = gin_config.config_root() / 'pods' / compiled_steps.FILE_NAME
  compiled_steps.write(file, [*compiled_steps.read(file), step])


def _row(name: str, report: dict) -> list[str]:
  how = 'x'.join(
    str(size) for size in report['mesh'].values()
  ) + ', {remat}, {microbatches}'.format(**report['execution'])
  paper = _PAPER_CHIP_HOURS.get(name.partition('_v5e_')[0])
  cells = [name, how]
  if report['memory'] is None:
    change = report['nearest_change'] or 'nothing that was tried'
    return [*cells, f'does not fit; would: {change}', *[''] * 7]
  best, worst = report['all_overlaps'], report['nothing_overlaps']

  def both(key: str, form: str, factor: float = 1.0) -> str:
    return f'{factor * best[key]:{form}}-{factor * worst[key]:{form}}'

  seconds = {
    'compute': report['roofline']['compute_seconds']
    + report['roofline']['again_seconds'],
    'HBM': report['roofline']['hbm_seconds'],
    'interconnect': report['roofline']['interconnect_seconds'],
  }
  return [
    *cells,
    f'{report["used_bytes"] / _GIB:.1f}' + ('' if report['fits'] else ' (!)'),
    both('step_seconds', '.2f'),
    max(seconds, key=lambda key: seconds[key]),
    both('mfu', '.0f', 100) + '%',
    both('tokens_per_second', ',.0f'),
    both('chip_hours', ',.0f'),
    both('dollars', ',.0f'),
    f'{paper:,}' if paper else '',
  ]


if __name__ == '__main__':
  sys.exit(main())
