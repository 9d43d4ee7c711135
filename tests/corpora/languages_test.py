import csv
import importlib.resources

import hypothesis
from hypothesis import strategies
import pytest

from codelaw import errors
from codelaw.corpora import languages


def _published():
  """(group, language) of every row of the published shares."""
  file = importlib.resources.files('codelaw') / (
    'reference/code_source_shares.csv'
  )
  with file.open() as stream:
    return [(row['group'], row['language']) for row in csv.DictReader(stream)]


def test_languages_and_their_sources_are_the_published_ones():
  folder = {'web_code': 'code', 'markup': 'markup'}
  expected = [f'{folder[group]}/{name}' for group, name in _published()]
  found = [languages.default_source(name) for name in languages.LANGUAGES]
  assert sorted(found) == sorted(expected)
  assert len(set(found)) == 35


def test_published_spellings_are_labels():
  for group, name in _published():
    language = languages.from_label(name)
    assert languages.default_source(language).endswith(f'/{name}'), group


@pytest.mark.parametrize(
  ('label', 'expected'),
  [
    ('C-Sharp', 'c#'),
    ('csharp', 'c#'),
    ('C#', 'c#'),
    ('cpp', 'c++'),
    ('C++', 'c++'),
    ('C', 'c'),
    ('Cuda', 'c++'),
    ('reStructuredText', 'restructuredtext'),
    ('RMarkdown', 'rmarkdown'),
    ('R Markdown', 'rmarkdown'),
    ('Vue', 'vue'),
    ('JSX', 'jsx'),
    ('TSX', 'typescript'),
    ('GO', 'go'),
    ('Shell', 'shell'),
    ('SCSS', 'scss'),
    ('TeX', 'tex'),
    ('JSON with Comments', 'json'),
    (' python ', 'python'),
    ('Jupyter Notebook', None),
    ('Objective-C', None),
    ('FORTRAN', None),
    ('', None),
  ],
)
def test_labels_of_data_sets(label, expected):
  assert languages.from_label(label) == expected


# One small file of every language, as people write them.
SNIPPETS = [
  ('Main.java', 'public class Main {\n  int x;\n}', 'java'),
  ('a.mjs', 'export const a = () => 1;', 'javascript'),
  ('a.php', '<?php\necho "hi";\n', 'php'),
  ('page.php', '<!DOCTYPE html>\n<p><?= $title ?></p>', 'php'),
  ('a.py', 'import os\n', 'python'),
  ('a.pyi', 'def f(x: int) -> str: ...\n', 'python'),
  ('A.cs', 'namespace A { class B { } }', 'c#'),
  ('a.tsx', 'const A = () => <div/>;', 'typescript'),
  ('a.c', 'int main(void) { return 0; }', 'c'),
  ('a.cc', 'int x;', 'c++'),
  ('A.C', 'class A {};', 'c++'),
  ('MAIN.C', 'int x;', 'c'),
  ('kernel.cu', '__global__ void f() {}', 'c++'),
  ('a.go', 'package main\n', 'go'),
  ('a.rb', 'class A\nend\n', 'ruby'),
  ('Rakefile', 'task :x do\nend\n', 'ruby'),
  ('Gemfile', "source 'https://x'\n", 'ruby'),
  ('x.gemspec', 'Gem::Specification.new\n', 'ruby'),
  ('a.sh', 'set -e\necho $1\n', 'shell'),
  ('a.zsh', 'autoload -U compinit\n', 'shell'),
  ('.bashrc', 'alias ll="ls -l"\n', 'shell'),
  ('A.kt', 'fun main() = println("x")\n', 'kotlin'),
  ('build.gradle.kts', 'plugins { java }\n', 'kotlin'),
  ('a.swift', 'let x: Int = 1\n', 'swift'),
  ('a.vue', '<template>\n  <p/>\n</template>\n', 'vue'),
  ('a.rs', 'fn main() {}\n', 'rust'),
  ('A.scala', 'object A { def f = 1 }\n', 'scala'),
  ('build.sbt', 'name := "x"\n', 'scala'),
  ('script.sc', 'import $ivy.`a::b:1`\nval x = 1\n', 'scala'),
  ('a.jsx', 'const A = () => <div/>;', 'jsx'),
  ('a.sql', '-- users\nSELECT * FROM users;\n', 'sql'),
  ('schema.SQL', 'create table t (id int);\n', 'sql'),
  ('a.dart', 'void main() => print(1);\n', 'dart'),
  ('Makefile', 'all:\n\tcc a.c\n', 'makefile'),
  ('GNUmakefile', 'all: a.o\n', 'makefile'),
  ('Makefile.am', 'bin_PROGRAMS = a\n', 'makefile'),
  ('rules.mk', 'CFLAGS += -O2\n', 'makefile'),
  ('a.lua', 'local x = {}\n', 'lua'),
  ('A.hs', 'module A where\n', 'haskell'),
  ('A.lhs', 'Text.\n\n> main = print 1\n', 'haskell'),
  (
    'Point.st',
    "Object subclass: #Point\n\tcategory: 'Graphics'!\n",
    'smalltalk',
  ),
  (
    'Morph.class.st',
    'Class {\n\t#name : #Morph,\n\t#superclass : #Object\n}\n',
    'smalltalk',
  ),
  ('a.tex', '\\section{One}\nText.\n', 'tex'),
  ('thesis.cls', '\\NeedsTeXFormat{LaTeX2e}\n', 'tex'),
  ('style.sty', '% a style\n\\newcommand{\\x}{1}\n', 'tex'),
  ('a.clj', '(ns a.core)\n', 'clojure'),
  ('a.cljs', '(defn f [x] x)\n', 'clojure'),
  ('README.md', '# Title\n', 'markdown'),
  ('a.yml', 'a: 1\n', 'yaml'),
  ('a.json', '{"a": 1}\n', 'json'),
  ('tsconfig.json', '// settings\n{\n  "strict": true,\n}\n', 'json'),
  ('a.html', '<!DOCTYPE html><p>x</p>', 'html'),
  ('partial.html', '{% block x %}<span>{{ a }}</span>{% endblock %}', 'html'),
  ('a.css', 'a { color: red }\n', 'css'),
  ('a.scss', '$a: 1px;\n.b { &:hover { top: $a } }\n', 'scss'),
  ('a.rst', 'Title\n=====\n', 'restructuredtext'),
  ('pyproject.toml', '[project]\n', 'toml'),
  ('Cargo.lock', '[[package]]\nname = "a"\n', 'toml'),
  ('a.Rmd', '---\ntitle: x\n---\n```{r}\nplot(1)\n```\n', 'rmarkdown'),
  ('a.sass', '.a\n  color: red\n  &:hover\n    top: 1px\n', 'sass'),
]


