"""Let a language model judge two checkpoints: pairwise win rates.

Both answer the same prompts; a judge behind any OpenAI-compatible endpoint sees
each pair in both orders. A prompt is won only if both orders say so; orders
that disagree are a tie. Answers and replies are kept on disk: an evaluation
that was interrupted goes on where it was, and nothing is paid for twice.
`--answers` and `--baseline_answers` take files of other systems' answers, JSON
lines with `prompt` and `answer`. Gin sets JudgeSettings, JudgeInstructions,
RequestPolicy (retries, requests per minute), AnswerSettings and Sampling.
"""

import argparse
from collections.abc import Sequence
import dataclasses
import os

import codelaw
from codelaw import errors
from codelaw import scores as scores_lib
from codelaw import storage
from codelaw.cli import gin_config
from codelaw.cli import judge_systems
from codelaw.cli import judge_view
from codelaw.cli import progress
from codelaw.evaluation import judge
from codelaw.evaluation import judge_answers
from codelaw.evaluation import judge_asking
from codelaw.evaluation import judge_cache
from codelaw.evaluation import judge_client
from codelaw.evaluation import judge_cost
from codelaw.evaluation import judge_http
from codelaw.evaluation import judge_instructions
from codelaw.evaluation import language_model

EXAMPLE = (
  'codelaw judge --model_dir=results/quickstart/next_run'
  ' --baseline=results/imported --endpoint=http://127.0.0.1:8000/v1'
  ' --judge_model=JUDGE --price_in=2 --price_out=8 --out=generated/judge'
  ' --estimate_only'
)


@dataclasses.dataclass(frozen=True)
class Judging:
  """What gin sets of `codelaw judge`.

  Attributes:
    judge: how it is asked.
    answers: how checkpoints answer.
  """

  judge: judge_asking.JudgeSettings
  answers: judge_answers.AnswerSettings


PARTS = (
  judge_asking.JudgeSettings,
  judge_instructions.JudgeInstructions,
  judge_client.RequestPolicy,
  judge_answers.AnswerSettings,
  language_model.Sampling,
)
_DEFAULTS = (
  'Judging.judge = @JudgeSettings()',
  'Judging.answers = @AnswerSettings()',
  'JudgeSettings.instructions = @JudgeInstructions()',
  'JudgeSettings.policy = @RequestPolicy()',
  'AnswerSettings.sampling = @Sampling()',
  f'Sampling.stop = {list(judge_answers.AnswerSettings().sampling.stop)!r}',
)


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Adds this verb's flags."""
  judge_systems.add_flags(parser)
  parser.add_argument(
    '--prompts',
    metavar='FILE',
    help='JSON lines with the prompts (default: open-ended ones of codelaw)',
  )
  parser.add_argument(
    '--prompt_column',
    default='prompt',
    metavar='NAME',
    help='of the prompts (default prompt)',
  )
  parser.add_argument(
    '--num_prompts', type=int, metavar='N', help='take the first N alone'
  )
  parser.add_argument(
    '--endpoint',
    required=True,
    metavar='URL',
    help='of the judge, like https://HOST/v1; what follows is'
    ' /chat/completions',
  )
  parser.add_argument(
    '--judge_model', required=True, metavar='NAME', help='as the endpoint says'
  )
  parser.add_argument(
    '--api_key_variable',
    metavar='NAME',
    help='environment variable that holds the API key (default: no key is'
    ' sent)',
  )
  parser.add_argument(
    '--instructions',
    metavar='FILE',
    help='text for the judge instead of ours, with {prompt}, {first} and'
    ' {second}; it must ask for a last line that is A, B or tie',
  )
  for flag, what in (('in', 'is sent'), ('out', 'comes back')):
    parser.add_argument(
      f'--price_{flag}',
      type=float,
      metavar='PRICE',
      help=f'per million tokens of what {what}',
    )
  parser.add_argument(
    '--max_cost',
    type=float,
    default=float('inf'),
    metavar='COST',
    help='do not start above this, and stop there (default: no limit)',
  )
  parser.add_argument(
    '--estimate_only',
    action='store_true',
    help='show requests, tokens and cost; generate and send nothing',
  )
  parser.add_argument(
    '--seed',
    type=int,
    default=0,
    metavar='N',
    help='of the bootstrap (default 0)',
  )
  parser.add_argument(
    '--out',
    required=True,
    metavar='DIR',
    help='folder for result, verdicts and replies',
  )


def run(args: argparse.Namespace) -> None:
  """Estimates, generates, asks, writes and prints."""
  settings = gin_config.load(args, Judging, PARTS, defaults=_DEFAULTS)
  if args.instructions is not None:
    settings = _with_instructions(settings, args.instructions)
  prices = judge_cost.Prices(args.price_in, args.price_out, args.max_cost)
  endpoint = judge_http.Endpoint(args.endpoint)
  if args.num_prompts is not None and args.num_prompts < 1:
    raise errors.UserError(
      f'--num_prompts must be at least 1, got {args.num_prompts}.'
    )
  prompts = judge_answers.read_prompts(
    args.prompts, args.prompt_column, args.num_prompts
  )
  systems = [
    judge_systems.find(args, what, prompts, settings.answers)
    for what in ('model', 'baseline')
  ]
  if systems[0].answers == systems[1].answers:
    raise errors.UserError(
      f'{systems[0].name} is the model and the baseline; give another step or'
      ' another run.'
    )
  cache = judge_cache.ReplyCache(storage.path(args.out) / 'replies')
  asked = judge_asking.Judge(args.judge_model, settings.judge, cache)
  if args.estimate_only:
    _estimate(asked, systems, prompts, settings, prices)
    return
  key = _api_key(args.api_key_variable)
  with storage.exclusive(args.out):
    _judge(args, settings, systems, prompts, asked, prices, endpoint, key)


