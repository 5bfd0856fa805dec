"""Files under temporary names, and how they get their own: at once, and never by half.

What is promised to the user stands in the documentation ("Output files").
"""
