"""What others than its backends learn of a gateway: the stories share one that tells all it may."""
