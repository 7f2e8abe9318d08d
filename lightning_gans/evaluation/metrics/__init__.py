"""What is measured of samples: a metric is a file here, and says all there is to say about itself."""
