"""The shapes that all packages share: tables, records and protocols. Imports no other package of the project."""
