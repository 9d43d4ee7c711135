"""Families of problems about graphs whose edges stand in a flat list."""

import random

from codelaw.corpora.synthetic import phrases
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic.phrases import Draft
from codelaw.corpora.synthetic.program import Append
from codelaw.corpora.synthetic.program import Assign
from codelaw.corpora.synthetic.program import Break
from codelaw.corpora.synthetic.program import Call
from codelaw.corpora.synthetic.program import Count
from codelaw.corpora.synthetic.program import Declare
from codelaw.corpora.synthetic.program import Each
from codelaw.corpora.synthetic.program import EachEntry
from codelaw.corpora.synthetic.program import Function
from codelaw.corpora.synthetic.program import If
from codelaw.corpora.synthetic.program import Put
from codelaw.corpora.synthetic.program import Return
from codelaw.corpora.synthetic.program import Update
from codelaw.corpora.synthetic.program import While
from codelaw.corpora.synthetic.program import at
from codelaw.corpora.synthetic.program import builtin
from codelaw.corpora.synthetic.program import length
from codelaw.corpora.synthetic.program import lift

BOOL, CHAR, INT, INTS = program.BOOL, program.CHAR, program.INT, program.INTS
TEXT, TEXTS = program.TEXT, program.TEXTS


def _draw_graph(rng: random.Random) -> tuple[list[int], int]:
  size = rng.randint(4, 8)
  edges: list[int] = []
  for _ in range(rng.randint(3, size + 2)):
    edges += rng.sample(range(size), 2)
  return edges, size


def _names(rng: random.Random):
  edges = phrases.variable(rng, 'edges', INTS)
  size = phrases.variable(rng, 'limit', INT)
  index = phrases.variable(rng, 'index', INT)
  return edges, size, index, at(edges, index), at(edges, index + 1)


_INTRO = (
  'A list holds the edges of a graph, two nodes for each; the second argument'
  ' is the number of nodes, which are counted from 0.'
)


def reached(rng: random.Random) -> Draft:
  """The nodes that can be reached, found by passing marks along edges."""
  edges, size, index, one, two = _names(rng)
  marks = program.Variable(rng.choice(('marks', 'reached', 'visited')), INTS)
  node = phrases.variable(rng, 'node', INT)
  news = program.Variable(rng.choice(('changes', 'news', 'added')), INT)
  total = phrases.variable(rng, 'total', INT)
  output = phrases.variable(rng, 'output', INTS)
  start = rng.randint(0, 2)
  both = rng.random() < 0.5
  barred = phrases.condition(rng, two, True, 0)
  blocked = rng.random() < 0.5 and not both
  test = phrases.condition(rng, node, True)
  mark = (Put(marks, two, lift(1)), Update(news, '+', lift(1)))
  onward = at(marks, one).equals(1).also(at(marks, two).equals(0))
  if blocked:
    onward = onward.also(program.Not(barred.code))
  pass_on: list[program.Statement] = [If(onward, mark)]
  if both:
    back = at(marks, two).equals(1).also(at(marks, one).equals(0))
    pass_on += [
      If(back, (Put(marks, one, lift(1)), Update(news, '+', lift(1))))
    ]
  kind = rng.choice(('count', 'sum', 'list', 'unreached'))
  is_marked = at(marks, node).equals(0 if kind == 'unreached' else 1)
  step: program.Statement = {
    'count': Update(total, '+', lift(1)),
    'unreached': Update(total, '+', lift(1)),
    'sum': Update(total, '+', node * node if start else node),
    'list': Append(output, node),
  }[kind]
  words = {
    'count': 'the number of nodes that can be reached',
    'unreached': 'the number of nodes that cannot be reached',
    'sum': (
      'the sum of the squares of the nodes' if start else 'the sum of the nodes'
    )
    + ' that can be reached',
    'list': 'the list, in rising order, of the nodes that can be reached',
  }[kind]
  answer, empty = (
    (output, builtin('new_list', INTS)) if kind == 'list' else (total, lift(0))
  )
  body = [
    Declare(marks, builtin('filled', INTS, 0, size)),
    Put(marks, lift(start), lift(1)),
    Declare(news, lift(1)),
    While(
      news > 0,
      (
        Assign(news, lift(0)),
        Count(index, lift(0), length(edges) - 1, pass_on, 2),
      ),
    ),
    Declare(answer, empty),
    Count(node, lift(0), size, (If(is_marked.also(test.code), (step,)),)),
    Return(answer),
  ]
  ways = 'both ways' if both else 'from the first to the second node only'
  rule = (
    f' No edge may be used to nodes that {barred.words}.' if blocked else ''
  )
  statement = (
    f'{_INTRO} Edges lead {ways}.{rule} Return {words} from node {start} (with'
    f' itself) and {test.words}.'
  )
  name = phrases.title(
    [
      kind,
      'reached' if kind != 'unreached' else 'nodes',
      f'from_{start}',
      test.tag,
    ],
    7,
  )
  returns = INTS if kind == 'list' else INT
  function = Function(name, (edges, size), returns, body, statement)
  return Draft(statement, (function,), _draw_graph)


