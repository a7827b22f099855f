"""Sends tasks of celery_app.py, outside of any session, one after the other: names with arguments, as in add:1:2."""

import sys

from celery_app import app

for words in sys.argv[1:]:
    name, *arguments = words.split(":")
    print(app.send_task(f"celery_app.{name}", arguments).get(timeout=60), flush=True)
