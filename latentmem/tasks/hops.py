"""Questions of several hops over facts that have been read: from this entity, h facts on, where does one arrive?

    a>b ...: rings a -> b -> c -> ... -> a, each arrow a fact of two tokens
    c d  f a  a b  e f  b c  d e     ?1 a  ?3 c  ?2 f ...     read
    .  .  .  .  .  .  .  .  . .  .      b     f     b ...     asked, at the entity; no answer is shown

Facts come in any order, entities are drawn anew for every example, and every entity of the document is once the start
of an arrow and once its end. So nothing but following the arrows tells where they lead: who answers with any of the
document's entities but the one that is asked about is right in 1 / (S L - 1) of cases, for every h. The rings that a
question is not about are its distractors. Question i asks for 1 + i mod H hops.

N tokens, E entities, S rings of L links each, Q questions, H hops at most.
"""

import dataclasses

import numpy as np

from latentmem.base.errors import InputError
from latentmem.tasks import answers, interface


@dataclasses.dataclass(frozen=True)
class Hops(interface.Base):
  """Stored facts, then questions.

  Attributes:
    entities: E; tokens 0 to E - 1.
    rings: S.
    links: L, 2 H or more: in a shorter ring arrows read backwards lead to an answer in fewer hops than were asked.
    hops: H; ?h is token E + h - 1.
    questions: Q, a multiple of H.
    gap: Tokens between facts and questions, entities of no fact: what keeps windows from reaching the facts.
    fewest: Training examples ask for 1 to h hops, h any number from here to H, each as often; 0 for H always, as in
      held-out ones.
  """

  entities: int = 64
  rings: int = 2
  links: int = 8
  hops: int = 4
  questions: int = 8
  gap: int = 0
  fewest: int = 0

  def __post_init__(self):
    for name in ('rings', 'hops', 'questions'):
      if getattr(self, name) < 1:
        raise InputError(f'hops needs {name} of 1 or more, not {getattr(self, name)}.')
    if self.links < 2 * self.hops:
      raise InputError(f'hops of up to {self.hops} need links of {2 * self.hops} or more, or arrows read backwards are '
                       f'the shorter way; it got links={self.links}.')
    if self.questions % self.hops:
      raise InputError(f'hops asks for each number of hops as often; questions={self.questions} is no multiple of '
                       f'{self.hops}.')
    if self.gap < 0 or self.entities < self.facts + (self.gap > 0):
      raise InputError(f'hops of {self.rings} rings of {self.links} needs entities of {self.facts + (self.gap > 0)} or '
                       f'more and a gap of 0 or more; it got entities={self.entities}, gap={self.gap}.')
    if not 0 <= self.fewest <= self.hops:
      raise InputError(f'hops takes a fewest of 0 to hops={self.hops}, not {self.fewest}.')

  @property
  def facts(self) -> int:
    """S L."""
    return self.rings * self.links

  @property
  def vocab(self) -> int:
    """E + H."""
    return self.entities + self.hops

  @property
  def length(self) -> int:
    """N: two tokens a fact, the gap, two tokens a question."""
    return 2 * self.facts + self.gap + 2 * self.questions

  @property
  def chance(self) -> float:
    """Accuracy of any entity of the document but the one that is asked about."""
    return 1 / (self.facts - 1)

  def hardest(self):
    return dataclasses.replace(self, fewest=0)

  def draw(self, rng):
    return self._up_to(self.hops, rng)

  def draw_at(self, rng, i):
    return self._up_to(int(rng.integers(self.fewest, self.hops + 1)), rng) if self.fewest else self.draw(rng)

  def _up_to(self, most: int, rng: np.random.Generator) -> interface.Example:
    """An example that asks for 1 to `most` hops."""
    drawn = rng.permutation(self.entities)
    ring_SL, others = drawn[:self.facts].reshape(self.rings, self.links), drawn[self.facts:]
    arrows_F2 = np.stack([ring_SL, np.roll(ring_SL, -1, axis=1)], -1).reshape(-1, 2)
    asked_Q = rng.choice(self.facts, self.questions, replace=self.questions > self.facts)
    hops_Q = 1 + np.arange(self.questions) % most
    row_Q, place_Q = np.divmod(asked_Q, self.links)
    questions_Q2 = np.stack([self.entities + hops_Q - 1, ring_SL[row_Q, place_Q]], -1)
    between = rng.choice(others, self.gap) if self.gap else others[:0]
    tokens_T = np.concatenate([rng.permutation(arrows_F2).ravel(), between, questions_Q2.ravel()]).astype(np.int32)
    targets_T, weights_T = np.zeros(self.length, np.int32), np.zeros(self.length, np.float32)
    says = slice(self.length - 2 * self.questions + 1, None, 2)
    targets_T[says], weights_T[says] = ring_SL[row_Q, (place_Q + hops_Q) % self.links], 1
    return interface.Example(tokens_T, targets_T, weights_T)

  def scorer(self):
    return ByHops(self.entities, self.hops)


class ByHops(answers.Answers):
  """The scores of `Answers`, and the accuracy of questions of each number of hops: `accuracy_1`, `accuracy_2`, ..."""

  def __init__(self, entities: int, hops: int):
    super().__init__()
    self._entities, self._hops = entities, hops
    self._last_B1 = np.zeros((0, 1), int)

  def add(self, batch, nats_BT, predicted_BT=None):
    super().add(batch, nats_BT, predicted_BT)
    tokens_BT, asked_BT = np.asarray(batch['tokens_BT']), np.asarray(batch['weights_BT']) > 0
    if len(self._last_B1) != len(tokens_BT):
      self._last_B1 = np.zeros((len(tokens_BT), 1), int)
    # A question's number of hops stands before it, in the batch before where it begins one.
    hops_BT = np.concatenate([self._last_B1, tokens_BT[:, :-1]], 1) - self._entities
    self._last_B1 = tokens_BT[:, -1:]
    right_BT = np.asarray(predicted_BT) == np.asarray(batch['targets_BT'])
    tally = lambda which_BT: np.bincount(hops_BT[which_BT], minlength=self._hops)
    self.count(asked_by_hops=tally(asked_BT), right_by_hops=tally(asked_BT & right_BT))

  def result(self):
    empty = np.zeros(self._hops)
    right_H, asked_H = (self.counts.get(name, empty) for name in ('right_by_hops', 'asked_by_hops'))
    return super().result() | {f'accuracy_{h + 1}': interface.ratio(right_H[h], asked_H[h]) for h in range(self._hops)}
