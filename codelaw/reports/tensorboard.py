"""A report's figures and tables as TensorBoard images and text."""

import os

from matplotlib.backends import backend_agg
import numpy as np
import tensorboardX

from codelaw import storage
from codelaw.reports import layout
from codelaw.reports import tables

_DOTS_PER_INCH = 110


def write(page: layout.Page, logdir: storage.PathLike) -> None:
  """Adds the sections of a report to a TensorBoard log directory.

  Tags: images `report/<figure>`, text `report/answer` and
  `report/<section>/<table>`, all at step 0.
  """
  found = page.answer
  with tensorboardX.SummaryWriter(os.fspath(logdir)) as writer:
    lines = [f'## {found.title}', *found.sentences]
    lines += [f'- {source}: {rate:.4f}' for source, rate in found.rates]
    lines += [f'- warning: {text}' for text in page.warnings]
    writer.add_text('report/answer', '\n\n'.join(lines), 0)
    for section in page.sections:
      for picture in section.pictures:
        canvas = backend_agg.FigureCanvasAgg(picture.figure)
        picture.figure.set_dpi(_DOTS_PER_INCH)
        picture.figure.set_facecolor('white')
        canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())[..., :3]
        writer.add_image(f'report/{picture.name}', pixels, 0, dataformats='HWC')
      for table in section.tables:
        writer.add_text(
          f'report/{section.title}/{table.title}'.replace(' ', '_'),
          markdown(table),
          0,
        )


def markdown(table: tables.Table) -> str:
  """A table in Markdown, as TensorBoard's text tab shows it."""
  rows = [table.headings, ('---',) * len(table.headings), *table.rows]
  lines = [
    '| ' + ' | '.join(' '.join(cell.split()) for cell in row) + ' |'
    for row in rows
  ]
  return f'{table.caption}\n\n' + '\n'.join(lines)
