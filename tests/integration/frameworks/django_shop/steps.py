"""steps.py - what a Django application does, as a transcript: the same on every server.

Each step prints what it sees, never a generated id; an error prints its class and code.
"""
import datetime
import decimal
import io
import itertools
import sys
import uuid

import django

django.setup()

from django.contrib.auth.models import Group, Permission, User  # noqa: E402
from django.contrib.contenttypes.models import ContentType  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402
from django.core.cache import cache  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.db.models import (Avg, Case, Count, Exists, F, Max, Min, OuterRef,  # noqa: E402
                              Prefetch, Q, StdDev, Subquery, Sum, Value, When, Window)
from django.db.models.functions import (Coalesce, Concat, ExtractYear, Length, Lower,  # noqa: E402
                                        Rank, TruncMonth, Upper)
from django.db.utils import DatabaseError  # noqa: E402
from django.test import Client  # noqa: E402

from shop.models import (Category, Counter, Customer, Document, Event, Job, Line,  # noqa: E402
                         Measurement, Order, Page, Payment, Product, Profile, Region, Review,
                         Shipment, Subscription, Tag, Token, Wallet)

UTC = datetime.timezone.utc
NOON = datetime.datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
STEPS = []


def step(function):
    STEPS.append(function)
    return function


def say(*words):
    print("   ", *words)


# --- rows --------------------------------------------------------------------

@step
def catalogue():
    root = Category.objects.create(name="all")
    for name in "books", "tools":
        Category.objects.create(name=name, parent=root)
    Region.objects.get_or_create(code="west")
    tags = [Tag.objects.create(word=w) for w in ("new", "old", "sale")]
    for i, category in zip(range(12), itertools.cycle(Category.objects.exclude(name="all")
                                                      .order_by("name"))):
        product = Product.objects.create(name=f"product {i:02}", price=decimal.Decimal(i) + 1,
                                         stock=i, category=category)
        product.tags.set(tags[: i % 4])
    say(Product.objects.count(), Category.objects.filter(parent__name="all").count())
    say(list(Region.objects.order_by("code").values_list("code", flat=True)))


@step
def bulk_create():
    regions = list(Region.objects.order_by("code"))
    made = Customer.objects.bulk_create(
        Customer(name=f"customer {i:03}", region=regions[i % 3], active=i % 5 != 0,
                 joined=datetime.date(2020 + i % 4, 1 + i % 12, 1)) for i in range(60))
    say(len(made), all(c.pk for c in made), len({c.pk for c in made}))
    say([Customer.objects.get(pk=c.pk).name == c.name for c in made[:5]])
    Profile.objects.bulk_create(Profile(customer=c, bio=c.name.upper(),
                                        settings={"n": i, "deep": {"list": [i, str(i)]}})
                                for i, c in enumerate(made))
    Wallet.objects.bulk_create(Wallet(customer=c, cents=100 * i) for i, c in enumerate(made))
    say(Wallet.objects.aggregate(Sum("cents")))


@step
def orders():
    customers = list(Customer.objects.order_by("name"))
    products = list(Product.objects.all())
    for i in range(40):
        with transaction.atomic():
            order = Order.objects.create(customer=customers[i], region=customers[i].region,
                                         number=f"A{i:04}", placed=NOON
                                         + datetime.timedelta(days=9 * i),
                                         state="open" if i % 3 else "paid")
            Line.objects.bulk_create(Line(order=order, product=products[(i + k) % 12],
                                          pieces=k + 1) for k in range(1 + i % 3))
            if order.state == "paid":
                Payment.objects.create(order=order, cents=1000 + i)
            if i % 6 == 0:
                Shipment.objects.create(order=order)
    say(Order.objects.count(), Line.objects.count(), Payment.objects.count())


