"""Arguments and targets of a conversion."""
