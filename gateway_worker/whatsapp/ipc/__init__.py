"""What the worker, the fork server and the hosts say to each other, and how it is written."""
