"""A needle in a haystack: one sentence tells a key's value, long before the question for it.

    A special magic number is hidden within the following text. ...
    The grass is green. The sky is blue. One of the special magic numbers for shy-otter is: 4071936. The sun ...
    What is the special magic number for shy-otter mentioned in the provided text? The ... text is 4071936

RULER's single needles (Hsieh et al. 2024, arXiv 2404.06654), in bytes instead of a tokenizer's tokens:

    form      RULER      haystack                        value
    passkey   single_1   five sentences over and over    a number of 7 digits
    number    single_2   essays                          a number of 7 digits
    uuid      single_3   essays                          a UUID

Keys are an adjective and a noun. RULER puts the needle at one of 40 depths, even from 0 to 100 %, between two
sentences. Unlike RULER, which adds whole sentences up to the length, the haystack is cut to fill the length to the
byte; and the needle may stand between any two of the five sentences, not only after all five: 512 bytes hold no more
than two rounds of them.

Asked are the bytes of the value and nothing else. Where every one is right under teacher forcing, greedy decoding
writes the value, which is RULER's string match.
"""

import dataclasses
import functools
import glob
import pathlib
import re
from typing import ClassVar
import uuid

import numpy as np

from latentmem.base.errors import check_known, InputError
from latentmem.tasks import answers, interface

NOISE = 'The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again.\n'
HEAD = ('A special magic {what} is hidden within the following text. Make sure to memorize it. '
        'I will quiz you about the {what} afterwards.\n')
NEEDLE = 'One of the special magic {what}s for {key} is: {value}.'
QUESTION = '\nWhat is the special magic {what} for {key} mentioned in the provided text?'
ANSWER = ' The special magic {what} for {key} mentioned in the provided text is '
DEPTHS = np.round(np.linspace(0, 100, 40)) / 100

FORMS = ('passkey', 'number', 'uuid')
PROMPTS = ('full', 'short')

ADJECTIVES = '''
  able bold brave brief bright broad calm clean clever cold cool curly damp dark deep dry early easy faint fair
  fancy fast fine firm flat fresh gentle glad grand green happy heavy humble kind large late light lively long
  loud lucky mellow mild neat noble old pale plain polite proud quick quiet rapid rare ripe rough round shy
  silent slow small smooth soft solid sour steady steep stiff sweet swift tall tame tiny tough vast warm wide
  wild wise young
'''.split()
NOUNS = '''
  acorn anchor apple badger basket beacon bridge bucket button cabin candle canyon carpet castle cedar cherry
  cloud comet copper coral cradle crystal desert dolphin dragon eagle engine feather fiddle forest fountain
  garden glacier hammer harbor helmet island ivory jacket jungle kettle ladder lantern lemon lizard magnet maple
  marble meadow mirror needle ocean orchard otter paddle pebble pepper pigeon pillow planet pocket rabbit river
  rocket saddle sailor shadow silver spider sponge stable summit temple thunder tiger timber tunnel turtle
  valley velvet violin walnut window winter
'''.split()