@pytest.mark.parametrize(('name', 'text', 'expected'), SNIPPETS)
def test_files_of_every_language(name, text, expected):
  assert languages.detect(name, text) == expected
  assert languages.could_be(f'folder.d/{name}', [expected])
  assert languages.detect(f'folder.d/{name}', text) == expected


def test_snippets_cover_every_language():
  assert {row[2] for row in SNIPPETS} == set(languages.LANGUAGES)


@pytest.mark.parametrize(
  ('name', 'text', 'expected'),
  [
    ('tool', '#!/usr/bin/env python3.11\nprint(1)\n', 'python'),
    ('tool', '#!/usr/bin/env -S deno run --allow-net\n', 'typescript'),
    ('tool', '#!/usr/bin/env LANG=C ruby\n', 'ruby'),
    ('tool', '#! /bin/sh -e\n', 'shell'),
    ('rules', '#!/usr/bin/make -f\n', 'makefile'),
    ('tool', '#!/usr/bin/lua5.3\n', 'lua'),
    ('tool', '#!/usr/bin/perl\n', None),
    ('tool', '#!/usr/bin/env\n', None),
    ('tool', 'no first line of a script\n', None),
    ('page.cgi', '#!/usr/bin/python\n', 'python'),
    ('configure.sh', '#!/usr/bin/env python\n', 'python'),
    ('expect.sh', '#!/usr/bin/expect -f\n', None),
    ('run.sh', '#!/bin/bash\n', 'shell'),
    ('a.py', '#!/bin/sh\n', 'python'),
    ('a.txt', '#!/bin/sh\n', None),
  ],
)
def test_first_lines_of_scripts(name, text, expected):
  assert languages.detect(name, text) == expected
  if expected is not None:
    assert languages.could_be(name, [expected])


@pytest.mark.parametrize(
  ('name', 'text'),
  [
    ('a.ts', '<?xml version="1.0"?><TS/>'),
    ('a.ts', '<!DOCTYPE TS>\n<TS version="2.1">'),
    ('tiles.tsx', '<?xml version="1.0"?>\n<tileset name="a"/>'),
    ('a.js', '<!DOCTYPE html>\n<h1>404</h1>'),
    ('a.json', '<html><body>Not found</body></html>'),
    ('a.py', 'version https://git-lfs.github.com/spec/v1\noid sha256:0\n'),
    ('Makefile.PL', 'use ExtUtils::MakeMaker;'),
    ('a.m', '@interface A\n@end\n'),
    ('a.bin', 'x'),
    ('a', ''),
  ],
)
def test_other_things_by_these_names(name, text):
  assert languages.detect(name, text) is None


def test_names_decide_what_is_opened():
  assert languages.could_be('a.h', ['c++'])
  assert languages.could_be('a.h', ['c'])
  assert not languages.could_be('a.h', ['python'])
  assert not languages.could_be('a.hpp', ['c'])
  assert languages.could_be('bin/tool', ['python'])
  assert not languages.could_be('bin/tool', ['markdown'])
  assert not languages.could_be('LICENSE', ['python'])


@hypothesis.given(
  strategies.sampled_from([row[0] for row in SNIPPETS] + ['tool', 'x.inc']),
  strategies.sampled_from([row[1] for row in SNIPPETS]) | strategies.text(),
)
@hypothesis.settings(max_examples=300, deadline=None)
def test_a_name_allows_whatever_is_detected(name, text):
  found = languages.detect(name, text)
  assert found is None or languages.could_be(name, [found])


def test_unknown_language_is_named():
  with pytest.raises(errors.UserError, match="'fortran'; known are java"):
    languages.check(['fortran'], 'here')
