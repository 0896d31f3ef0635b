"""VIDEO, IMAGE and LATENT in and out of files, and previews while sampling."""
