import time

import pytest

from codelaw.corpora import language_content


@pytest.mark.parametrize(
  ('text', 'expected'),
  [
    ('/* a class of things */\nint f(void);', 'c'),
    ('// using namespace std;\nint f(void);', 'c'),
    ('const char *s = "std::string";', 'c'),
    ('struct s *class;\nint namespace;', 'c'),
    ('#include <stdio.h>\n', 'c'),
    ('extern "C" {\nint f(void);\n}', 'c'),
    ('#ifdef __OBJC__\n@class A;\n#endif\nint f(void);', 'c'),
    ('/**\n@interface of the thing\n*/\nint f(void);', 'c'),
    ('class A {\n};', 'c++'),
    ('#include <vector>\n', 'c++'),
    ('#include "a.hpp"\n', 'c++'),
    ('template <typename T> T f();', 'c++'),
    ('struct A { bool operator==(A const&); };', 'c++'),
    ('struct A {\n  virtual ~A();\n};', 'c++'),
    ('enum class A { b };', 'c++'),
    ('#import <Foundation/Foundation.h>\n', None),
    ('@interface A : NSObject\n@end\n', None),
    ('NSString *name(void);', None),
  ],
)
def test_headers(text, expected):
  assert language_content.SETTLE['.h'](text) == expected


@pytest.mark.parametrize(
  ('extension', 'text', 'expected'),
  [
    ('.cs', 'class A {\n  bool b = !c;\n}', 'c#'),
    ('.cs', "!A methodsFor: 'x'!\nf\n\t^1! !\n", 'smalltalk'),
    ('.html', 'not markup at all', None),
    ('.html', 'if a <b then c', None),
    ('.json', '{"cells": [], "nbformat": 4}', None),
    ('.json', '{"cells": []}', 'json'),
    ('.json', '/* a */ // b\n [1, 2]', 'json'),
    ('.json', 'not found', None),
    ('.json', '', None),
    ('.mak', 'all: a.obj\n\tlink a.obj\n', 'makefile'),
    ('.mak', '<%inherit file="base.mak"/>\n<p>${x}</p>\n', None),
    ('.md', '(define_insn "add"\n  [(set r0)])\n', None),
    ('.md', 'Call `(define_insn` so.\n<p>x</p>\n', 'markdown'),
    ('.md', '```{r}\nplot(1)\n```\n', 'markdown'),
    ('.php', '<p>no code</p>', None),
    ('.php', '<?hh // strict\n', None),
    ('.inc', '<?php\n', 'php'),
    ('.inc', 'MOV AX, 1\n', None),
    ('.rs', '#pragma version(1)\n#pragma rs java_package_name(a)\n', None),
    ('.sass', '.a { color: red; }\n', 'scss'),
    ('.sass', '.a\n  width: calc(#{$b} * 2)\n', 'sass'),
    ('.sc', 'SynthDef(\\a, { arg f; Out.ar(0, f) }).add;\n', None),
    ('.sc', 'Foo : Bar {\n  *new { ^super.new }\n}\n', None),
    ('.st', 'group g;\nmain(x) ::= "<x; null=\\"-\\">"\n', None),
    ('.st', 'PROGRAM main\nVAR x : INT; END_VAR\nx := 1;\n', None),
    ('.st', 'x := OrderedCollection new.\nx do: [:e | e foo].\n', 'smalltalk'),
    ('.sql', 'Select a seat and sit down\n', None),
    ('.sql', '1,2,3\n4,5,6\n', None),
    ('.sql', '{{ config() }}\nselect a\nfrom {{ ref("b") }}\n', 'sql'),
    ('.cls', 'VERSION 1.0 CLASS\nBEGIN\n  MultiUse = -1\nEND\n', None),
    ('.cls', "public class A {\n  String s = 'a\\nb';\n}\n", None),
    ('.vue', '<!-- Tufts VUE concept-map -->\n<LW-MAP/>', None),
  ],
)
def test_ambiguous_extensions(extension, text, expected):
  assert language_content.SETTLE[extension](text) == expected


@pytest.mark.parametrize(
  'text',
  [
    '\n' * 300_000,
    ' ' * 300_000,
    'class a\n' * 40_000,
    '/*' * 150_000,
    '"' * 300_001,
    '{a:' * 100_000,
    '{' + 'a:' * 150_000,
    '|' + 'a' * 300_000,
    '|' + ' a' * 150_000,
    '~a' * 100_000,
    'a ' * 150_000,
    'a\n' * 150_000,
    '<' * 300_000,
    '\\' * 300_000,
    '@' * 300_000,
    'template ' * 30_000,
    'select\n' * 40_000,
    'operator ' * 30_000,
    '// a\n' * 60_000,
  ],
)
def test_no_text_takes_long(text):
  start = time.process_time()
  for settle in set(language_content.SETTLE.values()):
    settle(text)
  # A few tens of milliseconds; quadratic time would be minutes.
  assert time.process_time() - start < 3
