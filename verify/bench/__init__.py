"""``hippo-verify bench``: asv over commits, built or not, resumed, and with an end for each in words."""