def distances(rng: random.Random) -> Draft:
  """The fewest edges between nodes, by a search in breadth."""
  edges, size, index, one, two = _names(rng)
  far = program.Variable(rng.choice(('far', 'steps_to', 'levels')), INTS)
  queue = phrases.variable(rng, 'queue', INTS)
  head = program.Variable(rng.choice(('head', 'front', 'served')), INT)
  node = phrases.variable(rng, 'node', INT)
  value = phrases.variable(rng, 'value', INT)
  total = phrases.variable(rng, 'total', INT)
  missing = -rng.randint(1, 3)
  start = rng.randint(0, 3)
  both = rng.random() < 0.5
  most = rng.randint(2, 4)
  limited = rng.random() < 0.4
  test = phrases.condition(rng, value, True)

  def visit(here: program.Expression, there: program.Expression):
    fresh = here.equals(node).also(at(far, there).equals(missing))
    return If(
      fresh,
      (Put(far, there, at(far, node) + 1), Append(queue, there)),
    )

  visits: list[program.Statement] = [visit(one, two)]
  if both:
    visits += [visit(two, one)]
  stop: list[program.Statement] = []
  if limited:
    stop = [If(at(far, node) >= most, (Break(),))]
  kind = rng.choice(('list', 'sum', 'farthest', 'count'))
  after: list[program.Statement] = []
  answer: program.Expression = total
  question = {
    'list': f'the list of the distances of all nodes, {missing} for those'
    ' without one',
    'sum': f'the sum of the distances that {test.words}',
    'farthest': 'the node with the greatest distance, the first of several',
    'count': f'how many distances {test.words}',
  }[kind]
  if kind == 'list':
    answer = far
  elif kind == 'farthest':
    after = [
      Declare(total, lift(start)),
      Count(
        node,
        lift(0),
        size,
        (If(at(far, node) > at(far, total), (Assign(total, node),)),),
      ),
    ]
    if start:
      question += f' (but node {start} if no other has one)'
  else:
    gain = value if kind == 'sum' else lift(1)
    after = [
      Declare(total, lift(0)),
      Each(
        value,
        far,
        (If((value >= 0).also(test.code), (Update(total, '+', gain),)),),
      ),
    ]
  body = [
    Declare(far, builtin('filled', INTS, missing, size)),
    Put(far, lift(start), lift(0)),
    Declare(queue, builtin('new_list', INTS)),
    Append(queue, lift(start)),
    Declare(head, lift(0)),
    While(
      head < length(queue),
      (
        Declare(node, at(queue, head)),
        Update(head, '+', lift(1)),
        *stop,
        Count(index, lift(0), length(edges) - 1, visits, 2),
      ),
    ),
    *after,
    Return(answer),
  ]
  ways = 'both ways' if both else 'from the first to the second node only'
  limit_words = (
    f' Nodes farther than {most} count as having none.' if limited else ''
  )
  statement = (
    f'{_INTRO} Edges lead {ways}. The distance of a node is the least number of'
    f' edges on a way to it from node {start}.{limit_words} Return {question}.'
  )
  name = phrases.title(
    [
      'distances',
      kind,
      f'from_{start}',
      test.tag if kind in ('sum', 'count') else f'within_{most}',
    ],
    7,
  )
  returns = INTS if kind == 'list' else INT
  function = Function(name, (edges, size), returns, body, statement)
  return Draft(statement, (function,), _draw_graph)


