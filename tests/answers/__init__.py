"""Answers beside the known mistakes: right ones written in an unusual way, and wrong ones that once passed or were told nonsense.

Each module has `RIGHT` and `WRONG`: for an exercise's name, what stands in the learner's cell.
"""