@step
def more_rows():
    Event.objects.bulk_create(
        [Event(kind=["click", "view", "buy"][i % 3], at=NOON + datetime.timedelta(hours=7 * i),
               payload={"n": i, "tags": ["a", "b"][: i % 3], "user": {"id": i % 4}})
         for i in range(100)], batch_size=30)
    Measurement.objects.bulk_create(
        Measurement(sensor=f"s{i % 5}", value=i / 7, exact=decimal.Decimal(i) / 8,
                    took=datetime.timedelta(seconds=i, microseconds=i),
                    day=datetime.date(2026, 1, 1) + datetime.timedelta(days=i),
                    clock=datetime.time(i % 24, i % 60, 5, i), address=f"10.0.0.{i}")
        for i in range(50))
    for i in range(30):
        Document.objects.create(id=uuid.UUID(int=i + 1), title=f"title {i} ä€😀",
                                body="x" * (i * 100), data=bytes(range(i)))
    Counter.objects.bulk_create(Counter(name=f"c{i}") for i in range(10))
    Token.objects.bulk_create(Token(key=f"key-{i}", expires=NOON) for i in range(25))
    Job.objects.bulk_create(Job(priority=i % 7, input=[i, {"k": None}]) for i in range(20))
    Subscription.objects.bulk_create(Subscription(email=f"m{i}@example.org") for i in range(15))
    Review.objects.bulk_create(
        Review(product=p, customer=c, stars=1 + i % 5, text="fine" * i)
        for i, (p, c) in enumerate(zip(Product.objects.all(), Customer.objects.order_by("name"))))
    say(Event.objects.count(), Document.objects.count(), Review.objects.count())


# --- reading -----------------------------------------------------------------

@step
def filters():
    say(Page.objects.filter(hits__gte=15).order_by("hits").values_list("path", "label"))
    say(Event.objects.filter(kind__in=["click", "buy"]).count(),
        Event.objects.exclude(kind="view").count(),
        Event.objects.filter(Q(kind="click") | Q(at__lt=NOON + datetime.timedelta(days=1))).count())
    say(Event.objects.filter(payload__user__id=2).count(),
        Event.objects.filter(payload__tags__contains=["a"]).count(),
        Event.objects.filter(payload__has_key="n").count())
    say(Document.objects.filter(title__contains="ä€").count(),
        Document.objects.filter(title__icontains="TITLE 1").count(),
        Document.objects.filter(title__startswith="title 2").count(),
        Document.objects.filter(title__regex=r"^title [0-9] ").count(),
        Document.objects.filter(pk=uuid.UUID(int=7)).values_list("title", flat=True).get())
    say(list(Token.objects.filter(key__in=["key-3", "key-4", "none"]).order_by("key")
             .values_list("key", flat=True)), Token.objects.filter(expires=None).exists())
    say(sorted(Token.objects.in_bulk(["key-1", "key-2"])))
    say([m.took for m in Measurement.objects.filter(sensor="s1").order_by("day")[:3]],
        [m.clock for m in Measurement.objects.order_by("-day")[2:5]],
        [m.value for m in Measurement.objects.order_by("value")[40:43]])
    say(list(Measurement.objects.filter(day__range=("2026-01-10", "2026-01-12")).order_by("day")
             .values_list("exact", "address")))


@step
def slices_and_order():
    pages = Page.objects.order_by("-hits", "path")
    say(pages[0].path, [p.path for p in pages[5:8]], pages.last().path)
    say(Event.objects.earliest("at").payload, Event.objects.latest("at").payload,
        Event.objects.order_by("kind", "-at").first().payload["n"])
    say(list(Event.objects.values_list("kind", flat=True).distinct().order_by("kind")))
    say([e.payload["n"] for e in Event.objects.order_by("-kind", "at").reverse()[:4]])
    say(sum(1 for _ in Event.objects.order_by("at").iterator(chunk_size=7)))
    say(Event.objects.none().count(), bool(Event.objects.filter(kind="nothing")))


@step
def count_of_a_slice():
    say(Page.objects.order_by("-hits", "path")[3:6].count())


