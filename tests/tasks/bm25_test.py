"""BM25 is its equation."""

import math
import re

import numpy as np

from latentmem.tasks import bm25

TEXTS = ['The cat sat on the mat.', 'A dog and a cat', 'the THE the', '', 'Nobody here']


def by_the_equation(question, texts, k1=1.2, b=0.75):
  said = [re.findall('[a-z0-9]+', text.lower()) for text in texts]
  mean, scores = sum(map(len, said)) / len(said), []
  for words in said:
    score = 0.0
    for word in re.findall('[a-z0-9]+', question.lower()):
      df, tf = sum(word in other for other in said), words.count(word)
      idf = math.log(1 + (len(said) - df + 0.5) / (df + 0.5))
      score += idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b * len(words) / mean))
    scores.append(score)
  return scores


def test_scores_are_those_of_the_equation():
  rng = np.random.default_rng(0)
  many = [' '.join(rng.choice(list('abcdefgh'), rng.integers(1, 30))) for _ in range(40)]
  for texts, questions in ((TEXTS, ('cat', 'the cat the', 'unknown', '')), (many, ('a b', 'c c c d', 'h'))):
    ranking = bm25.Ranking(texts)
    for question in questions:
      want = by_the_equation(question, texts)
      np.testing.assert_allclose(ranking.scores(question), want, rtol=1e-12)
      assert ranking.best(question) == sorted(range(len(texts)), key=lambda i, want=want: -want[i])


def test_the_best_come_first_and_equals_in_their_order():
  ranking = bm25.Ranking(TEXTS)
  assert ranking.best('dog')[0] == 1 and ranking.best('unknown') == [0, 1, 2, 3, 4]
  assert ranking.best('cat', 2) == [1, 0]


def test_nothing_to_rank_ranks_nothing():
  assert bm25.Ranking([]).best('cat') == [] and bm25.Ranking(['', '']).best('cat') == [0, 1]


def test_recall_is_the_share_found():
  assert bm25.recall_at([4, 2, 0, 1], [2, 1], 2) == 0.5
  assert bm25.recall_at([4, 2, 0, 1], [2, 1], 4) == 1
  assert bm25.recall_at([4, 2], [1], 5) == 0
