"""What is left for the eye at a run's end: a sample, a passage with its surprise, and the report.

sample.txt, passage.json, report.html and figures/ in the run's folder, each whole.
"""

import numpy as np

from latentmem.base import records
from latentmem.session.sample import Sampler
from latentmem.session.session import Session
from latentmem.train import passage

PROMPT, LENGTH = 64, 512


def write(run: records.Run, model, params, source) -> None:
  """Writes all of them; a source that is no text gets the report alone. `params` lie whole on one device."""
  if hasattr(source, 'decode'):
    run.write('sample.txt', sample(model, params, source, run.config['seed']))
    read = passage.record(model, params, source)
    if read is not None:
      run.write('passage.json', read)
  # Figures take a while to import, which a mistyped flag should not wait for.
  from latentmem.study import report
  report.write(run.path)


def sample(model, params, source, seed: int) -> str:
  """The beginning of a held-out document, and what the model goes on with."""
  tokens = passage.heldout_tokens(source, PROMPT, model.align)
  live = Session(model, params)
  live.feed(tokens)
  drawn = list(live.generate(LENGTH, Sampler(temperature=0.8, top_p=0.95), seed))
  return source.decode(np.concatenate([tokens, drawn]))
