import json

import pytest

from codelaw.corpora import notebooks
from codelaw.corpora import reading
from tests.corpora import collected
from tests.corpora import stand_ins

_CODE = {'cell_type': 'code', 'source': ['x = 1\n', 'x\n'], 'outputs': []}
_TEXT = {'cell_type': 'markdown', 'source': '# Title\n\ntext'}
_OUTPUT = [
  {'output_type': 'stream', 'text': ['out\n']},
  {'output_type': 'execute_result', 'data': {'text/plain': '1', 'image': ''}},
]


def test_format_4():
  content = {
    'cells': [
      _TEXT,
      _CODE,
      {'cell_type': 'raw', 'source': 'r'},
      {'cell_type': 'code', 'source': ' \n'},
    ],
    'metadata': {'language_info': {'name': 'ipython'}},
    'nbformat': 4,
  }
  assert notebooks.script(content) == (
    'python',
    '# %% [markdown]\n# # Title\n#\n# text\n\n'
    '# %%\nx = 1\nx\n\n# %% [raw]\n# r\n',
  )


def test_format_3_in_another_language():
  content = {
    'worksheets': [
      {
        'cells': [
          {'cell_type': 'heading', 'level': 2, 'source': 'T'},
          {'cell_type': 'code', 'input': 'let x = 1', 'language': 'js'},
        ]
      }
    ],
    'metadata': {'name': 'n'},
    'nbformat': 3,
  }
  assert notebooks.script(content) == (
    'javascript',
    '// %% [markdown]\n// ## T\n\n// %%\nlet x = 1\n',
  )


def test_short_outputs_are_kept_on_request():
  content = {'cells': [{**_CODE, 'outputs': _OUTPUT}]}
  assert notebooks.script(content, 20)[1] == '# %%\nx = 1\nx\n\n# out\n# 1\n'
  for too_few in (0, 4):
    assert notebooks.script(content, too_few)[1] == '# %%\nx = 1\nx\n'


@pytest.mark.parametrize(
  ('metadata', 'language'),
  [
    ({}, 'python'),
    ({'kernelspec': {'language': 'C++17'}}, 'c++17'),
    ({'kernelspec': {'language': 'julia'}, 'language_info': None}, 'julia'),
    ({'language_info': {'name': 'sh'}}, 'shell'),
  ],
)
def test_language(metadata, language):
  content = {'cells': [_CODE], 'metadata': metadata}
  assert notebooks.script(content)[0] == language


def test_files_that_are_no_notebooks_are_named(tmp_path):
  good = json.dumps({'cells': [_CODE]})
  stand_ins.write(
    tmp_path / 'nb',
    {
      'a.ipynb': good,
      'b.ipynb': good[:-9],
      'c.ipynb': '[]',
      'd.ipynb': '{"cells": [{"cell_type": "code", "source": 7}]}',
      'e.ipynb': '{"cells": []}',
      'f.ipynb': '[' * 200_000,
      'g.ipynb': '{"cells": [{"cell_type": "code", "source": "\\ud800"}]}',
      'h.ipynb': b'\xff',
      'i.ipynb': '9' * 9000,
      'j.ipynb': '{"cells": [' + ' ' * 300_000 + ']}',
    },
  )
  reader = notebooks.Notebooks([str(tmp_path / 'nb')], max_file_bytes=250_000)
  first, *rest = collected.items(reader)
  assert (first.text, first.origin) == ('# %%\nx = 1\nx\n', 'nb/a.ipynb')
  assert all(isinstance(item, reading.Skipped) for item in rest)
  assert [(item.reason, item.damaged) for item in rest] == [
    ('not JSON', True),
    ('not a notebook', True),
    ('not a notebook', True),
    ('empty', False),
    ('not JSON', True),
    ('not UTF-8 text', True),
    ('not UTF-8 text', True),
    ('not JSON', True),
    ('too large', False),
  ]
