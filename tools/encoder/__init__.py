"""Makes and checks the bundled encoder: see README.md."""
