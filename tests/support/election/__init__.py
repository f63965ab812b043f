"""Two operators over the same objects, what happens between them and the API server, the judge."""
