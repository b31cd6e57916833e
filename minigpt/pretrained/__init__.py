"""Published models: read and written in the layouts that others use."""
