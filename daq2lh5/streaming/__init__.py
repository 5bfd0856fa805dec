"""From an open stream to full buffers: selection of tables, and the loop around a kernel."""
