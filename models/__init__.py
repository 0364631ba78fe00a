"""What makes media: the `Model` protocol, model families, the built-in models."""
