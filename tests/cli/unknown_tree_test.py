"""A tree whose languages nobody named, through the gin file for it."""

import csv
import importlib.resources
import random

from codelaw.cli import gin_config
from codelaw.cli import main
from codelaw.corpora import documents
from codelaw.corpora import languages
from codelaw.corpora import report
from tests.corpora import stand_ins


def _words(seed, count=60):
  rng = random.Random(str(seed))
  return [f'{rng.choice("abcdef")}{rng.randrange(10**6)}' for _ in range(count)]


def _build(tree, out, *flags):
  root = gin_config.config_root()
  arguments = [
    f'--gin_file={root}/corpora/source_tree.gin',
    f'--gin.INPUTS=["{tree}"]',
    f'--out={out}',
    *flags,
  ]
  return main.main(['corpus', 'build', *arguments])


def _held(out):
  """Source -> (origin, language, split) of its documents."""
  return {
    source: {
      (item.origin, item.language, split)
      for split in report.SPLITS
      for item in documents.read_documents(out, source, split)
    }
    for source in documents.sources(out)
  }


def _five_languages(tree):
  def lines(name, between=' = '):
    words = _words(name)
    pairs = zip(words, words[1:], strict=False)
    return ''.join(f'{left}{between}{right}\n' for left, right in pairs)

  files = {f'{n}.py': lines(('py', n)) for n in range(40)}
  files |= {f'bin/run{n}': '#!/bin/bash\n' + lines(n, '=') for n in range(40)}
  files |= {f'bin/data{n}': b'caf\xe9 ' + b'x' * 200 for n in range(60)}
  # Of Ruby a little is damaged, of TeX much.
  files |= {f'{n}.rb': lines(('rb', n)) for n in range(40)}
  files |= {f'bad{n}.rb': b'caf\xe9 ' * 30 for n in range(3)}
  files |= {f'{n}.tex': lines(('tex', n)) for n in range(40)}
  files |= {f'bad{n}.tex': b'caf\xe9 ' * 30 for n in range(30)}
  files |= {f'{n}.go': lines(('go', n)) for n in range(2)}
  files |= {'copy.py': files['7.py'], 'small.go': 'x', 'picture.png': b'\0'}
  stand_ins.write(tree, files)


def test_five_languages_some_tiny_and_some_damaged(tmp_path, capsys):
  tree, out = tmp_path / 'tree', tmp_path / 'corpus'
  _five_languages(tree)
  assert _build(tree, out) == 0
  content = report.read(out)
  assert set(content.sources) == {
    'code/go',
    'code/python',
    'code/ruby',
    'code/shell',
    'code/tex',
  }
  found = _held(out)
  expected = {
    'code/python': ('python', {f'tree/{n}.py' for n in range(40)}),
    'code/ruby': ('ruby', {f'tree/{n}.rb' for n in range(40)}),
    'code/shell': ('shell', {f'tree/bin/run{n}' for n in range(40)}),
    'code/tex': ('tex', {f'tree/{n}.tex' for n in range(40)}),
  }
  for source, (language, origins) in expected.items():
    named = {origin for origin, _, _ in found[source]}
    if source == 'code/python':  # Either of the two that are equal.
      named = {name.replace('copy.py', '7.py') for name in named}
    assert named == origins
    assert {kind for _, kind, _ in found[source]} == {language}
    held_out = sum(split == 'validation' for _, _, split in found[source])
    counts = content.sources[source]
    assert 0 < held_out == counts.splits['validation'].documents < 20
    assert counts.documents == 40
  assert content.sources['code/ruby'].damaged == {'not UTF-8 text': 3}
  assert content.sources['code/python'].dropped == {
    'exact_duplicate': report.DroppedReport(1, _size(tree / '7.py'))
  }
  assert content.sources['code/tex'].damaged == {'not UTF-8 text': 30}
  # Two documents are too few to hold one out, and stay.
  go = content.sources['code/go']
  assert (go.documents, go.skipped) == (2, {'too small': 1})
  assert go.bytes == sum(_size(tree / f'{n}.go') for n in range(2))
  left_out = content.left_out
  assert len(left_out) == 35 - 5
  assert {left.reason for left in left_out.values()} == {'fewer than 1 bytes'}
  assert not sum(left.documents for left in left_out.values())
  assert {path.name for path in (out / 'code').iterdir()} == {
    'go',
    'python',
    'ruby',
    'shell',
    'tex',
  }
  assert not (out / 'markup').exists()
  capsys.readouterr()
  assert main.main(['corpus', 'inspect', f'--corpus={out}', '--samples=0']) == 0
  shown = capsys.readouterr().out
  assert 'nothing found' in shown


def _size(path):
  return len(path.read_bytes())


def test_a_tree_of_nothing_is_told_so(tmp_path, capsys):
  stand_ins.write(tmp_path / 'tree', {'a.py': 'x = 1\n', 'b.png': b'\0'})
  assert _build(tmp_path / 'tree', tmp_path / 'corpus') == 2
  shown = capsys.readouterr().err
  assert 'No source has CorpusPlan.min_bytes_per_source = 1 bytes' in shown
  assert 'dropped or skipped: 1 too small' in shown
  assert not list((tmp_path / 'corpus').rglob('*.parquet'))


