"""The language of a source file, from its name and then its content.

Owns the languages that documents can have (the 25 of web code and the 10 of
markup in `reference/code_source_shares.csv`), the names that files and data
sets use for them, and the source that each belongs to unless a corpus says
otherwise. A name proposes a language. Where other things go by that name (a
`.ts` file may be a Qt translation, a `.st` file a template) the content
settles it or refuses it; a file without extension is known by its first line.
"""

from collections.abc import Iterable
import posixpath
import re

from codelaw import errors
from codelaw.corpora import language_content

# Language -> extensions without their dot. Where the content decides,
# `language_content` has the rule.
_WEB_CODE = {
  'java': 'java',
  'javascript': 'js cjs mjs es6 jsm',
  'php': 'php php3 php4 php5 php7 php8 phpt phtml ctp',
  'python': 'py pyi pyw wsgi',
  'c#': 'cs csx cake',
  'typescript': 'ts tsx mts cts',
  'c': 'c h',
  'c++': (
    'cc cpp cxx c++ cu cuh hh hpp hxx h++ inl ipp tpp tcc txx ixx cppm ino'
  ),
  'go': 'go',
  'ruby': 'rb rake gemspec ru jbuilder podspec rabl thor rbw',
  'shell': 'sh bash zsh ksh bats command ebuild',
  'kotlin': 'kt kts ktm',
  'swift': 'swift',
  'vue': 'vue',
  'rust': 'rs',
  'scala': 'scala sbt sc',
  'jsx': 'jsx',
  'sql': 'sql ddl mysql pgsql psql plsql',
  'dart': 'dart',
  'makefile': 'mk mak',
  'lua': 'lua wlua rockspec nse',
  'haskell': 'hs lhs hsc',
  'smalltalk': 'st',
  'tex': 'tex ltx latex sty cls dtx',
  'clojure': 'clj cljs cljc cljx boot',
}
_MARKUP = {
  'markdown': 'md markdown mdown mkd mkdn',
  'yaml': 'yml yaml cff sublime-syntax',
  'json': 'json jsonc geojson topojson webmanifest avsc',
  'html': 'html htm xhtml xht',
  'css': 'css',
  'scss': 'scss',
  'restructuredtext': 'rst',
  'toml': 'toml',
  'rmarkdown': 'rmd qmd',
  'sass': 'sass',
}
LANGUAGES = (*_WEB_CODE, *_MARKUP)
_BY_EXTENSION = {
  f'.{extension}': language
  for table in (_WEB_CODE, _MARKUP)
  for language, extensions in table.items()
  for extension in extensions.split()
}

# Language -> whole file names, in lower case.
_BY_NAME = {
  name: language
  for language, names in {
    'python': 'sconstruct sconscript wscript snakefile',
    'ruby': (
      'rakefile gemfile guardfile capfile vagrantfile podfile fastfile'
      ' appfile brewfile berksfile thorfile dangerfile puppetfile appraisals'
      ' .irbrc .pryrc .simplecov'
    ),
    'shell': (
      '.bashrc .bash_profile .bash_aliases .bash_logout .profile .zshrc'
      ' .zshenv .zprofile .envrc pkgbuild apkbuild gradlew'
    ),
    'makefile': 'makefile gnumakefile bsdmakefile kbuild mkfile',
    'javascript': 'jakefile',
    'json': '.babelrc .jshintrc .watchmanconfig composer.lock pipfile.lock',
    'yaml': '.clang-format .clang-tidy pubspec.lock',
    'toml': 'pipfile cargo.lock poetry.lock uv.lock pdm.lock gopkg.lock',
  }.items()
  for name in names.split()
}
_MAKEFILE_SUFFIXES = ('.am', '.in', '.inc', '.common', '.win', '.unix', '.frag')

