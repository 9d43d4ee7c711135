"""Compiles and runs the test program of a completion, and says how it ended.

Definitions owned here:
  outcome: what became of a completion, one of `OUTCOMES`:
    passed: all tests ran and held.
    failed: it ended with another code than 0: a wrong answer, an exception.
    crashed: a signal ended it.
    left early: it ended with code 0, but not at the end of its tests.
    compile error: the compiler, or an interpreter's parser, refused it.
    timeout, memory, processes, output, disk: the limit that ended it.
"""

from collections.abc import Mapping
import dataclasses
import pathlib
import re
import tempfile

from codelaw.evaluation import code_problems
from codelaw.evaluation import program_endings
from codelaw.evaluation import sandbox
from codelaw.evaluation import toolchains

PASSED = 'passed'
FAILED = 'failed'
CRASHED = 'crashed'
LEFT_EARLY = 'left early'
COMPILE_ERROR = 'compile error'
TIMEOUT = 'timeout'
_ENDED: Mapping[str, str] = {
  'exit': FAILED,
  'signal': CRASHED,
  'time': TIMEOUT,
  'cpu': TIMEOUT,
  'memory': 'memory',
  'processes': 'processes',
  'output': 'output',
  'disk': 'disk',
}
OUTCOMES = (PASSED, LEFT_EARLY, COMPILE_ERROR, *dict.fromkeys(_ENDED.values()))
# The first tells what was wrong in Node's and javac's messages, the last in
# Python's.
_DETAIL_CHARACTERS = 500


@dataclasses.dataclass(frozen=True)
class Verdict:
  """What became of one completion.

  Attributes:
    outcome: as defined above.
    detail: the beginning and end of what the compiler or the program wrote to
      stderr, for people.
    seconds: that compiling and running took.
  """

  outcome: str
  detail: str = ''
  seconds: float = 0.0

  @property
  def passed(self) -> bool:
    """Whether the tests held."""
    return self.outcome == PASSED


def judge(
  problem: code_problems.Problem,
  completion: str,
  limits: sandbox.Limits | None = None,
  unsandboxed: bool = False,
) -> Verdict:
  """Runs a completion in its test program.

  Args:
    problem: asked.
    completion: to its prompt.
    limits: of the program; compiling has limits of its own.
    unsandboxed: run it without a sandbox where none works.

  Raises:
    Missing: when this machine has no toolchain of the language.
    UserError: when no sandbox works, or the tests are not as their format has
      them.
  """
  tools = toolchains.toolchain(problem.language, unsandboxed)
  files = program_endings.files(problem, completion, tools.source)
  secret = program_endings.secret()
  seconds = 0.0
  with tempfile.TemporaryDirectory(prefix='codelaw_program_') as name:
    folder = pathlib.Path(name).resolve()
    for file, text in files.items():
      (folder / file).parent.mkdir(parents=True, exist_ok=True)
      # A completion may hold half of a surrogate pair; no language takes it.
      (folder / file).write_bytes(text.encode('utf-8', 'replace'))
    if tools.compile:
      compiled = sandbox.run(
        tools.compile,
        folder,
        toolchains.COMPILE_LIMITS,
        environment=tools.environment,
        read_only=tools.read_only,
        unsandboxed=unsandboxed,
      )
      seconds += compiled.seconds
      if not compiled.ok:
        outcome = _ENDED[compiled.ended]
        if compiled.ended in ('exit', 'signal'):
          outcome = COMPILE_ERROR
        return Verdict(outcome, _told(compiled), seconds)
    ended = sandbox.run(
      tools.run,
      folder,
      limits,
      stdin=secret.encode(),
      environment=tools.environment,
      read_only=tools.read_only,
      unsandboxed=unsandboxed,
    )
  seconds += ended.seconds
  if ended.ok:
    if secret.encode() in ended.stdout:
      return Verdict(PASSED, '', seconds)
    return Verdict(LEFT_EARLY, _told(ended), seconds)
  outcome = _ENDED[ended.ended]
  if outcome == FAILED and _refused(tools, ended):
    outcome = COMPILE_ERROR
  return Verdict(outcome, _told(ended), seconds)


def _refused(tools: toolchains.Toolchain, ended: sandbox.Outcome) -> bool:
  """Whether an interpreter did not take the text for a program.

  It then prints no trace of calls in the program's own file.
  """
  if not tools.syntax_error:
    return False
  text = ended.stderr.decode('utf-8', 'replace')
  ran = rf'^Traceback|^\s+at .*{re.escape(tools.source)}'
  return bool(
    re.search(f'^{tools.syntax_error}', text, re.MULTILINE)
  ) and not re.search(ran, text, re.MULTILINE)


def _told(ended: sandbox.Outcome) -> str:
  # Compilers that write to stdout (tsc) write nothing else there.
  said = ended.stderr.strip() or ended.stdout.strip()
  text = said.decode('utf-8', 'replace')
  if len(text) <= 2 * _DETAIL_CHARACTERS:
    return text
  return f'{text[:_DETAIL_CHARACTERS]}\n...\n{text[-_DETAIL_CHARACTERS:]}'
