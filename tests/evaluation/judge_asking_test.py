"""Questions to judges of several characters, over a real connection."""

import json
import signal
import threading

import pytest

from codelaw import errors
from codelaw.evaluation import judge
from codelaw.evaluation import judge_asking
from codelaw.evaluation import judge_cache
from codelaw.evaluation import judge_client
from codelaw.evaluation import judge_cost
from codelaw.evaluation import judge_http
from codelaw.evaluation import judge_instructions
from tests.evaluation import judge_server

INSTRUCTIONS = judge_instructions.JudgeInstructions()
# The model says `good` more often in the first two, the baseline in the third.
PAIRS = [('good good', 'good'), ('good', 'bad'), ('', 'good'), ('so', 'so')]
QUESTIONS = [
  INSTRUCTIONS.messages(f'prompt {index}', *order)
  for index, (ours, theirs) in enumerate(PAIRS * 3)
  for order in ((ours, theirs), (theirs, ours))
]
# Two equal answers ask the same in both orders.
NUM_DIFFERENT = len(QUESTIONS) - 3


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
  monkeypatch.setenv('no_proxy', '*')


class Asking:
  """A judge with a cache, asked as often as a test likes."""

  def __init__(self, folder, **settings):
    self.settings = judge_asking.JudgeSettings(**settings)
    self.judge = judge_asking.Judge(
      'judge', self.settings, judge_cache.ReplyCache(folder)
    )
    self.spending = judge_cost.Spending(judge_cost.Prices())
    self.reports = []

  def ask(self, server, questions=QUESTIONS, prices=None):
    self.spending = judge_cost.Spending(prices or judge_cost.Prices())
    client = judge_client.Client(
      judge_http.Endpoint(server.url),
      policy=self.settings.policy,
      clock=judge_server.FastClock(),
    )
    return self.judge.ask(
      questions, client, self.spending, lambda *r: self.reports.append(r)
    )


def outcomes(asked):
  return [
    judge.Judgement(one.verdict, other.verdict).outcome
    for one, other in zip(asked[::2], asked[1::2], strict=True)
  ]


def by_question(body):
  return json.dumps(body['messages'][0])


def test_a_right_judge(tmp_path):
  asking = Asking(tmp_path)
  with judge_server.serve(lambda n, body: judge_server.right(body)) as server:
    asked = asking.ask(server)
    assert outcomes(asked) == ['win', 'win', 'loss', 'tie'] * 3
    assert len(server.got) == NUM_DIFFERENT
    assert server.got[0].body['temperature'] == 0
    # A second evaluation costs nothing.
    assert asking.judge.next_requests(QUESTIONS) == []
    assert asking.ask(server) == asked
    assert len(server.got) == NUM_DIFFERENT
  assert asking.spending.num_requests == 0
  shares = [share for _, share in asking.reports]
  assert shares[:NUM_DIFFERENT] == sorted(shares[:NUM_DIFFERENT])
  assert shares[-1] == 1


def test_a_judge_that_likes_the_first_place(tmp_path):
  script = lambda n, body: judge_server.say('A')
  with judge_server.serve(script) as server:
    asked = Asking(tmp_path).ask(server)
  found = judge.compare(
    [
      judge.Judgement(one.verdict, other.verdict)
      for one, other in zip(asked[::2], asked[1::2], strict=True)
    ]
  )
  assert found.num_ties == 12
  assert found.first_place_share == 1
  assert found.rates['order_agreement'].value == 0


def test_a_judge_that_contradicts_itself_now_and_then(tmp_path):
  def script(n, body):
    if 'prompt 0\n' in body['messages'][0]['content']:
      return judge_server.say('B')
    return judge_server.right(body)

  with judge_server.serve(script) as server:
    asked = Asking(tmp_path).ask(server)
  assert (
    outcomes(asked)
    == ['tie', 'win', 'loss', 'tie']
    + [
      'win',
      'win',
      'loss',
      'tie',
    ]
    * 2
  )


def test_replies_without_a_verdict_are_asked_again(tmp_path):
  def script(n, body):
    said = len(body['messages']) // 2
    if said < 2:
      return judge_server.say(['I cannot say.', ''][said])
    return judge_server.right(body)

  with judge_server.serve(script) as server:
    asking = Asking(tmp_path)
    asked = asking.ask(server, QUESTIONS[:2])
    assert [len(a.replies) for a in asked] == [3, 3]
    assert outcomes(asked) == ['win']
    assert asking.spending.num_requests == len(server.got) == 6
    again = [g.body['messages'] for g in server.got][-1]
    assert again[-1]['content'] == INSTRUCTIONS.reminder


def test_a_judge_that_never_decides_counts_as_no_verdict(tmp_path):
  never = judge_server.say('Both have merits, A more than B.')
  with judge_server.serve(lambda n, body: never) as server:
    asking = Asking(tmp_path, num_asks=2)
    asked = asking.ask(server)
    assert {a.verdict for a in asked} == {None}
    assert {a.fault for a in asked} == {''}
    assert len(server.got) == 2 * NUM_DIFFERENT
    # It was asked as often as allowed: nothing is left to send.
    assert asking.judge.next_requests(QUESTIONS) == []


