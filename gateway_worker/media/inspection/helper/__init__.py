"""What the helper process does with a file; imported by nothing else, since all of it decodes."""
