"""Documents from Jupyter notebooks, as scripts in percent format.

A cell begins with a line `# %%`, in the comment sign of the notebook's
language; what is not code is commented out, so that the document is a program
of that language. The files are read as JSON without the package nbformat: it
brings ten others, and its schemas refuse notebooks that people have.
"""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import json
from typing import Any

from codelaw import records
from codelaw.corpora import documents
from codelaw.corpora import files
from codelaw.corpora import languages
from codelaw.corpora import reading

_DAMAGED = 'not a notebook'
# Languages whose line comments do not begin with a number sign.
_COMMENTS = {
  **dict.fromkeys(
    (
      *('java', 'javascript', 'typescript', 'c', 'c++', 'c#', 'go', 'rust'),
      *('kotlin', 'scala', 'swift', 'dart', 'jsx', 'php'),
    ),
    '//',
  ),
  **dict.fromkeys(('sql', 'lua', 'haskell'), '--'),
  'tex': '%',
  'clojure': ';;',
}


@dataclasses.dataclass(frozen=True)
class Notebooks:
  """Reads `.ipynb` files of the formats 2 to 4.

  Attributes:
    paths: files, folders or globs, local or in a bucket.
    source: of all documents.
    license: of all notebooks; '' when unknown.
    max_output_chars: outputs of plain text up to this length are kept, as
      comments under their cell; 0 keeps none.
    max_file_bytes: larger files are left out; most of it is images.
  """

  paths: Sequence[str]
  source: str = 'notebooks'
  license: str = ''
  max_output_chars: int = 0
  max_file_bytes: int = 20_000_000

  def __post_init__(self):
    files.check_paths(self.paths, 'Notebooks.paths')
    records.check_source_name(self.source)
    files.check_positive('Notebooks', max_file_bytes=self.max_file_bytes)

  def source_names(self) -> tuple[str, ...]:
    """The one source."""
    return (self.source,)

  def parts(self, max_bytes_per_source: int) -> Iterator[files.InputFile]:
    """The files."""
    del max_bytes_per_source
    return files.listed(self.paths, 'Notebooks.paths', ('.ipynb',))

  def read(
    self, part: files.InputFile, is_full: reading.IsFull
  ) -> Iterator[reading.Item]:
    """The document of one notebook."""
    if is_full(self.source):
      return
    try:
      content = files.decode(files.read(part.path, self.max_file_bytes))
      language, text = script(_parsed(content), self.max_output_chars)
      if not text:
        raise files.RefusedError('empty', damaged=False)
      yield documents.RawDocument(
        files.checked(text), self.source, language, part.origin, self.license
      )
    except files.RefusedError as refused:
      yield refused.skipped(self.source, part.origin)


def _parsed(content: str) -> Mapping[str, Any]:
  try:
    notebook = json.loads(content)
  # Nesting without end, and numbers without end.
  except (ValueError, RecursionError) as error:
    raise files.RefusedError('not JSON') from error
  if not isinstance(notebook, Mapping):
    raise files.RefusedError(_DAMAGED)
  return notebook


def script(
  notebook: Mapping[str, Any], max_output_chars: int = 0
) -> tuple[str, str]:
  r"""The language of a notebook and its cells in percent format.

  Args:
    notebook: parsed JSON.
    max_output_chars: see `Notebooks`.

  Raises:
    RefusedError: when this is not what a notebook looks like.

  >>> script({'cells': [{'cell_type': 'code', 'source': ['x = 1\n', 'x']}]})
  ('python', '# %%\nx = 1\nx\n')
  """
  cells = notebook.get('cells')
  if cells is None:  # Formats 2 and 3 have sheets.
    sheets = notebook.get('worksheets')
    if not isinstance(sheets, list):
      raise files.RefusedError(_DAMAGED)
    cells = [
      cell for sheet in sheets for cell in _list(_mapping(sheet).get('cells'))
    ]
  found = [_mapping(cell) for cell in _list(cells)]
  language = _language(notebook, found)
  sign = _COMMENTS.get(language, '#')
  texts = [_cell(cell, sign, max_output_chars) for cell in found]
  return language, '\n'.join(text for text in texts if text)


def _cell(cell: Mapping[str, Any], sign: str, max_output_chars: int) -> str:
  kind = cell.get('cell_type')
  if kind == 'code':
    code = _text(cell.get('source', cell.get('input', ''))).strip('\n')
    if not code.strip():
      return ''
    outputs = _outputs(cell, max_output_chars)
    shown = f'\n{_commented(outputs, sign)}' if outputs else ''
    return f'{sign} %%\n{code}\n{shown}'
  text = _text(cell.get('source', '')).strip('\n')
  if kind == 'heading':  # Format 3.
    level = cell.get('level')
    level = level if isinstance(level, int) and 0 < level < 7 else 1
    kind, text = 'markdown', f'{"#" * level} {text}'
  if not text.strip():
    return ''
  if kind not in ('markdown', 'raw', 'html'):
    raise files.RefusedError(_DAMAGED)
  return f'{sign} %% [{kind}]\n{_commented(text, sign)}'


def _commented(text: str, sign: str) -> str:
  return ''.join(f'{sign} {line}'.rstrip() + '\n' for line in text.split('\n'))


def _outputs(cell: Mapping[str, Any], max_chars: int) -> str:
  """What a cell printed or returned as plain text, where that is short."""
  if not max_chars:
    return ''
  texts = []
  for output in map(_mapping, _list(cell.get('outputs', []))):
    data = output.get('data', output)  # Format 3 has no `data`.
    plain = _mapping(data).get('text/plain', output.get('text', ''))
    texts.append(_text(plain).strip('\n'))
  text = '\n'.join(text for text in texts if text)
  return text if len(text) <= max_chars else ''


def _language(
  notebook: Mapping[str, Any], cells: Sequence[Mapping[str, Any]]
) -> str:
  """Of the kernel; Python where none is named, as in early notebooks."""
  metadata = _mapping(notebook.get('metadata', {}))
  named = [
    _mapping(metadata.get('language_info') or {}).get('name'),
    _mapping(metadata.get('kernelspec') or {}).get('language'),
    *(cell.get('language') for cell in cells),
  ]
  label = next((name for name in named if name and isinstance(name, str)), '')
  label = label.strip().lower()
  if label in ('', 'ipython'):
    return 'python'
  return languages.from_label(label) or files.valid(label)


def _mapping(value: Any) -> Mapping[str, Any]:
  if not isinstance(value, Mapping):
    raise files.RefusedError(_DAMAGED)
  return value


def _list(value: Any) -> list[Any]:
  if not isinstance(value, list):
    raise files.RefusedError(_DAMAGED)
  return value


def _text(value: Any) -> str:
  """Text is a string or a list of lines."""
  text = ''.join(value) if _is_lines(value) else value
  if not isinstance(text, str):
    raise files.RefusedError(_DAMAGED)
  return text.replace('\r\n', '\n').replace('\r', '\n')


def _is_lines(value: Any) -> bool:
  return isinstance(value, list) and all(
    isinstance(line, str) for line in value
  )
