"""The embedded data set: scenes, their captions, and the pictures drawn of them."""
