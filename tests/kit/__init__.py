"""What tests are made of: writers, reference readers, generators, comparisons."""
