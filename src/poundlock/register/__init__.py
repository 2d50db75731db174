"""The register: what was done, by whom and when, kept so that nobody can change it unseen. A Django app on SQLite or PostgreSQL."""
