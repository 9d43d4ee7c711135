"""Numbers of a page as links that carry their own files.

A link is a `data:` address: it needs no network and no script, and the same
numbers make the same text. What is too large for a page is named instead.
"""

import base64
import dataclasses
import json
import re
from typing import Any

import pandas as pd

MOST_BYTES = 1_000_000  # Of one file; base64 makes a third more of it.


@dataclasses.dataclass(frozen=True)
class Link:
  """One file to download.

  Attributes:
    name: of the file.
    address: `data:` address; empty when the file is too large to carry.
    num_bytes: of the file.
  """

  name: str
  address: str
  num_bytes: int


def of_table(name: str, numbers: pd.DataFrame) -> Link:
  """Numbers as `name`.csv, with 12 digits."""
  text = numbers.to_csv(index=False, lineterminator='\n', float_format='%.12g')
  return _link(f'{file_name(name)}.csv', 'text/csv', text)


def of_json(name: str, text: str) -> Link:
  """A JSON text as the file `name`."""
  return _link(name, 'application/json', text)


def shortened(name: str, content: Any) -> tuple[str, str]:
  """(file name, JSON text) of the content of a file, on one line.

  Fits that would be too large to carry go without their bootstrap estimates,
  and their name says so.
  """
  text = _compact(content)
  if len(text.encode()) > MOST_BYTES and 'fits' in content:
    fits = [{**fit, 'bootstrap_estimates': {}} for fit in content['fits']]
    text = _compact({**content, 'fits': fits})
    name = name.replace('.json', '_without_bootstrap.json')
  return name, text


def file_name(title: str) -> str:
  """A title as the name of a file.

  >>> file_name('Planned and realised tokens: equal')
  'planned_and_realised_tokens_equal'
  """
  return re.sub(r'[^a-z0-9]+', '_', title.lower()).strip('_')


def _compact(content: Any) -> str:
  return json.dumps(content, separators=(',', ':'), ensure_ascii=False)


def _link(name: str, kind: str, text: str) -> Link:
  data = text.encode()
  if len(data) > MOST_BYTES:
    return Link(name, '', len(data))
  encoded = base64.b64encode(data).decode()
  return Link(name, f'data:{kind};charset=utf-8;base64,{encoded}', len(data))
