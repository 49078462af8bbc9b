"""Orders and their line items."""

from django.db import models
from django.utils.translation import gettext_lazy


class Order(models.Model):
    """An order of a customer."""

    class Status(models.TextChoices):
        PENDING = "pending", gettext_lazy("Pending")
        PAID = "paid", gettext_lazy("Paid")
        REFUNDED = "refunded", gettext_lazy("Refunded")

    number = models.CharField(max_length=20, unique=True)
    status = models.CharField(max_length=20, choices=Status, default=Status.PENDING)
    placed = models.DateTimeField()
    total = models.DecimalField(max_digits=12, decimal_places=2)
    email = models.EmailField()


class Item(models.Model):
    """A line of an order."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="items")
    title = models.CharField(max_length=200)
    sku = models.CharField(max_length=50)
    price = models.DecimalField(max_digits=12, decimal_places=2)
    quantity = models.PositiveIntegerField(default=1)
