"""What a trained model's features and densities are good for."""
