"""Selection: which buffer takes which rows of a stream, by the specification."""