@step
def aggregates():
    say(Event.objects.aggregate(n=Count("id"), first=Min("at"), last=Max("at")))
    say(Measurement.objects.aggregate(Sum("exact"), Avg("exact"), Max("value"), Min("clock")))
    say(list(Event.objects.values("kind").annotate(n=Count("id"), last=Max("at"))
             .order_by("kind")))
    say(list(Measurement.objects.values("sensor").annotate(total=Sum("exact"))
             .filter(total__gt=25).order_by("-total")))
    say(list(Job.objects.values_list("priority").annotate(Count("id")).order_by("priority")))
    say(list(Page.objects.annotate(long=Length("path")).values("long").annotate(n=Count("id"))
             .order_by("long")))
    say(Event.objects.aggregate(kinds=Count("kind", distinct=True)))


@step
def deviation():
    say(round(Measurement.objects.aggregate(d=StdDev("value"))["d"], 6))


@step
def dates():
    say([d.date() for d in Event.objects.datetimes("at", "day")[:3]])
    say(list(Measurement.objects.dates("day", "month")))
    say(list(Event.objects.annotate(month=TruncMonth("at")).values("month")
             .annotate(n=Count("id")).order_by("month").values_list("n", flat=True)))
    say(Customer.objects.annotate(year=ExtractYear("joined")).filter(year=2021).count())
    say(Event.objects.filter(at__date=datetime.date(2026, 3, 2)).count(),
        Event.objects.filter(at__hour__gte=20).count())


@step
def expressions():
    say(list(Page.objects.annotate(shown=Concat(Upper("path"), Value(":"), Lower("label")))
             .order_by("hits").values_list("shown", flat=True)[:2]))
    say(list(Page.objects.annotate(size=Case(When(hits__lt=5, then=Value("few")),
                                             default=Value("many"))).values("size")
             .annotate(n=Count("id")).order_by("size")))
    say(list(Page.objects.filter(hits__gt=F("id") * 0 + 17).order_by("hits")
             .values_list("hits", flat=True)))
    say(list(Subscription.objects.annotate(d=Coalesce("until", Value(datetime.date(1999, 1, 1))))
             .order_by("email").values_list("d", flat=True)[:2]))


# --- several tables ----------------------------------------------------------

@step
def joins_of_a_catalogue():
    say([(p.name, p.category.name) for p in Product.objects.select_related("category")[:3]])
    say(list(Product.objects.filter(tags__word="sale").values_list("name", flat=True)))
    say(list(Category.objects.annotate(n=Count("product"), total=Sum("product__price"))
             .order_by("name").values_list("name", "n", "total")))
    say([(p.name, sorted(t.word for t in p.tags.all()))
         for p in Product.objects.prefetch_related("tags")[2:5]])
    say(Tag.objects.get(word="new").product_set.count(),
        list(Category.objects.filter(children__name="books").values_list("name", flat=True)))


@step
def joins_of_one_key():
    say(list(Profile.objects.select_related("customer").order_by("customer__name")
             .values_list("customer__name", "bio")[:3]))
    say(Wallet.objects.filter(customer__active=True).aggregate(Sum("cents")))
    say([(c.name, c.wallet.cents) for c in
         Customer.objects.select_related("wallet", "region").order_by("-wallet__cents")[:3]])
    say(list(Order.objects.filter(payment__cents__gt=1030).order_by("number")
             .values_list("number", "payment__cents")))
    say(Order.objects.filter(shipment__isnull=True).count(),
        list(Order.objects.filter(shipment__isnull=False, payment__isnull=False)
             .order_by("number").values_list("number", flat=True)))


@step
def prefetching():
    orders = Order.objects.order_by("number").prefetch_related(
        Prefetch("lines", queryset=Line.objects.select_related("product").order_by("pieces")))
    say([(o.number, [(li.product.name, li.pieces) for li in o.lines.all()]) for o in orders[:4]])
    say([o.customer.name
         for o in Order.objects.prefetch_related("customer").order_by("number")[:3]])
    say([(c.name, c.order_set.count()) for c in Customer.objects.order_by("name")[:3]])


@step
def join_on_another_column():
    say([(o.number, o.customer.name) for o in
         Order.objects.select_related("customer").order_by("number")[:3]])


