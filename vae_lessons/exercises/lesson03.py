"""Exercises of notebook 03."""

from vae_lessons.exercises.source import Lesson

LESSON = Lesson("03", "", ())
