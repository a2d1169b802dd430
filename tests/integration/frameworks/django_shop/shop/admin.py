"""admin.py - lists with search, filters, dates and counts: what the admin site asks for."""
from django.contrib import admin

from shop import models


@admin.register(models.Product)
class ProductAdmin(admin.ModelAdmin):
    list_display = ["name", "price", "category"]
    list_filter = ["category", "tags"]
    search_fields = ["name", "tags__word"]
    list_select_related = ["category"]


@admin.register(models.Event)
class EventAdmin(admin.ModelAdmin):
    list_display = ["kind", "at"]
    list_filter = ["kind"]
    date_hierarchy = "at"
    search_fields = ["kind"]


@admin.register(models.Page)
class PageAdmin(admin.ModelAdmin):
    list_display = ["path", "hits"]
    search_fields = ["path"]
    ordering = ["-hits", "path"]
