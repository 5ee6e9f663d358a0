"""Exercises of notebook 04."""

from vae_lessons.exercises.source import Lesson

LESSON = Lesson("04", "", ())
