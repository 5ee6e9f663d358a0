"""Exercises of notebook 02."""

from vae_lessons.exercises.source import Lesson

LESSON = Lesson("02", "", ())
