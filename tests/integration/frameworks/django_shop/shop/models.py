"""models.py - a shop. What Django cannot co-locate has no constraint where sharding is forced."""
import uuid

from django.conf import settings
from django.db import models

CONSTRAINT = not settings.FORCED


class Region(models.Model):
    code = models.CharField(max_length=8, unique=True)


class Category(models.Model):
    name = models.CharField(max_length=40, unique=True)
    parent = models.ForeignKey("self", models.CASCADE, null=True, related_name="children")


class Tag(models.Model):
    word = models.SlugField(unique=True)


class Product(models.Model):
    name = models.CharField(max_length=80, db_index=True)
    price = models.DecimalField(max_digits=10, decimal_places=2)
    stock = models.PositiveIntegerField(default=0)
    category = models.ForeignKey(Category, models.PROTECT)
    tags = models.ManyToManyField(Tag)

    class Meta:
        ordering = ["name"]
        constraints = [models.CheckConstraint(check=models.Q(price__gte=0), name="price_positive")]


class Customer(models.Model):
    name = models.CharField(max_length=80, db_index=True)
    region = models.ForeignKey(Region, models.CASCADE)
    joined = models.DateField()
    active = models.BooleanField(default=True)
    credit = models.DecimalField(max_digits=12, decimal_places=2, default=0)


class Profile(models.Model):
    customer = models.OneToOneField(Customer, models.CASCADE, primary_key=True)
    bio = models.TextField(blank=True)
    settings = models.JSONField(default=dict)


class Wallet(models.Model):
    customer = models.OneToOneField(Customer, models.CASCADE, primary_key=True)
    cents = models.BigIntegerField(default=0)


class Order(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE, db_constraint=CONSTRAINT)
    region = models.ForeignKey(Region, models.CASCADE)
    number = models.CharField(max_length=20, db_index=True)
    placed = models.DateTimeField()
    state = models.CharField(max_length=10, default="open")

    class Meta:
        indexes = [models.Index(fields=["state", "placed"])]


class Payment(models.Model):
    order = models.OneToOneField(Order, models.CASCADE, primary_key=True)
    cents = models.BigIntegerField()


class Shipment(models.Model):
    order = models.OneToOneField(Order, models.CASCADE, primary_key=True)
    sent = models.DateTimeField(null=True)


class Line(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, db_constraint=CONSTRAINT,
                              related_name="lines")
    product = models.ForeignKey(Product, models.CASCADE)
    pieces = models.IntegerField()


class Review(models.Model):
    product = models.ForeignKey(Product, models.CASCADE)
    customer = models.ForeignKey(Customer, models.CASCADE, db_constraint=CONSTRAINT)
    stars = models.SmallIntegerField()
    text = models.TextField()


class Event(models.Model):
    kind = models.CharField(max_length=20, db_index=True)
    payload = models.JSONField()
    at = models.DateTimeField(db_index=True)
    source = models.ForeignKey(Region, models.SET_NULL, null=True)


class Measurement(models.Model):
    sensor = models.CharField(max_length=20)
    value = models.FloatField()
    exact = models.DecimalField(max_digits=20, decimal_places=8)
    took = models.DurationField()
    day = models.DateField()
    clock = models.TimeField()
    address = models.GenericIPAddressField(null=True)


class Document(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    title = models.CharField(max_length=200)
    body = models.TextField()
    data = models.BinaryField(null=True)


class Counter(models.Model):
    name = models.CharField(max_length=30, primary_key=True)
    value = models.BigIntegerField(default=0)


class Token(models.Model):
    key = models.CharField(max_length=40, primary_key=True)
    expires = models.DateTimeField(null=True)


class Job(models.Model):
    state = models.CharField(max_length=10, default="new", db_index=True)
    priority = models.IntegerField(default=0)
    input = models.JSONField(default=list)


class Page(models.Model):
    path = models.CharField(max_length=100, db_index=True)
    hits = models.BigIntegerField(default=0)
    label = models.CharField(max_length=50, default="none")

    class Meta:
        indexes = [models.Index(fields=["label", "hits"], name="page_label")]


class Subscription(models.Model):
    email = models.CharField(max_length=100)
    until = models.DateField(null=True)
    region = models.ForeignKey(Region, models.SET_NULL, null=True)
