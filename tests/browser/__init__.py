"""Tests that drive the real page in a real headless Chromium against a real server."""
