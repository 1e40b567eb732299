"""The making of the small model that ships with the project; nobody else imports it."""
