"""From an open stream to full buffers: selection, and the loop around a kernel."""