def _judge(
  args: argparse.Namespace,
  settings: Judging,
  systems: Sequence[judge_systems.System],
  prompts: Sequence[str],
  asked: judge_asking.Judge,
  prices: judge_cost.Prices,
  endpoint: judge_http.Endpoint,
  key: str,
) -> None:
  with progress.Progress('judge') as display:
    client = judge_client.Client(
      endpoint, key, settings.judge.policy, note=display.note
    )
    for system in systems:
      system.write(prompts, settings.answers, display.note)
    estimate = _estimate(asked, systems, prompts, settings, prices)
    judge_cost.check(estimate, prices)
    spending = judge_cost.Spending(prices)
    outcomes = asked.ask(
      _questions(systems, prompts, settings), client, spending, display
    )
  orders = list(zip(outcomes[::2], outcomes[1::2], strict=True))
  judgements = [judge.Judgement(a.verdict, b.verdict) for a, b in orders]
  # Before what may refuse to be added up, so that there is something to see.
  judge_answers.write(
    storage.path(args.out) / 'verdicts.jsonl',
    _verdict_rows(prompts, systems, orders, judgements),
  )
  comparison = judge.compare(judgements, args.seed)
  model, baseline = systems
  storage.write_json(
    storage.path(args.out) / 'judge.json',
    {
      'model': model.name,
      'step': model.step if model.model_dir else None,
      'baseline': baseline.name,
      'judge_model': args.judge_model,
      'endpoint': endpoint.shown,
      'prompts_fingerprint': storage.fingerprint(prompts),
      'settings': dataclasses.asdict(settings),
      'comparison': dataclasses.asdict(comparison),
      'bootstrap_seed': args.seed,
      'num_questions': estimate.num_questions,
      'num_requests': spending.num_requests,
      'num_retries': client.num_retries,
      'num_unanswered': sum(bool(a.fault) for a in outcomes),
      'prompt_tokens': spending.prompt_tokens,
      'completion_tokens': spending.completion_tokens,
      'cost': spending.cost,
      'codelaw_version': codelaw.__version__,
    },
  )
  if model.model_dir is not None:
    scores_lib.write(
      model.model_dir, model.step, judge.scores(comparison, baseline.name)
    )
  judge_view.print_comparison(
    comparison,
    (model.name, baseline.name),
    args.judge_model,
    spending,
    client.num_retries,
  )
  print(f'{args.out}: judge.json, verdicts.jsonl')
  faults = sorted({a.fault for a in outcomes if a.fault})
  if faults:
    print(
      f'{sum(bool(a.fault) for a in outcomes)} questions were not answered'
      f' ({faults[0]}); the same command asks them again, and no others.'
    )


def _with_instructions(settings: Judging, file: str) -> Judging:
  try:
    text = storage.path(file).read_text()
  except (OSError, UnicodeDecodeError) as error:
    raise errors.UserError(f'--instructions: {error}.') from error
  instructions = dataclasses.replace(settings.judge.instructions, text=text)
  return dataclasses.replace(
    settings,
    judge=dataclasses.replace(settings.judge, instructions=instructions),
  )


def _api_key(variable: str | None) -> str:
  if variable is None:
    return ''
  key = os.environ.get(variable, '')
  if not key:
    # A key given by mistake instead of a name must not be shown.
    raise errors.UserError(
      '--api_key_variable must name an environment variable that holds the'
      ' key; there is none of the given name, or it is empty.'
    )
  return key


def _questions(
  systems: Sequence[judge_systems.System],
  prompts: Sequence[str],
  settings: Judging,
) -> list[judge_instructions.Messages]:
  """Two of each prompt: the model's answer first, then the baseline's.

  Answers that are not there yet are as long as they may become, and differ.
  """
  longest = settings.answers.sampling.max_new_tokens
  answers = [
    judge_answers.read(system.answers, prompts)
    if system.is_written
    else [judge_cost.text_of(longest, letter)] * len(prompts)
    for letter, system in zip('xy', systems, strict=True)
  ]
  messages = settings.judge.instructions.messages
  return [
    messages(prompt, *pair)
    for prompt, one, other in zip(prompts, *answers, strict=True)
    for pair in ((one, other), (other, one))
  ]


def _estimate(
  asked: judge_asking.Judge,
  systems: Sequence[judge_systems.System],
  prompts: Sequence[str],
  settings: Judging,
  prices: judge_cost.Prices,
) -> judge_cost.Estimate:
  """Computes and prints what is still to be sent."""
  questions = _questions(systems, prompts, settings)
  found = judge_cost.estimate(
    asked.next_requests(questions),
    len(judge_asking.distinct(questions)[0]),
    settings.judge.max_tokens,
    prices,
  )
  judge_view.print_estimate(found, len(prompts))
  for system in systems:
    if not system.is_written:
      print(
        f'The answers of {system.name} at step {system.step:,} are not there'
        ' yet; they count as long as they may become.'
      )
  return found


def _verdict_rows(
  prompts: Sequence[str],
  systems: Sequence[judge_systems.System],
  orders: Sequence[tuple[judge_asking.Asked, judge_asking.Asked]],
  judgements: Sequence[judge.Judgement],
) -> list[dict[str, object]]:
  answers = [judge_answers.read(system.answers, prompts) for system in systems]
  return [
    {
      'prompt': prompt,
      'model_answer': ours,
      'baseline_answer': theirs,
      'outcome': judgement.outcome,
      'model_first': dataclasses.asdict(order[0]),
      'baseline_first': dataclasses.asdict(order[1]),
    }
    for prompt, ours, theirs, order, judgement in zip(
      prompts, *answers, orders, judgements, strict=True
    )
  ]
