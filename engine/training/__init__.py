"""Training: what is to be trained, the loop that does it, and the ring that its costs go to."""

from engine.training.ring import Ring
from engine.training.spec import Minibatch, TrainingSpec
from engine.training.trainer import Trainer

__all__ = ["Minibatch", "Ring", "Trainer", "TrainingSpec"]
