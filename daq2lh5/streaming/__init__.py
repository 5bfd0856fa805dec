"""From an open stream to full buffers: the loop around a kernel."""