def test_many_faults_and_every_question_is_answered(tmp_path):
  seen, lock = {}, threading.Lock()
  faults = [
    judge_server.fail(429, Retry_After='1'),
    judge_server.CLOSE,
    judge_server.Send(body=b'{"choices"'),
    judge_server.fail(500),
    judge_server.Send(body=judge_server.say('A').body, missing=9),
  ]

  def script(n, body):
    with lock:
      tries = seen[by_question(body)] = seen.get(by_question(body), -1) + 1
    start = QUESTIONS.index(body['messages'])
    if tries < start % 6:
      return faults[(start + tries) % len(faults)]
    return judge_server.right(body)

  with judge_server.serve(script) as server:
    asked = Asking(tmp_path).ask(server)
  assert outcomes(asked) == ['win', 'win', 'loss', 'tie'] * 3


def test_a_question_that_is_never_answered_is_told_and_asked_next_time(
  tmp_path,
):
  def script(n, body):
    if body['messages'] == QUESTIONS[3]:
      return judge_server.fail(500)
    return judge_server.right(body)

  asking = Asking(tmp_path)
  with judge_server.serve(script) as server:
    asked = asking.ask(server)
  assert asked[3].verdict is None
  assert 'HTTP 500' in asked[3].fault
  assert outcomes(asked).count(None) == 1
  (body,) = asking.judge.next_requests(QUESTIONS)
  assert body['messages'] == QUESTIONS[3]


@pytest.mark.parametrize('how', ['ctrl_c', 'refused'])
def test_work_that_was_stopped_goes_on_and_repeats_nothing(tmp_path, how):
  main = threading.main_thread().ident
  under_way = threading.Barrier(3)

  def script(n, body):
    if n < 6:
      return judge_server.right(body)
    if n > 8:
      return judge_server.fail(400, 'nothing is to be sent any more')
    if n == 8 and how == 'ctrl_c':
      signal.pthread_kill(main, signal.SIGINT)
    under_way.wait(20)  # three at once: one ends the work, two are answered
    if n == 8 and how == 'refused':
      return judge_server.fail(400, 'refused')
    return judge_server.right(body)

  asking = Asking(tmp_path, num_threads=3)
  expected = KeyboardInterrupt if how == 'ctrl_c' else errors.UserError
  with judge_server.serve(script) as server:
    with pytest.raises(expected, match=None if how == 'ctrl_c' else 'refused'):
      asking.ask(server)
    # What was under way was waited for.
    answered = 9 if how == 'ctrl_c' else 8
    left = asking.judge.next_requests(QUESTIONS)
    assert len(left) == NUM_DIFFERENT - answered
    server.script = lambda n, body: judge_server.right(body)
    before = len(server.got)
    asked = asking.ask(server)
    sent = [by_question(got.body) for got in server.got[before:]]
  assert sorted(sent) == sorted(map(by_question, left))
  assert outcomes(asked) == ['win', 'win', 'loss', 'tie'] * 3


def test_a_second_ctrl_c_waits_for_nothing(tmp_path):
  main = threading.main_thread().ident
  interrupt = lambda: signal.pthread_kill(main, signal.SIGINT)

  def script(n, body):
    if n == 1:
      interrupt()
    return judge_server.HANG

  class Reports(list):
    def append(self, report):
      assert report[0].startswith('waits for the requests under way')
      threading.Timer(0.1, interrupt).start()

  asking = Asking(tmp_path, num_threads=2)
  asking.reports = Reports()
  others = threading.active_count()
  with judge_server.serve(script) as server:
    with pytest.raises(KeyboardInterrupt):
      asking.ask(server)
    assert not server.over.is_set()
    assert threading.active_count() > others + 2  # they still wait
  assert len(asking.judge.next_requests(QUESTIONS)) == NUM_DIFFERENT


def test_spending_more_than_the_limit_stops(tmp_path):
  asking = Asking(tmp_path, num_threads=1)
  prices = judge_cost.Prices(1e6, 0.0, 100.0)
  with judge_server.serve(lambda n, body: judge_server.right(body)) as server:
    with pytest.raises(errors.UserError, match='4 requests have cost 120'):
      asking.ask(server, prices=prices)
    assert len(server.got) == 4
  assert len(asking.judge.next_requests(QUESTIONS)) == NUM_DIFFERENT - 4


def test_the_fields_of_a_request():
  settings = judge_asking.JudgeSettings(
    temperature=None,
    max_tokens=9,
    max_tokens_field='max_completion_tokens',
    extra_fields={'seed': 3},
  )
  assert settings.body('m', []) == {
    'model': 'm',
    'messages': [],
    'max_completion_tokens': 9,
    'seed': 3,
  }


@pytest.mark.parametrize(
  'wrong',
  [
    {'max_tokens': 0},
    {'num_asks': 0},
    {'num_threads': 2.0},
    {'temperature': -1.0},
    {'extra_fields': {'messages': []}},
    {'extra_fields': {'stream': True}},
  ],
)
def test_settings_that_make_no_sense(wrong):
  (name,) = wrong
  with pytest.raises(errors.UserError, match=f'JudgeSettings.{name}'):
    judge_asking.JudgeSettings(**wrong)
