"""The symptoms, in the order in which they are judged: what is certain first, what follows from it last."""