@step
def group_over_a_join():
    say(list(Customer.objects.annotate(n=Count("order")).filter(n__gt=0).order_by("name")
             .values_list("name", "n")[:3]))


@step
def join_of_four():
    say(list(Line.objects.values("order__state", "product__category__name")
             .annotate(n=Sum("pieces")).order_by("order__state", "product__category__name")))


@step
def exists_below():
    say(Customer.objects.filter(Exists(Order.objects.filter(customer=OuterRef("pk"),
                                                            state="paid"))).count())


@step
def subquery_per_row():
    newest = Order.objects.filter(customer=OuterRef("pk")).order_by("-placed")
    say(list(Customer.objects.annotate(last=Subquery(newest.values("number")[:1]))
             .order_by("name").values_list("name", "last")[:3]))


@step
def in_a_subquery():
    say(Order.objects.filter(customer__in=Customer.objects.filter(active=False)).count())


@step
def exists_on_one_key():
    say(Customer.objects.filter(Exists(Wallet.objects.filter(customer=OuterRef("pk"),
                                                             cents__gt=3000))).count())


@step
def window():
    say(list(Page.objects.annotate(r=Window(Rank(), order_by=F("hits").desc()))
             .order_by("r").values_list("path", "r")[:3]))


@step
def union():
    say(sorted(Page.objects.filter(hits__lt=2).values_list("path").union(
        Token.objects.filter(key="key-1").values_list("key"))))


# --- writing -----------------------------------------------------------------

@step
def updates():
    say(Page.objects.filter(hits__lt=10).update(hits=F("hits") + 100))
    say(Page.objects.aggregate(Sum("hits"), Max("hits")))
    page = Page.objects.get(path="/old/3")
    page.hits = F("hits") + 1
    page.save()
    page.refresh_from_db()
    say(page.hits)
    pages = list(Page.objects.order_by("path")[:5])
    for i, page in enumerate(pages):
        page.label = f"label {i}"
    say(Page.objects.bulk_update(pages, ["label"]),
        list(Page.objects.order_by("path").values_list("label", flat=True)[:6]))
    say(Event.objects.filter(kind="view").update(payload={"changed": True}),
        Event.objects.filter(payload__changed=True).count())
    say(Product.objects.filter(name__endswith="3").update(price=F("price") * 2),
        Product.objects.get(name="product 03").price)


@step
def get_or_create():
    say(Token.objects.get_or_create(key="key-1", defaults={"expires": None})[1],
        Token.objects.get_or_create(key="fresh", defaults={"expires": None})[1],
        Token.objects.update_or_create(key="fresh", defaults={"expires": NOON})[1],
        Token.objects.get(key="fresh").expires)
    say(Tag.objects.get_or_create(word="new")[1], Tag.objects.get_or_create(word="newer")[1])
    say(Counter.objects.update_or_create(name="c1", defaults={"value": 5})[0].value)


@step
def ignoring_conflicts():
    Token.objects.bulk_create([Token(key="key-1"), Token(key="another")], ignore_conflicts=True)
    say(Token.objects.filter(key__in=["key-1", "another"]).count())


@step
def unique_errors():
    for make in (lambda: Tag.objects.create(word="new"),
                 lambda: Token.objects.create(key="key-2"),
                 lambda: Product.objects.filter(name="product 01").update(price=-1)):
        try:
            with transaction.atomic():
                make()
        except DatabaseError as error:
            say(type(error).__name__, error.args[0])
    try:
        Category.objects.get(name="books").delete()
    except Exception as error:
        say(type(error).__name__)


@step
def atomic():
    try:
        with transaction.atomic():
            for i in range(10):
                Counter.objects.filter(name=f"c{i}").update(value=F("value") + 100)
            raise KeyError
    except KeyError:
        say(Counter.objects.aggregate(Sum("value")))
    with transaction.atomic():
        Counter.objects.update(value=F("value") + 1)
        try:
            with transaction.atomic():  # a savepoint
                Counter.objects.update(value=0)
                raise KeyError
        except KeyError:
            pass
        with transaction.atomic():
            Counter.objects.filter(name="c3").update(value=33)
    say(list(Counter.objects.order_by("name").values_list("value", flat=True)))
    said = []
    with transaction.atomic():
        transaction.on_commit(lambda: said.append("committed"))
        sid = transaction.savepoint()
        Counter.objects.create(name="gone")
        transaction.savepoint_rollback(sid)
        sid = transaction.savepoint()
        Counter.objects.create(name="kept")
        transaction.savepoint_commit(sid)
    say(said, Counter.objects.filter(name__in=["gone", "kept"]).values_list("name", flat=True))