@dataclasses.dataclass(frozen=True)
class Needle(interface.Base):
  """One needle. Tokens are bytes.

  Attributes:
    length: Bytes read: haystack, needle, question and all but the answer's last byte. Trained at one, tested at longer.
    form: 'passkey', 'number' or 'uuid'.
    shortest: Training examples are of every length from here to `length`, the rest padded behind the answer, so that
      depths and distances vary; 0 fills `length` always, as held-out ones do.
    depth: Where the needle stands, 0 (first) to 1 (last); below 0 draws one of RULER's 40 depths.
    prompt: 'full' is RULER's; 'short' leaves out the instruction and the question, and keeps the answer's prefix.
    haystack: For number and uuid: a text file, a folder of .txt files or a pattern; '' takes the five sentences.
  """

  length: int = 512
  form: str = 'passkey'
  shortest: int = 0
  depth: float = -1.0
  prompt: str = 'full'
  haystack: str = ''

  vocab: ClassVar[int] = 256

  def __post_init__(self):
    for name, choices in (('form', FORMS), ('prompt', PROMPTS)):
      check_known(getattr(self, name), choices, 'needle', name)
    if self.depth > 1:
      raise InputError(f'needle takes a depth from 0 to 1, or below 0 for any; it got {self.depth}.')
    if self.form == 'passkey' and self.haystack:
      raise InputError(f'A passkey lies in the five sentences, so it takes no haystack; it got {self.haystack!r}. '
                       "form='number' is the same in a haystack of essays.")
    if self.length < self.least or (self.shortest and not self.least <= self.shortest <= self.length):
      raise InputError(f'A {self.form} with the {self.prompt} prompt needs at least {self.least} bytes, and shortest '
                       f'at most length; length is {self.length}, shortest is {self.shortest}.')

  @property
  def drawn_from(self):
    return essay_text(self.haystack).encode() if self.haystack else b''

  @property
  def what(self) -> str:
    return 'uuid' if self.form == 'uuid' else 'number'

  @functools.cached_property
  def least(self) -> int:
    """Bytes that any key and value fit in, with a haystack of one round of the five sentences."""
    key = max(ADJECTIVES, key=len) + '-' + max(NOUNS, key=len)
    head, needle, tail, answer = self._parts(key, '0' * (36 if self.form == 'uuid' else 7))
    return len(head + needle + tail + answer) + len(NOISE)

  @functools.cached_property
  def hay(self) -> tuple[np.ndarray, np.ndarray, bytes]:
    """Bytes of the haystack (more than an example's), where its sentences begin, and what parts needle and hay."""
    essays = essay_text(self.haystack) if self.haystack else ''
    text = (essays or NOISE).encode()
    text *= 1 + (self.length - 1) // len(text) + bool(essays)
    starts = [m.end() for m in re.finditer(rb'[.?!]["\')\]]*\s+', text)]
    return np.frombuffer(text, np.uint8), np.asarray([0, *starts]), b' ' if essays else b'\n'

  def _parts(self, key: str, value: str) -> tuple[bytes, bytes, bytes, bytes]:
    """head, needle, question up to the value, value."""
    head = HEAD if self.prompt == 'full' else ''
    tail = QUESTION + ANSWER if self.prompt == 'full' else '\n' + ANSWER[1:]
    say = lambda text: text.format(what=self.what, key=key, value=value).encode()
    return say(head), say(NEEDLE), say(tail), value.encode()

  def hardest(self):
    return dataclasses.replace(self, shortest=0)

  def draw(self, rng):
    key = ADJECTIVES[rng.integers(len(ADJECTIVES))] + '-' + NOUNS[rng.integers(len(NOUNS))]
    value = (str(uuid.UUID(bytes=rng.bytes(16), version=4)) if self.form == 'uuid'
             else str(rng.integers(10 ** 6, 10 ** 7)))
    size = int(rng.integers(self.shortest, self.length + 1)) if self.shortest else self.length
    depth = self.depth if self.depth >= 0 else float(rng.choice(DEPTHS))
    head, needle, tail, answer = self._parts(key, value)

    hay, starts, between = self.hay
    room = size + 1 - len(head) - len(needle) - len(between) - len(tail) - len(answer)
    first = int(rng.choice(starts[starts <= len(hay) - room])) if self.haystack else 0
    text = hay[first:first + room].tobytes()
    gaps = starts[(starts >= first) & (starts < first + room)] - first
    # The end of the hay is a gap too: depth 1 puts the needle there.
    at = int(np.append(gaps, room)[int(len(gaps) * depth)])
    middle = text[:at] + needle + between + text[at:] if at < room else text + between + needle
    return self._example(head + middle + tail + answer, len(answer))

  def _example(self, document: bytes, answer: int) -> interface.Example:
    """The document but its last byte, and its last `answer` bytes as what is asked."""
    read = len(document) - 1
    tokens_T, targets_T = np.zeros((2, self.length), np.int32)
    tokens_T[:read] = np.frombuffer(document, np.uint8)[:-1]
    targets_T[read - answer:read] = np.frombuffer(document, np.uint8)[-answer:]
    weights_T = np.zeros(self.length, np.float32)
    weights_T[read - answer:read] = 1
    return interface.Example(tokens_T, targets_T, weights_T)

  def scorer(self):
    return answers.Answers()


@functools.lru_cache(maxsize=4)
def essay_text(path: str) -> str:
  """The texts at `path` (a file, a folder of .txt files, a pattern), white space made single. Raises InputError."""
  place = pathlib.Path(path)
  files = sorted(place.rglob('*.txt')) if place.is_dir() else [place] if place.is_file() else sorted(
      pathlib.Path(p) for p in glob.glob(path, recursive=True) if pathlib.Path(p).is_file())
  if not files:
    raise InputError(f'No text for a haystack at {path!r}; a text file, a folder of .txt files or a pattern would do.')
  try:
    text = ' '.join(' '.join(f.read_text('utf-8').split()) for f in files)
  except (UnicodeDecodeError, OSError) as e:
    raise InputError(f'The haystack at {path!r} cannot be read as UTF-8 text: {e}.') from e
  if not text:
    raise InputError(f'The haystack at {path!r} has no words in it.')
  return text + ' '
