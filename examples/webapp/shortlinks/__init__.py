"""A link shortener: POST a URL, get a short code, GET the code, be redirected."""
