"""Descriptions of photographs, composed from a vocabulary; no caption of a data set is in them."""
