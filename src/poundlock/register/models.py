"""The tables. What is kept for ever (entries, payloads, files, checkpoints, the name) is guarded by triggers, see `guards`."""

from django.db import models


class Name(models.Model):
    """The register itself: one row. public: key that its checkpoints are verified with."""

    id = models.IntegerField(primary_key=True)
    name = models.TextField()
    public = models.TextField()

    class Meta:
        db_table = "poundlock_name"
        constraints = (models.CheckConstraint(condition=models.Q(id=1), name="poundlock_one_name"),)


class Entry(models.Model):
    """One thing that was done, as in `poundlock.rollout.chain`."""

    number = models.IntegerField(primary_key=True)
    at = models.TextField()
    actor = models.TextField()
    role = models.TextField()
    act = models.TextField()
    object = models.TextField()
    revision = models.IntegerField()
    payload = models.TextField()
    previous = models.TextField()
    digest = models.TextField()

    class Meta:
        db_table = "poundlock_entry"
        indexes = (
            models.Index(fields=["object", "number"], name="poundlock_entry_object"),
            models.Index(fields=["act", "number"], name="poundlock_entry_act"),
        )


class Payload(models.Model):
    """What was done in detail: canonical text and its salt. The one thing that may be removed, after an entry says so."""

    number = models.IntegerField(primary_key=True)
    salt = models.TextField()
    text = models.TextField()

    class Meta:
        db_table = "poundlock_payload"


class File(models.Model):
    """A file by its SHA-256."""

    digest = models.TextField(primary_key=True)
    content = models.BinaryField()

    class Meta:
        db_table = "poundlock_file"


class Checkpoint(models.Model):
    """A signed note on the first `size` entries. root: of their Merkle tree, hexadecimal."""

    size = models.IntegerField(primary_key=True)
    root = models.TextField()
    note = models.TextField()

    class Meta:
        db_table = "poundlock_checkpoint"


class State(models.Model):
    """What the entries of an object come to. Never a source: a replay makes it again."""

    object = models.TextField(primary_key=True)
    revision = models.IntegerField()
    text = models.TextField()

    class Meta:
        db_table = "poundlock_state"


class Head(models.Model):
    """The last entry, and the frontier of the Merkle tree: one row, which writers lock."""

    id = models.IntegerField(primary_key=True)
    number = models.IntegerField()
    digest = models.TextField()
    at = models.TextField()
    frontier = models.TextField()

    class Meta:
        db_table = "poundlock_head"
        constraints = (models.CheckConstraint(condition=models.Q(id=1), name="poundlock_one_head"),)
