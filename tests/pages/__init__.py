"""Tests of the HTML pages: answers, permissions and query counts."""
