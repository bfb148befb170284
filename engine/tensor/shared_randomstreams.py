"""Theano's `tensor.shared_randomstreams`: draws that go on by themselves."""

from engine.random import RandomStreams

__all__ = ["RandomStreams"]
