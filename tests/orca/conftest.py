"""What is not ready yet."""

# resynchronization gives up a packet more than it has to in cases of these tests
collect_ignore = ["test_orca_damage.py"]
