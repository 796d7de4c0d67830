"""What commands and pages show: bounded reads, each by an index."""
