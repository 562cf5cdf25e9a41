"""Where the data of the claims comes from: what ships by package, and files that the user names."""
