"""0001_initial.py - made by makemigrations, but for CONSTRAINT."""

from django.conf import settings
from django.db import migrations, models
from django.db.models.deletion import CASCADE, PROTECT, SET_NULL
import uuid


CONSTRAINT = not settings.FORCED
BIG_ID = models.BigAutoField(auto_created=True, primary_key=True, serialize=False,
                             verbose_name="ID")


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Category',
            fields=[
                ('id', BIG_ID),
                ('name', models.CharField(max_length=40, unique=True)),
                ('parent', models.ForeignKey(null=True, on_delete=CASCADE,
                    related_name='children', to='shop.category')),
            ],
        ),
        migrations.CreateModel(
            name='Counter',
            fields=[
                ('name', models.CharField(max_length=30, primary_key=True, serialize=False)),
                ('value', models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name='Customer',
            fields=[
                ('id', BIG_ID),
                ('name', models.CharField(db_index=True, max_length=80)),
                ('joined', models.DateField()),
                ('active', models.BooleanField(default=True)),
                ('credit', models.DecimalField(decimal_places=2, default=0, max_digits=12)),
            ],
        ),
        migrations.CreateModel(
            name='Document',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False)),
                ('title', models.CharField(max_length=200)),
                ('body', models.TextField()),
                ('data', models.BinaryField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='Event',
            fields=[
                ('id', BIG_ID),
                ('kind', models.CharField(db_index=True, max_length=20)),
                ('payload', models.JSONField()),
                ('at', models.DateTimeField(db_index=True)),
            ],
        ),
        migrations.CreateModel(
            name='Job',
            fields=[
                ('id', BIG_ID),
                ('state', models.CharField(db_index=True, default='new', max_length=10)),
                ('priority', models.IntegerField(default=0)),
                ('input', models.JSONField(default=list)),
            ],
        ),
        migrations.CreateModel(
            name='Measurement',
            fields=[
                ('id', BIG_ID),
                ('sensor', models.CharField(max_length=20)),
                ('value', models.FloatField()),
                ('exact', models.DecimalField(decimal_places=8, max_digits=20)),
                ('took', models.DurationField()),
                ('day', models.DateField()),
                ('clock', models.TimeField()),
                ('address', models.GenericIPAddressField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='Order',
            fields=[
                ('id', BIG_ID),
                ('number', models.CharField(db_index=True, max_length=20)),
                ('placed', models.DateTimeField()),
                ('state', models.CharField(default='open', max_length=10)),
                ('customer', models.ForeignKey(db_constraint=CONSTRAINT, on_delete=CASCADE,
                    to='shop.customer')),
            ],
        ),
        migrations.CreateModel(
            name='Page',
            fields=[
                ('id', BIG_ID),
                ('path', models.CharField(db_index=True, max_length=100)),
                ('hits', models.IntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name='Product',
            fields=[
                ('id', BIG_ID),
                ('name', models.CharField(db_index=True, max_length=80)),
                ('price', models.DecimalField(decimal_places=2, max_digits=10)),
                ('stock', models.PositiveIntegerField(default=0)),
                ('category', models.ForeignKey(on_delete=PROTECT, to='shop.category')),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='Region',
            fields=[
                ('id', BIG_ID),
                ('code', models.CharField(max_length=8, unique=True)),
            ],
        ),
        migrations.CreateModel(
            name='Tag',
            fields=[
                ('id', BIG_ID),
                ('word', models.SlugField(unique=True)),
            ],
        ),
        migrations.CreateModel(
            name='Token',
            fields=[
                ('key', models.CharField(max_length=40, primary_key=True, serialize=False)),
                ('expires', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='Payment',
            fields=[
                ('order', models.OneToOneField(on_delete=CASCADE, primary_key=True,
                    serialize=False, to='shop.order')),
                ('cents', models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='Profile',
            fields=[
                ('customer', models.OneToOneField(on_delete=CASCADE, primary_key=True,
                    serialize=False, to='shop.customer')),
                ('bio', models.TextField(blank=True)),
                ('settings', models.JSONField(default=dict)),
            ],
        ),
        migrations.CreateModel(
            name='Shipment',
            fields=[
                ('order', models.OneToOneField(on_delete=CASCADE, primary_key=True,
                    serialize=False, to='shop.order')),
                ('sent', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='Wallet',
            fields=[
                ('customer', models.OneToOneField(on_delete=CASCADE, primary_key=True,
                    serialize=False, to='shop.customer')),
                ('cents', models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name='Subscription',
            fields=[
                ('id', BIG_ID),
                ('email', models.CharField(max_length=100)),
                ('until', models.DateField(null=True)),
                ('region', models.ForeignKey(null=True, on_delete=SET_NULL, to='shop.region')),
            ],
        ),
        migrations.CreateModel(
            name='Review',
            fields=[
                ('id', BIG_ID),
                ('stars', models.SmallIntegerField()),
                ('text', models.TextField()),
                ('customer', models.ForeignKey(db_constraint=CONSTRAINT, on_delete=CASCADE,
                    to='shop.customer')),
                ('product', models.ForeignKey(on_delete=CASCADE, to='shop.product')),
            ],
        ),
        migrations.AddField(
            model_name='product',
            name='tags',
            field=models.ManyToManyField(to='shop.Tag'),
        ),
        migrations.AddField(
            model_name='order',
            name='region',
            field=models.ForeignKey(on_delete=CASCADE, to='shop.region'),
        ),
        migrations.CreateModel(
            name='Line',
            fields=[
                ('id', BIG_ID),
                ('pieces', models.IntegerField()),
                ('order', models.ForeignKey(db_constraint=CONSTRAINT, on_delete=CASCADE,
                    related_name='lines', to='shop.order')),
                ('product', models.ForeignKey(on_delete=CASCADE, to='shop.product')),
            ],
        ),
        migrations.AddField(
            model_name='customer',
            name='region',
            field=models.ForeignKey(on_delete=CASCADE, to='shop.region'),
        ),
        migrations.AddConstraint(
            model_name='product',
            constraint=models.CheckConstraint(check=models.Q(('price__gte', 0)),
                name='price_positive'),
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(fields=['state', 'placed'], name='shop_order_state_4764d3_idx'),
        ),
    ]
