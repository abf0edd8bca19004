"""The operators' archive (档案): classes, skills, qualifications, training, load and leave; who lacks training."""
