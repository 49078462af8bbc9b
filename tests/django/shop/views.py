"""Views that change orders and report the changes."""

import asyncio
import os

import katalys
from django.db import transaction
from django.db.models import F
from django.http import JsonResponse
from django.shortcuts import get_object_or_404
from katalys.django import async_client, client

from .models import Order
from .reporting import report_after_commit


def pay(request, number):
    """Marks an order as paid and reports it."""
    order = get_object_or_404(Order, number=number)
    order.status = Order.Status.PAID
    with transaction.atomic():
        order.save()
        transaction.on_commit(lambda: report(order))
    return JsonResponse({"status": order.status})


def refund_all(request):
    """Refunds every order, and reports each as the README describes."""
    later = []
    with transaction.atomic():
        Order.objects.update(status=Order.Status.REFUNDED)
        for order in Order.objects.all():
            report_after_commit(order)
        transaction.on_commit(lambda: later.append("ran"))
    return JsonResponse({"later": later})


def report(order):
    """Reports a complete order with Django's types: decimals, aware times, choices, models."""
    items = order.items.values("title", "sku", "price", qty=F("quantity"))
    client().update_order(
        order.number,
        order_status=Order.Status(order.status),
        order_time=order.placed,
        sale_amount=order.total,
        email_address=order.email,
        line_items=items,
    )


def send(request, number):
    """Reports without a database."""
    try:
        receipt = client().update_order(number, order_status="paid")
    except katalys.Error as error:
        return JsonResponse({"error": error.code}, status=502)
    return JsonResponse({"attempts": receipt.attempts})


def enqueue(request, number, note):
    """Reports after the commit of the transaction, without waiting for the endpoint."""
    tickets = []
    with transaction.atomic():
        update = {"order_status": "paid", "note": note}
        transaction.on_commit(
            lambda: tickets.append(client().enqueue_update(number, update)),
        )
    return JsonResponse({"ticket": tickets[0].id, "process": os.getpid()})


async def send_many(request, number):
    """Sends several reports concurrently, from a view that must not block."""
    update = async_client().update_order
    calls = (update(f"{number}-{n}", order_status="paid") for n in range(10))
    receipts = await asyncio.gather(*calls)
    return JsonResponse({"sent": len(receipts)})
