"""The tables of a register and the triggers that guard them."""

from django.db import migrations, models

from poundlock.register.guards import statements


def guard(apps, schema_editor):
    """Set the triggers."""
    for statement in statements(schema_editor.connection.vendor):
        schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):
    """From nothing to the first register."""

    initial = True
    dependencies = ()

    operations = (
        migrations.CreateModel(
            name="Checkpoint",
            fields=[
                ("size", models.IntegerField(primary_key=True, serialize=False)),
                ("root", models.TextField()),
                ("note", models.TextField()),
            ],
            options={
                "db_table": "poundlock_checkpoint",
            },
        ),
        migrations.CreateModel(
            name="File",
            fields=[
                ("digest", models.TextField(primary_key=True, serialize=False)),
                ("content", models.BinaryField()),
            ],
            options={
                "db_table": "poundlock_file",
            },
        ),
        migrations.CreateModel(
            name="Payload",
            fields=[
                ("number", models.IntegerField(primary_key=True, serialize=False)),
                ("salt", models.TextField()),
                ("text", models.TextField()),
            ],
            options={
                "db_table": "poundlock_payload",
            },
        ),
        migrations.CreateModel(
            name="State",
            fields=[
                ("object", models.TextField(primary_key=True, serialize=False)),
                ("revision", models.IntegerField()),
                ("text", models.TextField()),
            ],
            options={
                "db_table": "poundlock_state",
            },
        ),
        migrations.CreateModel(
            name="Entry",
            fields=[
                ("number", models.IntegerField(primary_key=True, serialize=False)),
                ("at", models.TextField()),
                ("actor", models.TextField()),
                ("role", models.TextField()),
                ("act", models.TextField()),
                ("object", models.TextField()),
                ("revision", models.IntegerField()),
                ("payload", models.TextField()),
                ("previous", models.TextField()),
                ("digest", models.TextField()),
            ],
            options={
                "db_table": "poundlock_entry",
                "indexes": [
                    models.Index(fields=["object", "number"], name="poundlock_entry_object"),
                    models.Index(fields=["act", "number"], name="poundlock_entry_act"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Head",
            fields=[
                ("id", models.IntegerField(primary_key=True, serialize=False)),
                ("number", models.IntegerField()),
                ("digest", models.TextField()),
                ("at", models.TextField()),
                ("frontier", models.TextField()),
            ],
            options={
                "db_table": "poundlock_head",
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="poundlock_one_head")],
            },
        ),
        migrations.CreateModel(
            name="Name",
            fields=[
                ("id", models.IntegerField(primary_key=True, serialize=False)),
                ("name", models.TextField()),
                ("public", models.TextField()),
            ],
            options={
                "db_table": "poundlock_name",
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="poundlock_one_name")],
            },
        ),
        migrations.RunPython(guard),
    )
