"""Exercises of notebook 06."""

from vae_lessons.exercises.source import Lesson

LESSON = Lesson("06", "", ())
