"""Exercises of notebook 05."""

from vae_lessons.exercises.source import Lesson

LESSON = Lesson("05", "", ())
