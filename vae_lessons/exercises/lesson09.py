"""Exercises of notebook 09."""

from vae_lessons.exercises.source import Lesson

LESSON = Lesson("09", "", ())
