"""One loop for every model.

`fields` and `evaluate_fields` are what a config records; `loop.train` is where training happens.
"""

from latentmem.train.settings import build, Evaluate, evaluate_fields, Train
from latentmem.train.settings import train_fields as fields

__all__ = ['build', 'Evaluate', 'evaluate_fields', 'fields', 'Train']
