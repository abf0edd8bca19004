"""The area tree: province, city, district, township, village. Official codes and names are dated attributes."""