# Language -> programs that a first line `#!` names, without their version.
_BY_INTERPRETER = {
  program: language
  for language, programs in {
    'java': 'java',
    'javascript': 'node nodejs',
    'php': 'php',
    'python': 'python pypy',
    'c#': 'dotnet-script csharp',
    'typescript': 'ts-node deno tsx',
    'go': 'gorun',
    'ruby': 'ruby jruby rake',
    'shell': 'sh bash dash ash zsh ksh mksh bats',
    'kotlin': 'kotlin kotlinc',
    'swift': 'swift',
    'rust': 'rust-script',
    'scala': 'scala scala-cli amm',
    'dart': 'dart',
    'makefile': 'make gmake',
    'lua': 'lua luajit texlua',
    'haskell': 'runhaskell runghc stack',
    'smalltalk': 'gst pharo',
    'clojure': 'clojure clj bb',
  }.items()
  for program in programs.split()
}
# What tells nothing of the language: a script names it in its first line.
_OF_SCRIPTS = ('', '.cgi', '.fcgi')
_SHEBANG = re.compile(r'#!\s*(\S+)([^\n]*)')
# Files without extension that are everywhere and never scripts; knowing them
# saves reading them.
_NEVER_SCRIPTS = (
  'license',
  'copying',
  'notice',
  'authors',
  'readme',
  'changelog',
  'record',
  'metadata',
  'wheel',
  'installer',
  'requested',
)

# What data sets and people write -> our names. Dialects go where their
# extensions go.
_BY_LABEL = {
  label: language
  for language, labels in {
    'java': '',
    'javascript': 'js node nodejs ecmascript',
    'php': '',
    'python': 'py python2 python3',
    'c#': 'csharp c-sharp cs',
    'typescript': 'ts tsx',
    'c': '',
    'c++': 'cpp cplusplus c-plus-plus cxx cuda',
    'go': 'golang',
    'ruby': 'rb',
    'shell': 'sh bash zsh shellscript shell-script',
    'kotlin': 'kt',
    'swift': '',
    'vue': 'vuejs vue.js',
    'rust': 'rs',
    'scala': '',
    'jsx': '',
    'sql': 'mysql plsql pl/sql plpgsql tsql t-sql transact-sql',
    'dart': '',
    'makefile': 'make',
    'lua': '',
    'haskell': 'hs literate-haskell',
    'smalltalk': '',
    'tex': 'latex',
    'clojure': 'clj clojurescript',
    'markdown': 'md gfm github-flavored-markdown',
    'yaml': 'yml',
    'json': 'json-with-comments jsonc',
    'html': 'html5 xhtml',
    'css': 'css3',
    'scss': '',
    'restructuredtext': 'rst restructured-text re-structured-text',
    'toml': '',
    'rmarkdown': 'rmd r-markdown',
    'sass': '',
  }.items()
  for label in (language, *labels.split())
}
# How `reference/code_source_shares.csv` spells what a path cannot hold.
_SPELLING = {'c++': 'cpp', 'c#': 'c-sharp'}

_MARKUP_START = re.compile(r'\s*<(?:\?xml|!doctype|html|svg|ts\b)', re.I)
_MAY_START_AS_MARKUP = frozenset(
  ('html', 'php', 'vue', 'markdown', 'restructuredtext', 'rmarkdown')
)
_LFS_POINTER = 'version https://git-lfs.github.com/spec/'

# A first line that names another program makes the file that program's.
_SHELL_EXTENSIONS = ('.sh', '.bash')
# Extension -> every language that its content may turn out to be.
_POSSIBLE = {
  '.h': {'c', 'c++'},
  '.cs': {'c#', 'smalltalk'},
  '.sass': {'sass', 'scss'},
  **dict.fromkeys(_SHELL_EXTENSIONS, {'shell', *_BY_INTERPRETER.values()}),
  **dict.fromkeys(('.inc', '.module', '.install', '.theme'), {'php'}),
}


