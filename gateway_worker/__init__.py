"""The WhatsApp gateway worker: commands in from RabbitMQ, one process per account, events out.

Read `app.py` first: it builds every part and shows the order in which they start and stop.
"""
