"""What proves that a test program came to the end of its tests.

A program that ends with code 0 need not have been tested: a completion may
leave the process (`sys.exit(0)`, `os._exit`, `System.exit`, a `return` at the
top of a script) before the tests run. So every test program gets a last
statement that copies standard input to standard output, and standard input
holds a secret drawn for that run. Only a program that ends with code 0 and has
printed the secret has passed.

What this cannot stop: the completion and the tests share a process, as these
formats have it. A completion written against this very check can read standard
input itself, replace what the tests call, or read the expected values from the
program's file or memory. None of that reaches beyond the program's own
verdict: the sandbox holds it, and the verdict of every other program stands.
"""

from collections.abc import Callable
from collections.abc import Mapping
import re
import secrets

from codelaw import errors
from codelaw.evaluation import code_problems
from codelaw.evaluation import java_tuples
from codelaw.evaluation import toolchains

_PYTHON = "__import__('os').write(1, __import__('os').read(0, 100))\n"
# In `eval`, so that no type of Node's is needed; a module has no `require`.
_JAVASCRIPT = (
  ';eval("(files => files.writeSync(1, files.readFileSync(0)))('
  "typeof require === 'function' ? require('fs')"
  " : process.getBuiltinModule('fs'))\");\n"
)
_JAVA = (
  'try { System.out.write(System.in.readAllBytes()); System.out.flush(); }'
  ' catch (java.io.IOException error) { throw new AssertionError(error); }'
)
_CSHARP = 'System.Console.Out.Write(System.Console.In.ReadToEnd());'
_RUST = 'std::io::copy(&mut std::io::stdin(), &mut std::io::stdout()).unwrap();'
_GO = 'codelawEnding(t)'
_GO_FILE = """
import (
	"io"
	"os"
	"testing"
)

func codelawEnding(t *testing.T) {
	if !t.Failed() {
		io.Copy(os.Stdout, os.Stdin)
	}
}
"""
# Debug.Assert only tells listeners, and Mono's own go on after it.
_LISTENER = """
class CodelawFailedAssertion : System.Diagnostics.TraceListener {
  public override void Write(string text) { }
  public override void WriteLine(string text) { }
  public override void Fail(string text) { Fail(text, ""); }
  public override void Fail(string text, string detail) {
    throw new System.Exception("Debug.Assert failed " + text + " " + detail);
  }
}
"""
_LISTEN = (
  ' System.Diagnostics.Debug.Listeners.Clear();'
  ' System.Diagnostics.Debug.Listeners.Add(new CodelawFailedAssertion());'
)
_CSHARP_MAIN = re.compile(r'\bstatic\s+void\s+Main\s*\([^)]*\)\s*\{')
_PACKAGE = re.compile(r'^package\s+(\w+)', re.MULTILINE)


def secret() -> str:
  """A text that no program can guess."""
  return secrets.token_hex(16)


def files(
  problem: code_problems.Problem, completion: str, source: str
) -> dict[str, str]:
  """The files of a test program that ends with the statement above.

  Args:
    problem: whose tests are trusted.
    completion: which is not.
    source: name of the program's file (`toolchains.Toolchain.source`).

  Returns:
    Texts by their paths in the program's folder.

  Raises:
    UserError: when the tests do not end as the format has it.
  """
  tests = _ENDED[problem.language](problem)
  # Not problem.program: the statement is put into the tests, never into what
  # the completion could have changed.
  text = f'{problem.before}{completion}\n{tests}'
  found = {source: text}
  if problem.language == 'go':
    found['ending_test.go'] = f'package {_package(problem)}\n{_GO_FILE}'
  if problem.language == 'java':
    found |= java_tuples.sources(text)
  return found


def _appended(statement: str) -> Callable[[code_problems.Problem], str]:
  return lambda problem: f'{problem.after}\n{statement}'


def _inserted(
  statement: str, num_braces: int
) -> Callable[[code_problems.Problem], str]:
  """Puts a statement before the last braces, which close the tests."""
  pattern = re.compile(r'\}\s*' * num_braces + r'\Z')

  def ended(problem: code_problems.Problem) -> str:
    match = pattern.search(problem.after)
    if match is None:
      raise errors.UserError(
        f'The tests of {problem.problem_id} ({problem.dataset},'
        f' {problem.language}) must end with {num_braces} closing braces, as'
        f' MultiPL-E has them; they end with {problem.after[-40:]!r}.'
      )
    start = match.start()
    return f'{problem.after[:start]}{statement}\n{problem.after[start:]}'

  return ended


def _csharp(problem: code_problems.Problem) -> str:
  tests = _inserted(_CSHARP, 2)(problem)
  match = _CSHARP_MAIN.search(tests)
  if match is None:
    raise errors.UserError(
      f'The tests of {problem.problem_id} ({problem.dataset}, csharp) have no'
      ' `static void Main`, in which MultiPL-E has them.'
    )
  return tests[: match.end()] + _LISTEN + tests[match.end() :] + _LISTENER


def _package(problem: code_problems.Problem) -> str:
  match = _PACKAGE.search(problem.before)
  if match is None:
    raise errors.UserError(
      f'{problem.problem_id} ({problem.dataset}, go) does not begin with the'
      ' name of its package, as MultiPL-E has it.'
    )
  return match[1]


_ENDED: Mapping[str, Callable[[code_problems.Problem], str]] = {
  'python': _appended(_PYTHON),
  'java': _inserted(_JAVA, 2),
  'javascript': _appended(_JAVASCRIPT),
  'typescript': _appended(_JAVASCRIPT),
  'csharp': _csharp,
  'go': _inserted(_GO, 1),
  'rust': _inserted(_RUST, 1),
}
assert _ENDED.keys() == set(toolchains.LANGUAGES)