def _by_name(name: str) -> tuple[str | None, str]:
  """Language of the file name alone, and its extension in lower case."""
  base = name.rpartition('/')[2]
  whole = base.lower()
  stem, _, extension = whole.rpartition('.')
  extension = f'.{extension}' if stem else ''  # A dot in front begins a name.
  if base.endswith(('.C', '.H')):  # By an old custom these are C++.
    extension = '.h'
  if extension in _MAKEFILE_SUFFIXES and _BY_NAME.get(stem) == 'makefile':
    return 'makefile', ''
  language = _BY_NAME.get(whole)
  return (
    (language, '') if language else (_BY_EXTENSION.get(extension), extension)
  )


def interpreted(text: str) -> str | None:
  """The language whose program the first line names, if it names one.

  >>> interpreted('#!/usr/bin/env -S python3.11 -u'), interpreted('x = 1')
  ('python', None)
  """
  first = _SHEBANG.match(text)
  if first is None:
    return None
  program = posixpath.basename(first.group(1))
  if program == 'env':
    words = (
      word
      for word in first.group(2).split()
      if not word.startswith('-') and '=' not in word
    )
    program = posixpath.basename(next(words, ''))
  return _BY_INTERPRETER.get(re.sub(r'-?[\d.]+$', '', program))


def detect(name: str, text: str) -> str | None:
  """The language of a file, or None when it has none of ours.

  Args:
    name: of the file, with or without its folders.
    text: its whole content.

  >>> detect('a.h', 'namespace n {}'), detect('a.h', 'struct s { int i; };')
  ('c++', 'c')
  >>> detect('a.ts', '<?xml version="1.0"?><TS></TS>') is None
  True
  """
  language, extension = _by_name(name)
  if text.startswith(_LFS_POINTER):
    return None
  if language is None and extension in _OF_SCRIPTS:
    return interpreted(text)
  if extension in _SHELL_EXTENSIONS and text.startswith('#!'):
    return interpreted(text)
  settle = language_content.SETTLE.get(extension)
  found = settle(text) if settle else language
  if found not in _MAY_START_AS_MARKUP and _MARKUP_START.match(text):
    return None
  return found


def needs_first_line(name: str) -> bool:
  """Whether a file of this name has a language only if its text names one."""
  language, extension = _by_name(name)
  return language is None and extension in _OF_SCRIPTS


def could_be(name: str, wanted: Iterable[str]) -> bool:
  """Whether a file of this name may have one of the languages `wanted`.

  Readers ask before they open a file; `detect` decides.

  >>> could_be('include/arrayobject.h', ['c++']), could_be('a.csv', ['python'])
  (True, False)
  """
  language, extension = _by_name(name)
  if language is None and extension in _OF_SCRIPTS:
    if posixpath.basename(name).lower() in _NEVER_SCRIPTS:
      return False
    return not set(wanted).isdisjoint(_BY_INTERPRETER.values())
  possible = _POSSIBLE.get(extension, {language})
  return not possible.isdisjoint(wanted)


def from_label(label: str) -> str | None:
  """Our name of the language that a data set calls `label`, if we have it.

  >>> from_label('C-Sharp'), from_label('Jupyter Notebook')
  ('c#', None)
  """
  return _BY_LABEL.get(re.sub(r'[\s_-]+', '-', label.strip().lower()))


def default_source(language: str) -> str:
  """The source of a language: `code/` or `markup/`, spelled as in the CSV.

  >>> default_source('c++'), default_source('markdown')
  ('code/cpp', 'markup/markdown')
  """
  check([language], 'The source')
  group = 'code' if language in _WEB_CODE else 'markup'
  return f'{group}/{_SPELLING.get(language, language)}'


def check(wanted: Iterable[str], where: str) -> None:
  """Raises `UserError` unless every language is one that files can have."""
  for language in wanted:
    if language not in LANGUAGES:
      raise errors.UserError(
        f'{where} names the language {language!r}; known are'
        f' {", ".join(LANGUAGES)}.'
      )
