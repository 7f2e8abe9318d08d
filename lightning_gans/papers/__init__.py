"""One file per paper. ``lightning_gans.GAAN`` and ``--model GAAN`` find the class by looking through this folder."""
