"""A payment gateway on loopback: charges that happen once, two entrances to it, and how healthy each of these is."""