def groups(rng: random.Random) -> Draft:
  """Connected nodes, joined edge by edge."""
  edges, size, index, one, two = _names(rng)
  leader = program.Variable(rng.choice(('leader', 'parent', 'root_of')), INTS)
  node = phrases.variable(rng, 'node', INT)
  a = phrases.variable(rng, 'value', INT)
  b = phrases.variable(rng, 'other', INT)
  total = phrases.variable(rng, 'total', INT)
  count = phrases.variable(rng, 'count', INT)
  key = phrases.variable(rng, 'key', INT)
  counts = phrases.variable(rng, 'counts', program.INT_COUNTS)
  name = rng.choice(('find', 'find_root', 'follow'))
  place = program.Variable(rng.choice(('spot', 'here', 'at_node')), INT)
  if rng.random() < 0.5:
    find = Function(
      name,
      (leader, node),
      INT,
      [
        If(at(leader, node).equals(node), (Return(node),)),
        Return(Call(name, (leader, at(leader, node)), INT)),
      ],
      'Returns the node that stands for the group of a node.',
    )
  else:
    find = Function(
      name,
      (leader, node),
      INT,
      [
        Declare(place, node),
        While(
          at(leader, place).differs(place),
          (Assign(place, at(leader, place)),),
        ),
        Return(place),
      ],
      'Returns the node that stands for the group of a node.',
    )
  used = phrases.condition(rng, one + two, True)
  small = rng.random() < 0.5
  join = (
    [If(a < b, (Put(leader, b, a),), (If(b < a, (Put(leader, a, b),)),))]
    if small
    else [If(a.differs(b), (Put(leader, a, b),))]
  )
  kind = rng.choice(('number', 'largest', 'cycles', 'sizes'))
  test = phrases.condition(rng, count, True, 0)
  body: list[program.Statement] = [
    Declare(leader, builtin('new_list', INTS)),
    Count(node, lift(0), size, (Append(leader, node),)),
  ]
  if kind == 'cycles':
    body += [Declare(total, lift(0))]
    join = [
      If(a.equals(b), (Update(total, '+', lift(1)),), (Put(leader, a, b),))
    ]
  body += [
    Count(
      index,
      lift(0),
      length(edges) - 1,
      (
        If(
          used.code,
          (
            Declare(a, Call(name, (leader, one), INT)),
            Declare(b, Call(name, (leader, two), INT)),
            *join,
          ),
        ),
      ),
      2,
    )
  ]
  question = 'how many of these edges join nodes that were connected already'
  if kind == 'number':
    body += [
      Declare(total, lift(0)),
      Count(
        node,
        lift(0),
        size,
        (If(at(leader, node).equals(node), (Update(total, '+', lift(1)),)),),
      ),
    ]
    question = 'the number of groups of connected nodes'
  elif kind != 'cycles':
    again = builtin('get', INT, counts, key, 0) + 1
    step: program.Statement = Assign(
      total, builtin('larger', INT, total, count)
    )
    question = 'the size of the largest group of connected nodes'
    if kind == 'sizes':
      step = If(test.code, (Update(total, '+', lift(1)),))
      question = (
        f'how many groups of connected nodes have sizes that {test.words}'
      )
    body += [
      Declare(counts, builtin('new_counts', program.INT_COUNTS)),
      Count(
        node,
        lift(0),
        size,
        (
          Declare(key, Call(name, (leader, node), INT)),
          Put(counts, key, again),
        ),
      ),
      Declare(total, lift(0)),
      EachEntry(key, count, counts, (step,)),
    ]
  body += [Return(total)]
  statement = (
    f'{_INTRO} Use only edges whose two nodes have one of the sums that'
    f' {used.words}. Return {question}.'
  )
  title = phrases.title(['groups', kind, used.tag], 7)
  function = Function(title, (edges, size), INT, body, statement)
  return Draft(statement, (find, function), _draw_graph)


FAMILIES = (
  reached,
  distances,
  groups,
)
