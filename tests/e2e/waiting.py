"""Waiting for what will happen, never for time to pass."""
import time

POLL_SECONDS = 0.02


def until(condition, seconds, what):
    """The first true value of condition(); AssertionError with `what` (text, or a function that tells
    how things stand) if there is none within `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            text = what() if callable(what) else what
            raise AssertionError(f"not within {seconds} s: {text}")
        time.sleep(POLL_SECONDS)
