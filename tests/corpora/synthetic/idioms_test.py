"""Exact renderings in TypeScript, C#, Go and Rust."""

import pytest

from codelaw.corpora.synthetic import csharp
from codelaw.corpora.synthetic import go
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic import rendering
from codelaw.corpora.synthetic import rust
from codelaw.corpora.synthetic import typescript

X = program.Variable('x_one', program.INT)
Y = program.Variable('y', program.INT)
C = program.Variable('c', program.CHAR)
T = program.Variable('t', program.TEXT)
V = program.Variable('v', program.INTS)
N = program.Variable('n', program.CHAR_COUNTS)
ONE = program.lift(1)
TYPESCRIPT = typescript.TypeScriptRenderer()
CSHARP = csharp.CSharpRenderer()
GO = go.GoRenderer()
RUST = rust.RustRenderer()


def _function(body, parameters=(V,), returns=program.INT):
  return program.Function('do_it', parameters, returns, body, 'Does it.')


@pytest.mark.parametrize(
  ('tree', 'expected'),
  [
    (
      X // 3,
      (
        '(int)Math.Floor(xOne / 3.0)',
        'floorDiv(xOne, 3)',
        'x_one.div_euclid(3)',
      ),
    ),
    (program.natural(X // 3), ('xOne / 3', 'xOne / 3', 'x_one / 3')),
    (
      X % Y,
      (
        '((xOne % y) + y) % y',
        'mod(xOne, y)',
        'x_one.rem_euclid(y)',
      ),
    ),
    ((X % 3).equals(0), ('xOne % 3 == 0', 'xOne % 3 == 0', 'x_one % 3 == 0')),
    (
      program.length(V).equals(0),
      (
        'v.Count == 0',
        'len(v) == 0',
        'v.is_empty()',
      ),
    ),
    (
      program.length(V) < X,
      (
        'v.Count < xOne',
        'len(v) < xOne',
        '(v.len() as i64) < x_one',
      ),
    ),
    (
      program.at(V, X - 1),
      (
        'v[xOne - 1]',
        'v[xOne - 1]',
        'v[(x_one - 1) as usize]',
      ),
    ),
    (
      program.at(T, 0).equals(program.char('a')),
      (
        "t[0] == 'a'",
        "t[0] == 'a'",
        "t.as_bytes()[0] == b'a'",
      ),
    ),
    (
      program.at(T, X).equals(C),
      (
        't[xOne] == c',
        'rune(t[xOne]) == c',
        't.as_bytes()[x_one as usize] as char == c',
      ),
    ),
    (
      T + C + program.builtin('to_text', program.TEXT, X),
      (
        '$"{t}{c}{xOne}"',
        't + string(c) + strconv.Itoa(xOne)',
        'format!("{t}{c}{x_one}")',
      ),
    ),
    # Two characters added would be an integer in C#.
    (
      program.lift('') + C + C,
      (
        '$"{c}{c}"',
        'string(c) + string(c)',
        'format!("{c}{c}")',
      ),
    ),
    (
      T + '{' + C,
      ('$"{t}{{{c}"', 't + "{" + string(c)', 'format!("{t}{{{c}")'),
    ),
    (
      program.builtin('slice', program.TEXT, T, 1, program.length(T)),
      (
        't.Substring(1)',
        't[1:]',
        't[1..]',
      ),
    ),
    (
      program.builtin('slice', program.TEXT, T, X, Y),
      (
        't.Substring(xOne, y - xOne)',
        't[xOne:y]',
        't[x_one as usize..y as usize]',
      ),
    ),
    (
      program.builtin('smaller', program.INT, 3, X),
      (
        'Math.Min(3, xOne)',
        'min(3, xOne)',
        'x_one.min(3)',
      ),
    ),
    (
      program.builtin('get', program.INT, N, C, 0) + 1,
      (
        '(n.ContainsKey(c) ? n[c] : 0) + 1',
        'n[c] + 1',
        '*n.get(&c).unwrap_or(&0) + 1',
      ),
    ),
    (program.lift(-3) - X, ('-3 - xOne', '-3 - xOne', '-3 - x_one')),
  ],
)
def test_expressions(tree, expected):
  found = tuple(item.expression(tree) for item in (CSHARP, GO, RUST))
  assert found == expected


def _tally():
  again = program.builtin('get', program.INT, N, C, 0) + 1
  return _function(
    [
      program.Declare(N, program.builtin('new_counts', program.CHAR_COUNTS)),
      program.Each(C, T, [program.Put(N, C, again)]),
      program.Declare(Y, program.lift(0)),
      program.EachEntry(C, X, N, [program.Update(Y, '+', X)]),
      program.Return(Y),
    ],
    (T,),
  )


def test_ordered_counts_in_typescript():
  assert TYPESCRIPT.function(_tally(), '') == [
    'export function doIt(t: string): number {',
    '  const n = new Map<string, number>();',
    '  for (const c of t) {',
    '    n.set(c, (n.get(c) ?? 0) + 1);',
    '  }',
    '  let y = 0;',
    '  for (const [c, xOne] of n) {',
    '    y += xOne;',
    '  }',
    '  return y;',
    '}',
  ]


def test_ordered_counts_in_csharp():
  assert CSHARP.function(_tally(), '') == [
    'public static int DoIt(string t)',
    '{',
    '    var n = new Dictionary<char, int>();',
    '    var nKeys = new List<char>();',
    '    foreach (var c in t)',
    '    {',
    '        if (!n.ContainsKey(c))',
    '        {',
    '            nKeys.Add(c);',
    '            n[c] = 0;',
    '        }',
    '        n[c]++;',
    '    }',
    '    var y = 0;',
    '    foreach (var c in nKeys)',
    '    {',
    '        var xOne = n[c];',
    '        y += xOne;',
    '    }',
    '    return y;',
    '}',
  ]


def test_ordered_counts_in_go():
  assert GO.function(_tally(), '') == [
    'func doIt(t string) int {',
    '\tn := map[rune]int{}',
    '\tnKeys := []rune{}',
    '\tfor _, c := range t {',
    '\t\tif _, known := n[c]; !known {',
    '\t\t\tnKeys = append(nKeys, c)',
    '\t\t}',
    '\t\tn[c]++',
    '\t}',
    '\ty := 0',
    '\tfor _, c := range nKeys {',
    '\t\txOne := n[c]',
    '\t\ty += xOne',
    '\t}',
    '\treturn y',
    '}',
  ]


def test_ordered_counts_in_rust():
  assert RUST.function(_tally(), '') == [
    'pub fn do_it(t: &str) -> i64 {',
    '    let mut n: HashMap<char, i64> = HashMap::new();',
    '    let mut n_keys: Vec<char> = Vec::new();',
    '    for c in t.chars() {',
    '        if !n.contains_key(&c) {',
    '            n_keys.push(c);',
    '        }',
    '        *n.entry(c).or_insert(0) += 1;',
    '    }',
    '    let mut y = 0;',
    '    for &c in &n_keys {',
    '        let x_one = n[&c];',
    '        y += x_one;',
    '    }',
    '    y',
    '}',
  ]


def _selection():
  chain = ()
  for letter, size in (('c', 4), ('b', 3), ('a', 2)):
    step = program.Update(Y, '*', program.lift(size))
    chain = (program.If(C.equals(program.char(letter)), [step], chain),)
  body = [
    program.Declare(Y, ONE),
    program.Each(C, T, chain),
    program.Return(Y),
  ]
  return _function(body, (T,))


def test_a_chain_of_constants_is_a_switch():
  assert CSHARP.function(_selection(), '')[5:13] == [
    '        switch (c)',
    '        {',
    "            case 'a':",
    '                y *= 2;',
    '                break;',
    "            case 'b':",
    '                y *= 3;',
    '                break;',
  ]
  assert GO.function(_selection(), '')[3:7] == [
    '\t\tswitch c {',
    "\t\tcase 'a':",
    '\t\t\ty *= 2',
    "\t\tcase 'b':",
  ]
  assert RUST.function(_selection(), '')[3:9] == [
    '        match c {',
    "            'a' => y *= 2,",
    "            'b' => y *= 3,",
    "            'c' => y *= 4,",
    '            _ => {}',
    '        }',
  ]


def test_go_takes_choices_apart():
  choice = program.Choice(X < 1, X, Y, program.INT)
  body = [program.Declare(Y, choice * 2), program.Return(choice)]
  assert GO.function(_function(body, (X,)), '')[1:-1] == [
    '\tvar y int',
    '\tif xOne < 1 {',
    '\t\ty = xOne * 2',
    '\t} else {',
    '\t\ty = y * 2',
    '\t}',
    '\tif xOne < 1 {',
    '\t\treturn xOne',
    '\t}',
    '\treturn y',
  ]
  with pytest.raises(TypeError, match='no conditional expression in Go'):
    GO.statement(program.If(choice < 2, [program.Return(X)]))


def test_rust_lends_moves_and_copies():
  words = program.Variable('words', program.TEXTS)
  token = program.Variable('token', program.TEXT)
  kept = program.Variable('kept', program.TEXTS)
  last = program.Variable('last', program.TEXT)
  body = [
    program.Declare(words, program.builtin('words', program.TEXTS, T)),
    program.Declare(kept, program.builtin('new_list', program.TEXTS)),
    program.Declare(last, program.lift('')),
    program.Each(
      token,
      words,
      [
        program.If(token.differs(last), [program.Append(kept, token)]),
        program.Assign(last, token),
        program.Assign(last, last + 's'),
      ],
    ),
    program.Return(last),
  ]
  assert RUST.function(_function(body, (T,), program.TEXT), '') == [
    'pub fn do_it(t: &str) -> String {',
    "    let words: Vec<&str> = t.split(' ').collect();",
    '    let mut kept: Vec<String> = Vec::new();',
    '    let mut last = String::new();',
    '    for &token in &words {',
    '        if token != &last {',
    '            kept.push(token.to_string());',
    '        }',
    '        last = token.to_string();',
    '        last.push_str("s");',
    '    }',
    '    last',
    '}',
  ]


def test_rust_counts_places_and_goes_backwards():
  read = program.at(V, X)
  loops = [
    program.Count(X, program.lift(1), program.length(V) - 1, [], 2),
    program.Count(X, program.length(V) - 1, program.lift(-1), [], -1),
  ]
  found = []
  for loop in loops:
    body = [program.Update(Y, '+', read)]
    loop = program.Count(loop.variable, loop.start, loop.stop, body, loop.step)
    function = _function([program.Declare(Y, ONE), loop, program.Return(Y)])
    found += RUST.function(function, '')[2:4]
  assert found == [
    '    for x_one in (1..v.len().saturating_sub(1)).step_by(2) {',
    '        y += v[x_one];',
    '    for x_one in (0..v.len()).rev() {',
    '        y += v[x_one];',
  ]
  down = program.Count(X, Y, program.lift(2), [program.Return(X)], -3)
  lines = RUST.function(_function([down, program.Return(Y)]), '')
  assert lines[1] == '    for x_one in (3..=y).rev().step_by(3) {'


@pytest.mark.parametrize('style', range(3))
def test_documents_have_the_statement_and_every_example(style):
  function = _function([program.Return(program.length(V))])
  examples = (
    rendering.Example(([1, 2],), 2),
    rendering.Example(([],), 0),
  )
  problem = rendering.Problem(
    'Count <all> of them.', (function,), examples, style
  )
  texts = [item.document(problem) for item in (TYPESCRIPT, CSHARP, GO, RUST)]
  calls = ('doIt([1, 2])', 'new List<int> { 1, 2 }', '[]int{1, 2}', '&[1, 2]')
  for text, call in zip(texts, calls, strict=True):
    # The documentation of C# is XML.
    is_xml = text is texts[1] and style < 2
    told = 'Count &lt;all&gt; of them.' if is_xml else 'Count <all> of them.'
    assert told in text
    if is_xml and style == 0:
      call = call.replace('<', '&lt;').replace('>', '&gt;')
    assert call in text
    assert text[-2] not in '\n '
    assert text[-1] == '\n'