def test_a_tree_of_damage_stops_the_build(tmp_path, capsys):
  _five_languages(tmp_path / 'tree')
  more = {f'worse{n}.py': b'caf\xe9 ' * 30 for n in range(20)}
  stand_ins.write(tmp_path / 'tree', more)
  assert _build(tmp_path / 'tree', tmp_path / 'corpus') == 2
  shown = capsys.readouterr().err
  assert 'items that SourceTree found are damaged' in shown
  assert not list((tmp_path / 'corpus').rglob('*.parquet'))


def test_refusing_is_a_setting_away(tmp_path, capsys):
  _five_languages(tmp_path / 'tree')
  flag = "--gin.CorpusPlan.small_sources='refuse'"
  assert _build(tmp_path / 'tree', tmp_path / 'corpus', flag) == 2
  assert 'fewer than CorpusPlan.min_bytes' in capsys.readouterr().err


# Language -> a file's extension, its first line, and its others, with words
# of their own as @1 and @2.
_PROGRAMS = {
  'java': ('java', 'class A {', '  int @1 = @2;'),
  'javascript': ('js', "'use strict';", 'const @1 = @2;'),
  'php': ('php', '<?php', '$@1 = $@2;'),
  'python': ('py', 'import os', '@1 = @2'),
  'c#': ('cs', 'using System;', 'int @1 = @2;'),
  'typescript': ('ts', 'export {};', 'const @1: number = @2;'),
  'c': ('h', '#include <stdio.h>', 'extern int @1, @2;'),
  'c++': ('h', '#include <vector>', 'namespace @1 { class @2; }'),
  'go': ('go', 'package main', 'var @1 = @2'),
  'ruby': ('rb', "require 'set'", '@1 = @2'),
  'shell': ('sh', '#!/bin/sh', '@1="$@2"'),
  'kotlin': ('kt', 'package main', 'val @1 = @2'),
  'swift': ('swift', 'import Foundation', 'let @1 = @2'),
  'vue': ('vue', '<template>', '<p>@1 @2</p>'),
  'rust': ('rs', 'mod a;', 'const @1: u8 = @2;'),
  'scala': ('scala', 'package a', 'val @1 = @2'),
  'jsx': ('jsx', 'import a;', 'const @1 = <p>@2</p>;'),
  'sql': ('sql', 'BEGIN;', 'SELECT @1 FROM @2;'),
  'dart': ('dart', "import 'a';", 'var @1 = @2;'),
  'makefile': ('mk', 'all:', '@1: @2'),
  'lua': ('lua', "require 'a'", 'local @1 = @2'),
  'haskell': ('hs', 'module A where', '@1 = @2'),
  'smalltalk': ('st', 'Object subclass: #A.', '@1 := @2.'),
  'tex': ('tex', '\\documentclass{article}', '\\emph{@1} @2'),
  'clojure': ('clj', '(ns a)', '(def @1 @2)'),
  'markdown': ('md', '# A', '- @1 *@2*'),
  'yaml': ('yml', '---', '@1: @2'),
  'json': ('json', '[', '"@1", "@2",'),
  'html': ('html', '<!doctype html>', '<p>@1 @2</p>'),
  'css': ('css', 'a {}', '.@1 { color: @2; }'),
  'scss': ('scss', '$a: b;', '.@1 { color: $@2; }'),
  'restructuredtext': ('rst', '.. note:: a', '- @1 ``@2``'),
  'toml': ('toml', '[a]', '@1 = "@2"'),
  'rmarkdown': ('rmd', '---', '- @1 *@2*'),
  'sass': ('sass', '$a: b', '.@1\n  color: @2'),
}


def _program(language, number):
  _, first, line = _PROGRAMS[language]
  words = iter(_words((language, number), 100))
  lines = [
    line.replace('@1', left).replace('@2', right)
    for left, right in zip(words, words, strict=True)
  ]
  return '\n'.join([first, *lines, ''])


def test_every_language_lands_in_its_source(tmp_path, capsys):
  shares = importlib.resources.files('codelaw') / 'reference'
  with (shares / 'code_source_shares.csv').open() as stream:
    published = [row['language'] for row in csv.DictReader(stream)]
  files = {
    f'{place}/{language}-{number}.{_PROGRAMS[language][0]}': _program(
      language, number
    )
    for place, language in enumerate(languages.LANGUAGES)
    for number in range(60)
  }
  stand_ins.write(tmp_path / 'tree', files)
  assert _build(tmp_path / 'tree', tmp_path / 'corpus') == 0
  told = capsys.readouterr().err
  assert 'code/java, code/javascript, code/php, code/python and 31 more' in told
  content = report.read(tmp_path / 'corpus')
  assert not content.left_out
  assert [name.split('/')[1] for name in content.sources] == published
  assert not content.left_out
  for source, found in _held(tmp_path / 'corpus').items():
    (language,) = {language for _, language, _ in found}
    place = languages.LANGUAGES.index(language)
    assert source == languages.default_source(language)
    assert {origin for origin, _, _ in found} == {
      name.replace(f'{place}/', f'tree/{place}/', 1)
      for name in files
      if name.startswith(f'{place}/')
    }
    assert {split for _, _, split in found} == set(report.SPLITS)
    assert content.sources[source].languages == {language: 60}
