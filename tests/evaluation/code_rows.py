"""Small problems in the published formats, and completions of every kind.

All ask for twice the sum of two integers; the completions end where the stop
strings of the format end them.
"""

HUMAN_EVAL = {
  'task_id': 'HumanEval/0',
  'prompt': 'def twice_sum(a: int, b: int) -> int:\n'
  '    """Twice the sum of a and b.\n    >>> twice_sum(1, 2)\n    6\n    """\n',
  'entry_point': 'twice_sum',
  'canonical_solution': '    return 2 * (a + b)\n',
  'test': '\n\nMETADATA = {}\n\n\ndef check(candidate):\n'
  '    assert candidate(1, 2) == 6\n    assert candidate(-4, 1) == -6\n',
}
MBPP = {
  'task_id': 601,
  'text': 'Write a function to double the sum of two numbers.',
  'code': 'def twice_sum(a, b):\r\n  return 2 * (a + b)',
  'test_list': ['assert twice_sum(1, 2) == 6', 'assert twice_sum(x, y) == -6'],
  'test_setup_code': 'x = -4\r\ny = 1',
  'challenge_test_list': [],
}
MBPP_SANITIZED = {
  'source_file': 'x.ipynb',
  'task_id': 602,
  'prompt': 'Write a function to double the sum of two numbers.',
  'code': 'def twice_sum(a, b):\n  return 2 * (a + b)',
  'test_imports': ['import math'],
  'test_list': ['assert math.isclose(twice_sum(1, 2), 6)'],
}


def multiple(language, prompt, tests, stop):
  """A row of MultiPL-E."""
  return {
    'name': 'HumanEval_0_twice_sum',
    'language': language,
    'prompt': prompt,
    'doctests': 'transform',
    'original': '/twice_sum.py',
    'prompt_terminology': 'reworded',
    'tests': tests,
    'stop_tokens': stop,
  }


MULTIPLE = {
  'python': multiple(
    'py',
    'def twice_sum(a: int, b: int) -> int:\n    """Twice the sum."""\n',
    'def check(candidate):\n    assert candidate(1, 2) == 6\n'
    '    assert candidate(-4, 1) == -6\n\n'
    'def test_check():\n    check(twice_sum)\n\ntest_check()\n',
    ['\ndef', '\n#', '\nif', '\nclass'],
  ),
  'java': multiple(
    'java',
    'import java.util.*;\nimport org.javatuples.*;\n\nclass Problem {\n'
    '    // Twice the sum.\n'
    '    public static long twiceSum(long a, long b) {\n',
    '    }\n    public static void main(String[] args) {\n'
    '    assert(twiceSum((1l), (2l)) == (6l));\n'
    '    assert(twiceSum((-4l), (1l)) == (-6l));\n    }\n\n}\n',
    ['\n    }\n'],
  ),
  'javascript': multiple(
    'js',
    '//Twice the sum.\nfunction twice_sum(a, b){\n',
    "const assert = require('node:assert');\n\n\nfunction test() {\n"
    '  let candidate = twice_sum;\n  assert.deepEqual(candidate(1, 2),6);\n'
    '  assert.deepEqual(candidate(-4, 1),-6);\n}\n\ntest();\n',
    ['\nfunction ', '\n/*', '\n//', '\nconsole.log'],
  ),
  'typescript': multiple(
    'ts',
    '//Twice the sum.\nfunction twice_sum(a: number, b: number): number {\n',
    "declare var require: any;\nconst assert = require('node:assert');\n\n\n"
    'function test() {\n  let candidate = twice_sum;\n'
    '  assert.deepEqual(candidate(1, 2),6);\n'
    '  assert.deepEqual(candidate(-4, 1),-6);\n}\n\ntest();\n',
    ['\nfunction ', '\n/*', '\n//', '\nclass'],
  ),
  'csharp': multiple(
    'cs',
    'using System;\nusing System.Numerics;\nusing System.Diagnostics;\n'
    'using System.Collections.Generic;\nusing System.Linq;\n'
    'class Problem {\n    // Twice the sum.\n'
    '    public static long TwiceSum(long a, long b) {\n',
    '    }\n    public static void Main(string[] args) {\n'
    '    Debug.Assert(TwiceSum((1L), (2L)) == (6L));\n'
    '    Debug.Assert(TwiceSum((-4L), (1L)) == (-6L));\n    }\n\n}\n',
    ['\n    }\n'],
  ),
  'go': multiple(
    'go_test.go',
    'package twice_sum_test\n\nimport (\n    "testing"\n    "fmt"\n)\n\n'
    '// Twice the sum.\nfunc twice_sum(a int, b int) int {\n',
    'func TestTwice_Sum(t *testing.T) {\n  candidate := twice_sum\n'
    '\ttype test struct {\n\t\tactual   interface{}\n'
    '\t\texpected interface{}\n\t}\n   tests := []test{\n'
    '     { actual: candidate(1, 2), expected: 6 },\n'
    '     { actual: candidate(-4, 1), expected: -6 },\n   }\n\n'
    '\tfor i, tc := range tests {\n'
    '\t\tt.Run(fmt.Sprintf("test num % d", i), func(t *testing.T) {\n'
    '\t\t\tif fmt.Sprintf("%v", tc.actual) !='
    ' fmt.Sprintf("%v", tc.expected) {\n'
    "\t\t\t\tt.Errorf(\"expected '%s', got '%s'\","
    ' tc.expected, tc.actual)\n\t\t\t}\n\t\t})\n\t}\n}\n',
    ['\nfunc', 'struct', '\n// '],
  ),
  'rust': multiple(
    'rs',
    '/// Twice the sum.\nfn twice_sum(a: isize, b: isize) -> isize {\n',
    '}\n\nfn main() {\n    let candidate = twice_sum;\n'
    '    assert_eq!(candidate(1, 2), 6);\n'
    '    assert_eq!(candidate(-4, 1), -6);\n}\n',
    ['\n}'],
  ),
}

