"""Slides and narration made into a video: rendering, captions, measuring. ffmpeg and PyAV."""
