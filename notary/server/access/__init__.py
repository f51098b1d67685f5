"""Who may do what: access tokens, as the Docker registry knows them."""
