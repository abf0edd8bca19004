"""Releases of the station agent: taken in, offered to some stations and then to all, fetched in pieces.

The centre is only a courier: it holds no release key, and stations believe the signatures, not the centre.
"""
