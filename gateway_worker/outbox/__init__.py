"""Events on their way out: `recorder` commits changes in batches, `relay` publishes them."""