@step
def a_failure_inside():
    with transaction.atomic():
        Counter.objects.create(name="before")
        try:
            with transaction.atomic():
                Counter.objects.bulk_create([Counter(name=n) for n in ("x", "y", "c1", "z")])
        except DatabaseError as error:
            say(type(error).__name__, error.args[0])
        Counter.objects.create(name="after")
    say(list(Counter.objects.exclude(name__startswith="c").order_by("name")
             .values_list("name", flat=True)))


@step
def locks():
    with transaction.atomic():
        jobs = list(Job.objects.select_for_update().filter(state="new").order_by("-priority",
                                                                                  "id")[:3])
        for job in jobs:
            job.state = "taken"
            job.save(update_fields=["state"])
    say(Job.objects.filter(state="taken").count(), sorted(j.priority for j in jobs))
    with transaction.atomic():
        say(Wallet.objects.select_for_update(skip_locked=True)
            .filter(customer__name="customer 007").count())
        a, b = Wallet.objects.select_for_update().order_by("cents")[5:7]
        a.cents, b.cents = a.cents - 5, b.cents + 5
        a.save()
        b.save()
    say(Wallet.objects.aggregate(Sum("cents")))


@step
def deletes():
    say(Event.objects.filter(kind="view").delete())
    say(Document.objects.filter(title__contains="title 1").delete()[0], Document.objects.count())
    customer = Customer.objects.get(name="customer 012")
    say(sorted(customer.delete()[1].items()))
    say(Line.objects.count(), Order.objects.count(), Wallet.objects.count())
    say(Job.objects.all().delete()[0], Job.objects.exists())


@step
def binary_and_text():
    doc = Document.objects.create(id=uuid.UUID(int=99), title="big", body="ü" * 200000,
                                  data=bytes(range(256)) * 4000)
    doc.refresh_from_db()
    say(len(doc.body), len(doc.data), bytes(doc.data) == bytes(range(256)) * 4000)
    doc.body = "it's \\ \"quoted\" % \n\t\0 \x1a"
    doc.save()
    say(repr(Document.objects.get(pk=doc.pk).body))


# --- what comes with Django ---------------------------------------------------

@step
def users():
    user = User.objects.create_user("ada", "ada@example.org", "secret")
    group = Group.objects.create(name="editors")
    group.permissions.set(Permission.objects.filter(codename__startswith="change_"))
    user.groups.add(group)
    User.objects.create_superuser("root", "root@example.org", "secret")
    user = User.objects.get(username="ada")
    say(user.has_perm("shop.change_page"), user.has_perm("shop.delete_page"),
        user.check_password("secret"), group.permissions.count())
    say(ContentType.objects.get_for_model(Page).model, Permission.objects.count(),
        list(User.objects.filter(groups__name="editors").values_list("username", flat=True)))


@step
def sessions():
    store = SessionStore()
    store["basket"] = [1, 2, {"three": 3}]
    store.save()
    store["more"] = "x"
    store.save()
    again = SessionStore(session_key=store.session_key)
    say(again["basket"], again["more"], again.exists(store.session_key))
    again.flush()
    say(again.exists(store.session_key))
    call_command("clearsessions")


@step
def cached():
    call_command("createcachetable", verbosity=0)
    cache.set("k", {"v": 1}, 1000)
    cache.set_many({f"m{i}": i for i in range(10)}, 1000)
    say(cache.get("k"), cache.add("k", 2), cache.incr("m3"), cache.get_many(["m3", "m4", "zz"]))
    say(cache.delete("m1"), cache.get("m1"), cache.touch("m2", 5000), cache.has_key("m2"))
    cache.clear()
    say(cache.get("k"))


