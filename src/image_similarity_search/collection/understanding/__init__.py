"""What there is in a collection: clusters, outliers, and where each image lies among others."""
