"""Instants as whole milliseconds since 1970, and as segmentd writes them."""
import datetime
import time

ZERO = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
MILLISECOND = datetime.timedelta(milliseconds=1)
SECOND_MS = 1000
HOUR_MS = 3600 * SECOND_MS
DAY_MS = 24 * HOUR_MS


def now_ms():
    return time.time_ns() // 1_000_000


def rfc3339(ms):
    at = ZERO + ms * MILLISECOND
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def ms_of(text):
    """Of a time in UTC with or without decimals: '2011-12-09T12:50:00Z'."""
    return (datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) - ZERO) // MILLISECOND
