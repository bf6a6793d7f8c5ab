"""Array mathematics: every fast form beside its plain meaning."""
