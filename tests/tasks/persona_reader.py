"""Answers questions about generated persons from the words of their history alone, by patterns."""

import collections
import re

from latentmem.tasks import persona_words as words

V = r'(\w+ \w+)'
BECAUSE = r'(?: because it is (\w+))? \.'
# What a sentence says: (kind, names of its groups in order).
PATTERNS = [(re.compile(f'{pattern}'), names.split()) for pattern, names in (
    (rf'i like {V} as my (\w+){BECAUSE}', 'like value topic reason'),
    (rf'for (\w+) i chose {V}{BECAUSE}', 'like topic value reason'),
    (rf'i changed from {V} to {V} as my (\w+){BECAUSE}', 'like old value topic reason'),
    (rf'i no longer like {V} , my (\w+) is now {V}{BECAUSE}', 'like old topic value reason'),
    (rf'for (\w+) i tried {V} and did not enjoy it{BECAUSE}', 'tried topic value reason'),
    (rf'i have tried {V} for (\w+) and did not like it{BECAUSE}', 'tried value topic reason'),
    (rf'my (\w+) likes {V} for (\w+){BECAUSE}', 'other holder value topic reason'),
    (rf'the (\w+) my (\w+) likes best is {V}{BECAUSE}', 'other topic holder value reason'),
    (r'my (\w+) is (\w+) \.', 'has topic value'), (r'the (\w+) of my (\w+) is (\w+) \.', 'has topic holder value'),
    (r'in (\w+) i will travel to (\w+) \.', 'plan holder value'))]


def facts(history: str):
  """(what, its groups by name) of each sentence of the user's that states something."""
  for sentence in re.findall(r'<user> (.*?) (?=<|$)', history + ' <'):
    for pattern, (kind, *names) in PATTERNS:
      if found := pattern.fullmatch(sentence):
        yield kind, collections.defaultdict(str, zip(names, found.groups()))


def answer(history: str, question: str, options: list[str]) -> int:
  """Which option is right. `history` and `question` are words parted by spaces."""
  liked, tried, has, told = (collections.defaultdict(list) for _ in range(4))
  for kind, said in facts(history):
    if kind == 'like':
      assert said['old'] in ('', *(value for value, _ in liked[said['topic']][-1:]))
      liked[said['topic']].append((said['value'], said['reason']))
    elif kind == 'tried':
      tried[said['topic']].append((said['value'], said['reason']))
    elif kind in ('has', 'plan'):
      has[said['topic'], said['holder']].append(said['value'])
    told[said['topic']].append(said['value'])
  topic = next((word for word in question.split() if word in words.ITEMS), None)
  opens = question.split()[0]
  if opens in ('how', 'describe'):
    want = ' then '.join(value.split()[1] for value, _ in liked[topic])
  elif opens in ('what', 'name'):
    asked = next(word for word in question.split() if word in words.VALUES)
    want, = has[asked, next((word for word in question.split() if word in words.RELATIONS), '')]
  elif opens in ('why', 'explain'):
    pick = tried[topic][-1] if 'tried' in question else liked[topic][-2 if 'before' in question else -1]
    want = pick[1]
  elif opens in ('suggest', 'find'):
    kind = liked[topic][-1][0].split()[0]
    want, = [option for option in options if option not in told[topic] and option.split()[0] == kind]
  elif opens in ('given', 'considering'):
    kind = liked[topic][-1][0].split()[0]
    want, = [option for option in options if option.split()[0] == kind]
  elif opens in ('recommend', 'pick'):
    want = liked[topic][-1][0]
  elif topic:
    want = liked[topic][-2][0]
  else:
    want, = has['', next(word for word in question.split() if word in words.MONTHS)]
  return options.index(want)
