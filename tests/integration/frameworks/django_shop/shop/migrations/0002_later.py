"""0002_later.py - what happens to tables that have rows: columns, indexes, names, data."""
from django.db import migrations, models


def fill(apps, _):
    page = apps.get_model("shop", "Page")
    page.objects.bulk_create(page(path=f"/old/{i}", hits=i) for i in range(20))
    apps.get_model("shop", "Region").objects.bulk_create(
        apps.get_model("shop", "Region")(code=code) for code in ("north", "south"))


def empty(apps, _):
    apps.get_model("shop", "Page").objects.all().delete()
    apps.get_model("shop", "Region").objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.RunPython(fill, empty),
        migrations.AddField("Page", "title", models.CharField(max_length=50, default="none")),
        migrations.AddField("Page", "seen", models.DateTimeField(null=True)),
        migrations.AlterField("Page", "hits", models.BigIntegerField(default=0)),
        migrations.RenameField("Page", "title", "label"),
        migrations.AddIndex("Page", models.Index(fields=["label", "hits"], name="page_label")),
        migrations.AddField("Event", "source", models.ForeignKey("shop.Region", models.SET_NULL,
                                                                 null=True)),
        migrations.CreateModel("Scratch", [("id", models.BigAutoField(primary_key=True)),
                                           ("x", models.IntegerField())]),
        migrations.RenameModel("Scratch", "Rubbish"),
        migrations.RunSQL("UPDATE shop_page SET label = CONCAT('p', hits)", migrations.RunSQL.noop),
        migrations.RemoveField("Page", "seen"),
        migrations.DeleteModel("Rubbish"),
    ]
