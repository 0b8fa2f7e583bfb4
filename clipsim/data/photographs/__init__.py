"""Photographs with captions: from folders as people have them, and from the Hugging Face hub."""