@step
def admin_site():
    client = Client()
    say(client.post("/admin/login/?next=/admin/", {"username": "root",
                                                   "password": "secret"}).status_code)
    for url in ("/admin/", "/admin/shop/page/?q=old", "/admin/shop/page/?o=2.-1",
                "/admin/shop/event/?kind=buy", "/admin/shop/event/?at__year=2026",
                "/admin/shop/product/?q=sale", "/admin/auth/user/?is_staff__exact=1"):
        answer = client.get(url)
        found = answer.context and answer.context.get("cl")
        say(url, answer.status_code, found.result_count if found else "-")
    answer = client.post("/admin/shop/page/add/", {"path": "/admin", "hits": 7, "label": "a"})
    page = Page.objects.get(path="/admin")
    say(answer.status_code, page.hits)
    say(client.post(f"/admin/shop/page/{page.pk}/change/", {"path": "/admin", "hits": 8,
                                                            "label": "b"}).status_code)
    say(client.get(f"/admin/shop/page/{page.pk}/history/").status_code)
    say(client.post(f"/admin/shop/page/{page.pk}/delete/", {"post": "yes"}).status_code,
        Page.objects.filter(path="/admin").exists())


@step
def introspection():
    out = io.StringIO()
    call_command("inspectdb", "shop_page", "shop_event", "shop_token", "shop_document",
                 "shop_product", stdout=out)
    for line in out.getvalue().splitlines():
        if line.strip() and not line.startswith("#"):
            say(line)
    with connection.cursor() as cursor:
        intro = connection.introspection
        say(sorted(t.name for t in intro.get_table_list(cursor)))
        say(sorted(intro.get_relations(cursor, "shop_product_tags").items()))
        for name, c in sorted(intro.get_constraints(cursor, "shop_page").items()):
            say(name, c["columns"], c["primary_key"], c["unique"], c["index"])
        say(intro.get_sequences(cursor, "shop_page"))


@step
def raw_sql():
    say([p.path for p in Page.objects.raw("SELECT * FROM shop_page WHERE hits > %s ORDER BY path",
                                          [107])])
    with connection.cursor() as cursor:
        cursor.execute("SELECT kind, COUNT(*) FROM shop_event GROUP BY kind ORDER BY kind")
        say(cursor.fetchall())
        cursor.execute("UPDATE shop_token SET expires = NULL WHERE `key` = %s", ["key-5"])
        say(cursor.rowcount)
        cursor.execute("SELECT @@sql_mode, @@autocommit, DATABASE() LIKE 'shop%%'")
        say(cursor.fetchone())
        cursor.executemany("INSERT INTO shop_token (`key`) VALUES (%s)", [["em1"], ["em2"]])
        say(cursor.rowcount)


@step
def schema_changes():
    call_command("migrate", "shop", "0001", verbosity=0)
    call_command("migrate", verbosity=0)
    out = io.StringIO()
    call_command("showmigrations", "shop", stdout=out)
    say(out.getvalue().split())
    call_command("check", stdout=io.StringIO())


@step
def dump_and_load():
    out = io.StringIO()
    call_command("dumpdata", "shop.counter", "shop.tag", stdout=out)
    say(out.getvalue().count('"model"'))
    path = sys.argv[1] + "/dump.json"
    with open(path, "w", encoding="utf-8") as file:
        file.write(out.getvalue())
    Counter.objects.all().delete()
    call_command("loaddata", path, verbosity=0)
    say(list(Counter.objects.order_by("name").values_list("name", "value")))


@step
def the_rest():
    say(Order.objects.count(), Line.objects.count(), Event.objects.count(), Page.objects.count())


def main():
    call_command("migrate", verbosity=0)
    for function in STEPS:
        print(function.__name__)
        try:
            function()
        except Exception as error:  # the transcript says it, and the next step goes on
            print("    ERROR", type(error).__name__, *error.args)
            if transaction.get_connection().in_atomic_block:
                raise


main()
