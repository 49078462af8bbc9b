from django.db import transaction
from katalys.django import client


def report_after_commit(order):
    number, status = order.number, order.status

    def report():
        client().enqueue_update(number, order_status=status)

    transaction.on_commit(report, robust=True)  # Django 4.2 or later
