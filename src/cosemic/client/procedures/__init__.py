"""What a client does with a meter, by topic: procedures of several requests, each written once."""
