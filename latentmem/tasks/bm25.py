"""BM25: texts in the order of what they have in common with a question.

    score(q, d) = sum over words w of q of  idf(w) tf(w, d) (k1 + 1) / (tf(w, d) + k1 (1 - b + b |d| / mean |d|))
    idf(w) = log(1 + (n - df(w) + 1/2) / (df(w) + 1/2))

k1 = 1.2, b = 0.75 (Robertson and Zaragoza 2009, section 3); words are runs of letters a-z and digits in lower case, not
stemmed, none left out; a word that q says twice counts twice. n texts, df of them with the word, tf times in one.
"""

import collections
import re

import numpy as np

K1, B = 1.2, 0.75


def words_of(text: str) -> list[str]:
  return re.findall('[a-z0-9]+', text.lower())


class Ranking:
  """Texts that can be asked for."""

  def __init__(self, texts: list[str], k1: float = K1, b: float = B):
    said = [words_of(text) for text in texts]
    lengths_N = np.asarray([len(words) for words in said], np.float64)
    self.count = len(texts)
    norm_N = k1 * (1 - b + b * lengths_N / max(lengths_N.mean(), 1)) if texts else lengths_N
    places = collections.defaultdict(list)
    for i, words in enumerate(said):
      for word, times in collections.Counter(words).items():
        places[word].append((i, times))
    self._gains = {}
    for word, found in places.items():
      at, tf = np.asarray(found).T
      idf = np.log(1 + (self.count - len(at) + 0.5) / (len(at) + 0.5))
      self._gains[word] = at, idf * tf * (k1 + 1) / (tf + norm_N[at])

  def scores(self, question: str) -> np.ndarray:
    """[N], one a text."""
    scores_N = np.zeros(self.count)
    for word in words_of(question):
      if word in self._gains:
        at, gain = self._gains[word]
        scores_N[at] += gain
    return scores_N

  def best(self, question: str, k: int | None = None) -> list[int]:
    """Numbers of the k best texts (all of them), best first; of equals the earlier one."""
    return np.argsort(-self.scores(question), kind='stable')[:k].tolist()


def recall_at(ranked: list[int], wanted: list[int], k: int) -> float:
  """Share of the wanted texts among the first k of a ranking."""
  return len({*ranked[:k]} & {*wanted}) / len({*wanted})
