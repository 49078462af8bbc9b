"""The URLs of the shop."""

from django.urls import path

from . import views

urlpatterns = [
    path("pay/<str:number>", views.pay),
    path("refund-all", views.refund_all),
    path("send/<str:number>", views.send),
    path("enqueue/<str:number>/<str:note>", views.enqueue),
    path("send-many/<str:number>", views.send_many),
]
