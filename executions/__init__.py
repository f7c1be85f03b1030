"""One run: lifecycle, queue, host, calls, log and announcements. The heart of the engine."""