_KINDS = ('right', 'wrong', 'refused', 'endless', 'crash', 'leaves')
# What ends each completion but those that the stop strings end.
_END = {'javascript': '}\n', 'typescript': '}\n', 'go': '}\n'}
_BODIES = {
  'python': (
    'return 2 * (a + b)',
    'return 2 * a + b',
    'return 2 * (a + b',
    'while True: pass',
    'return [][a]',
    '__import__("os")._exit(0)',
  ),
  'java': (
    'return 2 * (a + b);',
    'return 2 * a + b;',
    'return "six";',
    'while (a + 1 != a) { a += 2; } return a;',
    'return Pair.with(a, b).getValue0() / (b - b);',
    'System.exit(0); return 1;',
  ),
  'javascript': (
    'return 2 * (a + b);',
    'return 2 * a + b;',
    'return 2 * (a + b;',
    'for (;;) {}',
    'return a.b.c;',
    'process.exit(0);',
  ),
  'typescript': (
    'return 2 * (a + b);',
    'return 2 * a + b;',
    'return 2 * (a + b;',
    'for (;;) {}',
    'return (a as any).b.c;',
    '(globalThis as any).process.exit(0); return 1;',
  ),
  'csharp': (
    'return 2 * (a + b);',
    'return 2 * a + b;',
    'return "six";',
    'while (a + 1 != a) { a += 2; } return a;',
    'return a / (b - b);',
    'Environment.Exit(0); return 1;',
  ),
  'go': (
    'return 2 * (a + b)',
    'return 2*a + b',
    'return "six"',
    'for {}',
    'return a / (b - b)',
    'os.Exit(0)\n    return 1',
  ),
  'rust': (
    '2 * (a + b)',
    '2 * a + b',
    'return "six";',
    'loop {}',
    'a / (b - b)',
    'std::process::exit(0)',
  ),
}
# MultiPL-E's own prompts in Go give no way to leave.
GO_LEAVES = {
  **MULTIPLE['go'],
  'prompt': MULTIPLE['go']['prompt'].replace('"fmt"', '"fmt"\n    "os"'),
}
# Language -> kind -> completion.
COMPLETIONS = {
  language: {
    kind: f'    {body}\n{_END.get(language, "")}'
    for kind, body in zip(_KINDS, bodies, strict=True)
  }
  for language, bodies in _BODIES.items()
}
