"""Exercises of notebook 08."""

from vae_lessons.exercises.source import Lesson

LESSON = Lesson("08", "", ())
