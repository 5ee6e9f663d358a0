"""Lesson 05: for each claim the wrong code it must catch, and the sentences with numbers."""

from tests.lessons import Wrong

WRONG: list[Wrong] = []
SENTENCES: dict[str, str] = {}
