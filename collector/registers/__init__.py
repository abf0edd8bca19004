"""Registers of townships and villages that come with the product.

`lizhou_2016.csv`: Lizhou District, edition of 31 July 2016, public statistics of the National Bureau of Statistics.
"""
